#pragma once

#include "sim/model/model.hpp"
#include "sim/plan/plan.hpp"

#include <map>
#include <tuple>
#include <vector>

namespace decodesim::testing {

/// Logits of every sequence of a batch: [sequence][pass][token of the vocabulary]; pass 0 is the
/// prefill's.
using Logits = std::vector<std::vector<std::vector<float>>>;

/// Plays a plan with a thread and a CPU device per rank, and returns the logits that are sampled
/// from. @throws what a rank throws
Logits run_on_cpu(const Plan& plan, const Model& model);

/// Largest difference of two, over the largest size of any logit.
double largest_difference(const Logits& a, const Logits& b);

} // namespace decodesim::testing
