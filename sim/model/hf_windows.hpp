#pragma once

#include "sim/json_reader.hpp"
#include "sim/model/model.hpp"

#include <functional>
#include <optional>

namespace decodesim::hf {

/// Sets the model's sliding window and the layers that have it: `sliding_window` (null or 0 =
/// none), and `layer_types` where the file has it, else `windowed`.
///
/// @param absent    window of a file without the key; empty = none
/// @param windowed  whether a layer has the window
/// @throws InputError when `layer_types` has another length than the model has layers, or a type
///         that is not modelled
void read_windows(Model& model,
                  const JsonReader& config,
                  std::optional<int> absent,
                  const std::function<bool(int layer)>& windowed);

/// Every layer.
[[nodiscard]] bool all_layers(int layer);

/// Every layer but each `period`-th.
[[nodiscard]] std::function<bool(int layer)> all_but_each(int period);

} // namespace decodesim::hf
