#pragma once

#include "validation/case_run.hpp"

namespace decodesim {

/// Whether a case measured one collective or one exchange of tokens rather than decode steps:
/// metrics allreduce_latency (bytes in the output length), dispatch_latency and combine_latency
/// (tokens of all ranks in the batch).
[[nodiscard]] bool is_communication(const Case& one);

/// Its time, and that of links without latency, on the machine that the row describes, by the
/// library that it names as framework (DeepEP, else NCCL).
[[nodiscard]] CaseOutcome simulate_communication(const Case& one);

} // namespace decodesim
