#include "sim/model/hf_windows.hpp"

#include "sim/error.hpp"
#include "sim/model/hf_keys.hpp"

#include <algorithm>
#include <utility>

namespace decodesim::hf {

namespace {

std::vector<bool> types_of_layers(const Model& model, const JsonReader& list) {
  const auto types = list.elements();
  if (static_cast<int>(types.size()) != model.layers) {
    throw list.error("has " + std::to_string(types.size()) + " entries",
                     "num_hidden_layers says " + std::to_string(model.layers));
  }
  std::vector<bool> windowed;
  for (const auto& type : types) {
    const auto name = type.as_string();
    if (name != "full_attention" && name != "sliding_attention") {
      throw type.error("layer type \"" + name + "\" is not modelled",
                       "full_attention and sliding_attention are");
    }
    windowed.push_back(name == "sliding_attention");
  }
  return windowed;
}

} // namespace

void read_windows(Model& model,
                  const JsonReader& config,
                  std::optional<int> absent,
                  const std::function<bool(int layer)>& windowed) {
  const auto window = config.find("sliding_window");
  if (!window) {
    model.sliding_window = absent.value_or(0);
  } else if (!window->is_null()) {
    model.sliding_window = static_cast<int>(window->as_integer(0, most_positions));
  }
  std::vector<bool> layers;
  if (const auto list = find_value(config, "layer_types")) {
    layers = types_of_layers(model, *list);
    if (model.sliding_window == 0 &&
        std::find(layers.begin(), layers.end(), true) != layers.end()) {
      throw list->error("names sliding_attention", "no sliding_window is given");
    }
  } else {
    for (int layer = 0; layer < model.layers; ++layer) {
      layers.push_back(windowed(layer));
    }
  }
  if (std::find(layers.begin(), layers.end(), true) == layers.end()) {
    model.sliding_window = 0;
  }
  if (model.sliding_window > 0 && std::find(layers.begin(), layers.end(), false) != layers.end()) {
    model.windowed_layers = std::move(layers);
  }
}

bool all_layers(int) { return true; }

std::function<bool(int layer)> all_but_each(int period) {
  return [period](int layer) { return (layer + 1) % period != 0; };
}

} // namespace decodesim::hf
