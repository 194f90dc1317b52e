#pragma once

#include "sim/device/kernel_cost.hpp"
#include "sim/host/launch_mode.hpp"
#include "sim/sourced.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace decodesim {

/// What a framework runs beside the kernels of a fused, fully sharded program.
struct ProgramTraits {
  /// Element-wise kernels per layer that a fused engine does not have: casts, copies, reshapes.
  int unfused_kernels = 0;
  /// Embedding and LM head are not cut over the tensor-parallel ranks: each reads all of them.
  bool whole_vocabulary = false;
  /// Every step writes the whole cache anew (torch.cat of past and new keys and values).
  bool concatenates_cache = false;
  /// The cache of every stage lies on the first GPU between steps: it crosses the links twice.
  bool returns_cache = false;
  /// Gathered weights are copied once more before use (ZeRO-3).
  bool copies_gathered_weights = false;
  /// The embedding table stays in host memory, where rows are looked up; a tied LM head is a copy.
  bool host_embedding = false;
  /// Pipeline stages are cut as if the LM head were one more layer.
  bool head_counts_as_layer = false;
  /// The cache is in fp8 where weights are, unless told otherwise.
  bool fp8_cache = false;
  /// Activations become fp8 in the kernel that writes them, with scales of the checkpoint.
  bool fused_quantisation = false;

  bool operator==(const ProgramTraits&) const = default;
};

/// What differs from the GPU's own costs of a class in a framework's kernels.
struct KernelOverride {
  std::optional<Sourced<Seconds>> fixed;                   ///< in place of the GPU's
  std::optional<Sourced<double>> byte_efficiency_ratio;    ///< times the GPU's
  std::optional<Sourced<BytesPerSecond>> per_sm_bandwidth; ///< most of one multiprocessor
  std::optional<Sourced<Seconds>> per_unsplit_token;       ///< of attention that is never split
  /// Most that one multiprocessor reads of the cache, where each query head reads it by itself.
  std::optional<Sourced<BytesPerSecond>> per_sm_cache_reads;
};

/// A serving framework: how its host launches work and what its programs do, apart from GPU and
/// links. A file of `sim/host/frameworks/` (format: docs/formats.md; meaning: docs/models/host.md).
/// A cost that is missing is zero, or where said so the GPU's.
struct Framework {
  std::string name = "none";
  std::string reference = "none"; ///< what find_framework finds it by: its name, or its file
  std::string summary;
  std::vector<std::string> aliases; ///< patterns with * and ?, letter case aside
  LaunchMode launch = LaunchMode::graph;
  std::string collectives = "nccl"; ///< what it uses unless told otherwise

  std::optional<Sourced<Seconds>> eager_launch; ///< host time per operation; else the GPU's
  std::optional<Sourced<Seconds>> graph_launch; ///< host time per captured step; else the GPU's
  std::optional<Sourced<Seconds>> per_layer;    ///< host time beside the launches, when eager
  std::optional<Sourced<Seconds>> per_step;     ///< between a step and the launch of the next
  std::optional<Sourced<Seconds>> per_sequence; ///< the same, for each sequence of the replica
  std::optional<Sourced<Seconds>> per_stage;    ///< before hidden states leave a pipeline stage
  std::optional<Sourced<Seconds>> kernel_gap;   ///< of the GPU, before each kernel
  std::optional<Sourced<Seconds>> jitter_eager; ///< mean delay of a rank's part of a collective
  std::optional<Sourced<Seconds>> jitter_graph; ///< the same inside a captured step

  std::optional<Sourced<double>> unfused_kernels; ///< per layer; a whole number
  std::map<std::string, std::string> traits;      ///< of ProgramTraits that hold: name -> source
  std::map<KernelClass, KernelOverride> kernels;

  [[nodiscard]] ProgramTraits program() const;
  [[nodiscard]] KernelLibrary library() const;
};

/// A duration of a framework: its key in files, and where it is kept.
struct FrameworkDuration {
  const char* name;
  std::optional<Sourced<Seconds>> Framework::*member;
  const char* meaning;
};

/// All of them, in the order of files.
[[nodiscard]] const std::vector<FrameworkDuration>& framework_durations();

/// @throws InputError with the JSON pointer of the first mistake
[[nodiscard]] Framework load_framework(const std::filesystem::path& path);

/// "none", a preset's name, what an alias of a preset matches, or a path to a file: what has a '/'
/// in it or ends in ".json" is a path.
/// @param where  named in the message when there is none ("--framework", "x.json: /framework")
/// @throws InputError with the nearest preset's name, or as load_framework
[[nodiscard]] Framework find_framework(const std::string& name, const std::string& where);

struct FrameworkMatch {
  Framework framework;
  bool is_guess = false; ///< no alias matches
  std::string note;      ///< why this one, if it is a guess
};

/// The framework that a table of measurements means ("vLLM 0.7.3", "TensorRT-LLM"): that with the
/// alias of most letters that matches; else the nearest, by a word that both names have; else none.
[[nodiscard]] FrameworkMatch framework_for_alias(const std::string& text);

/// "framework vllm: per_step = 200 us (reason)" for every number of kind assumed.
[[nodiscard]] std::vector<std::string> assumed_numbers(const Framework& framework);

} // namespace decodesim
