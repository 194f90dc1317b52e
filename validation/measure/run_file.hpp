#pragma once

#include "validation/measure/stopping_rule.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What one run of a measuring program leaves: docs/formats.md, "Run files".
namespace decodesim {

/// Clocks and state of a GPU at one instant.
struct GpuState {
  int sm_clock_mhz = 0;
  int memory_clock_mhz = 0;
  int temperature_c = 0;
  double power_w = 0;
  std::vector<std::string>
      throttle_reasons; ///< NVML's names; empty = runs as fast as it is asked to

  bool operator==(const GpuState&) const = default;
};

/// Where, when and by what a run was made. What could not be found out is empty or zero.
struct Provenance {
  std::string device; ///< "NVIDIA H200"
  int devices = 0;    ///< GPUs that the program saw
  std::string compute_capability;
  int sm_count = 0;
  std::int64_t l2_bytes = 0;
  std::int64_t memory_bytes = 0;
  std::string driver; ///< "580.65.06"
  std::string cuda;   ///< runtime, "13.0"
  std::string nccl;   ///< "2.28.9"
  std::string cublas;
  std::optional<GpuState> before;
  std::optional<GpuState> after;
  std::string start_utc; ///< "2026-01-31T12:00:00Z"
  std::string end_utc;
  std::string program;  ///< "decodesim-probe"
  std::string version;  ///< of decodesim
  std::string revision; ///< commit
  std::string command;

  bool operator==(const Provenance&) const = default;
};

/// One point of a probe: a quantity at one set of parameters.
struct ProbeResult {
  using Parameter = std::variant<std::int64_t, std::string>;

  std::string name;                            ///< "gemm"
  std::map<std::string, Parameter> parameters; ///< m, n, k, dtype, batch, context, ranks, ...
  std::string l2 = "warm";  ///< "warm": what is read was read by the launch before; "flushed": not
  std::int64_t bytes = 0;   ///< device memory (or link) traffic of one operation, each operand once
  std::int64_t flop = 0;    ///< of one operation
  std::int64_t repeats = 1; ///< operations in one sample; a sample is the time of one of them
  std::vector<double> samples_us;            ///< empty when it failed
  bool converged = false;                    ///< by the run's stopping rule
  int sm_clock_mhz = 0;                      ///< right after the last sample; 0 = not known
  std::vector<std::string> throttle_reasons; ///< then
  std::string reason;                        ///< why it failed; empty = it did not

  /// @throws InputError naming the probe when there is no such number
  [[nodiscard]] std::int64_t number(const std::string& parameter) const;
  /// @throws InputError naming the probe when there is no such text
  [[nodiscard]] const std::string& text(const std::string& parameter) const;

  bool operator==(const ProbeResult&) const = default;
};

/// One operation of a rank, as it ran.
struct MeasuredSpan {
  std::string name; ///< of the plan's operation: "qkv_proj"
  int layer = -1;
  int micro_batch = -1;
  std::string kind;    ///< "kernel", "collective", "message", "exchange", ...
  std::string stream;  ///< of the plan
  int step = 0;        ///< decode step; -1 in the prologue, the number of steps in the epilogue
  double start_us = 0; ///< since the start of its rank's prologue
  double duration_us = 0;

  bool operator==(const MeasuredSpan&) const = default;
};

/// Spans of one rank, in the order of their start on each stream.
struct MeasuredRank {
  int rank = 0;
  std::vector<MeasuredSpan> spans;

  bool operator==(const MeasuredRank&) const = default;
};

/// One execution of a plan.
struct PlanRun {
  std::string name;             ///< unique in the file: "llama-3-8b tp8 shard 0"
  std::string scenario;         ///< scenario file's text (JSON), complete; kept as JSON in the file
  std::string mode;             ///< "plain" (a GPU for each rank), "shard", "shared", ...
  bool graph = false;           ///< steps were launched as a CUDA graph
  bool comparable = true;       ///< times may be compared with a simulation
  std::string reason;           ///< why not; empty if comparable
  std::vector<double> steps_us; ///< whole decode steps with an event at each end of all of them
  std::vector<double> recorded_us; ///< decode steps with events around every operation
  std::vector<MeasuredRank> ranks;

  bool operator==(const PlanRun&) const = default;
};

/// A whole run file.
struct RunFile {
  std::string kind; ///< "probes" or "plan"
  Provenance provenance;
  StoppingRule rule;               ///< of probes
  std::vector<ProbeResult> probes; ///< of kind "probes"
  std::vector<PlanRun> plans;      ///< of kind "plan"

  bool operator==(const RunFile&) const = default;
};

/// Most samples of a probe that a file keeps: the first ones.
constexpr std::size_t most_samples_kept = 256;

/// Most bytes of a run file. Of plans whose spans do not fit, the spans of the last steps are left
/// out until they do; no total is.
constexpr std::size_t most_run_file_bytes = std::size_t{16} << 20;

/// Text of the file; times are rounded to nanoseconds.
/// @throws InputError when it is too large with the spans of one step
[[nodiscard]] std::string run_file_text(const RunFile& file,
                                        std::size_t most_bytes = most_run_file_bytes);

/// @param where  stands for the file's name in messages
/// @throws InputError with the JSON pointer of the first mistake
[[nodiscard]] RunFile parse_run_file(std::string_view text, const std::string& where);

/// @throws InputError as parse_run_file, or when the file cannot be read
[[nodiscard]] RunFile read_run_file(const std::filesystem::path& path);

/// Whether a file's text is that of JSON rather than of a table: its first character is a brace.
[[nodiscard]] bool looks_like_run_file(std::string_view text);

/// One probe as a line of JSON: what the process that measures tells the one that writes the file.
[[nodiscard]] std::string probe_line(const ProbeResult& probe);
[[nodiscard]] ProbeResult parse_probe_line(std::string_view line);

/// Provenance as a line of JSON.
[[nodiscard]] std::string provenance_line(const Provenance& provenance);
[[nodiscard]] Provenance parse_provenance_line(std::string_view line);

} // namespace decodesim
