#pragma once

#include "sim/model/model.hpp"
#include "sim/plan/plan.hpp"

#include <string>

namespace decodesim {

/// @throws InputError naming what of the model or the plan no executor here can run: latent
///         attention, ALiBi, attention sinks, windows shorter than the run, ZeRO-3 with a tied
///         table on one stage, experts that are exchanged by all-gather, caches that travel, types
///         of less than a byte
void check_executable(const Plan& plan, const Model& model);

/// The unit that a tensor is gathered with: "L3" of "L3.qkv_proj", "embedding" of the table,
/// positions and embedding norm, "head" of the LM head and final norm.
[[nodiscard]] std::string unit_of_part(const std::string& name);

} // namespace decodesim
