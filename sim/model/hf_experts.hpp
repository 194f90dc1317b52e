#pragma once

#include "sim/json_reader.hpp"
#include "sim/model/model.hpp"

#include <initializer_list>

namespace decodesim::hf {

/// Number of experts, how many a token uses (`num_experts_per_tok`), and their width.
/// @throws InputError when a token is sent to more experts than there are, or the model gets too
///         large to count
[[nodiscard]] MixtureOfExperts read_experts(const JsonReader& config,
                                            const Model& model,
                                            std::initializer_list<const char*> count_keys,
                                            const char* width_key);

} // namespace decodesim::hf
