#pragma once

#include "sim/model/hf_config.hpp"
#include "tests/unit/input_file.hpp"

#include <string>

namespace decodesim {

/// The model that a config.json of that text describes.
[[nodiscard]] inline Model model_from(const std::string& text) {
  const InputFile file{text, "config.json"};
  return load_model(file.path());
}

/// Message of the error that such a file is refused with, the folder left out.
[[nodiscard]] inline std::string refusal_of(const std::string& text) {
  const InputFile file{text, "config.json"};
  return file.message_of([&] { (void)load_model(file.path()); });
}

} // namespace decodesim
