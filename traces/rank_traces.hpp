#pragma once

#include "sim/engine/timeline.hpp"
#include "sim/plan/plan.hpp"
#include "traces/chrome_trace.hpp"

#include <filesystem>

namespace decodesim {

/// Writes a timeline as PyTorch's profiler would have recorded it, one file per rank
/// ("rank_0.json"), for Holistic Trace Analysis: kernels and, under NCCL's kernel names, transfers.
/// Waiting, bubbles and launches are no kernels: they are the gaps, which that tool reports as
/// idle time of the stream.
///
/// All files appear or none.
///
/// @param folder  made when it is missing; its parent must exist
/// @throws InputError naming the path when it cannot be written, or when the folder holds the file
///         of a rank that this timeline does not have (the tool would read both as one run)
/// @throws SimulationError when the timeline contradicts itself or the plan
TraceContents
write_rank_traces(const std::filesystem::path& folder, const Plan& plan, const Timeline& timeline);

} // namespace decodesim
