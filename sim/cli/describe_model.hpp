#pragma once

#include "sim/model/model.hpp"

#include <string>

namespace decodesim {

/// All that is known of a model's shape, a line each: sizes, parameters in all, active and by
/// place, KV cache, and the types that its file stores.
[[nodiscard]] std::string model_text(const Model& model);

} // namespace decodesim
