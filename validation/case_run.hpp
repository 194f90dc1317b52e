#pragma once

#include "sim/host/framework.hpp"
#include "validation/case_scenario.hpp"

#include <optional>
#include <string>

namespace decodesim {

/// What the simulation says to one case.
struct CaseOutcome {
  CaseStatus status = CaseStatus::ok;
  std::string reason;              ///< why it is not ok; else what was assumed, or empty
  std::optional<double> simulated; ///< in the unit of the case
  std::optional<double> roofline = {};
  std::optional<double> bandwidth_only = {};
};

/// Simulates what a case measured and expresses it in the case's metric and unit. Problems of the
/// case are outcomes, not errors. Metrics (docs/formats.md):
///
/// - e2e_latency, batch_latency: prefill and all decode steps of the batch;
/// - ttft, ttft_...: prefill of the whole batch;
/// - tpot, tpot_..., itl, itl_..., decode_step_time: mean time of a decode step. Where sequences
/// come
///   and go (closed loop, request rate) the prefills of the other N - 1 sequences stand between the
///   steps of one: step + (N - 1) x prefill of one sequence / output tokens;
/// - decode_throughput: batch / that;
/// - output_throughput: batch x output tokens / e2e;
/// - total_throughput: batch x (input + output tokens) / e2e;
/// - ms_per_generated_token: e2e / (batch x output tokens);
/// - benchmark_duration: requests x (prefill of one + output tokens x step / batch);
/// - allreduce_latency, dispatch_latency, combine_latency: case_communication.hpp.
[[nodiscard]] CaseOutcome simulate_case(const Case& one, const Framework& framework);

/// The same with the framework that the case names, or the nearest, and with what simpler models
/// say:
///
/// - roofline: the same simulation with kernels at datasheet rates, collectives without latency and
///   a host that costs nothing (Williams, Waterman, Patterson, CACM 52(4), 2009);
/// - bandwidth only: weights and mean cache of a GPU over its memory bandwidth, times the stages or
///   micro-batches that follow each other; of ZeRO-3 all weights. Not of models with experts.
[[nodiscard]] CaseOutcome simulate_case(const Case& one);

} // namespace decodesim
