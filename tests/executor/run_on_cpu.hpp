#pragma once

#include "sim/model/model.hpp"
#include "sim/plan/plan.hpp"
#include "validation/executor/logits.hpp"

namespace decodesim::testing {

/// Plays a plan with a thread and a CPU device per rank, and returns the logits that are sampled
/// from. @throws what a rank throws
Logits run_on_cpu(const Plan& plan, const Model& model);

} // namespace decodesim::testing
