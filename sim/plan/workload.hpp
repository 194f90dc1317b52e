#pragma once

#include "sim/host/framework.hpp"
#include "sim/model/model.hpp"
#include "sim/plan/expert_placement.hpp"

#include <cstdint>
#include <string>

namespace decodesim {

/// How tokens travel between ranks that do not share them. Enumerators (with hyphens) are the names
/// used in flags and files.
enum class MoeExchange {
  all_to_all, ///< each token to the ranks that have its experts, and their sums back
  all_gather  ///< every token to every rank of the group, and a reduce-scatter of the sums
};

[[nodiscard]] std::string to_string(MoeExchange exchange);
/// @throws InputError naming `where` and the known names
[[nodiscard]] MoeExchange moe_exchange_named(const std::string& name, const std::string& where);

/// Most copies of hot experts that a file or flag may ask for.
inline constexpr int most_expert_copies = 65536;

/// How the tokens of a model with experts find them; without effect on others.
struct ExpertSettings {
  std::string routing = "uniform"; ///< NAME or NAME:ARGUMENT, see `list routings`
  std::uint64_t seed = 0;          ///< of the routing's draws
  PlacementKind placement = PlacementKind::contiguous;
  int copies = 0; ///< experts of each layer that are on two ep indices, the hottest
  MoeExchange exchange = MoeExchange::all_to_all;
  std::string kernels = "nccl"; ///< that exchange tokens: see exchange_kernel_names()
};

/// A static batch: `batch_size` sequences arrive at once, with equal lengths.
struct Workload {
  int batch_size = 1;              ///< sequences in flight on the whole layout
  std::int64_t input_tokens = 512; ///< prompt tokens per sequence
  std::int64_t output_tokens = 32; ///< generated tokens per sequence, the first from prefill
  Precision precision = {};
  ExpertSettings experts = {};
  ProgramTraits traits = {}; ///< of the serving framework

  [[nodiscard]] int decode_steps() const { return static_cast<int>(output_tokens - 1); }
};

} // namespace decodesim
