#pragma once

#include "sim/model/hf_config.hpp"
#include "tests/unit/input_file.hpp"

#include <filesystem>
#include <string>
#include <utility>

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

/// Message of the InputError that `action` throws.
template <class Action> [[nodiscard]] std::string message_of(Action action) {
  try {
    action();
  } catch (const InputError& problem) {
    return problem.what();
  }
  return "no InputError";
}

/// A file of tests/data.
[[nodiscard]] inline std::filesystem::path published(const std::string& name) {
  return std::filesystem::path{DECODESIM_TEST_DATA} / "models" / name;
}

/// A small Llama with the size `key` written as `value` (left out when that is empty), and more
/// keys.
[[nodiscard]] inline std::string
llama_where(const std::string& key, const std::string& value, const std::string& more = {}) {
  std::string text = R"({"architectures": ["LlamaForCausalLM"])";
  const std::pair<const char*, const char*> sizes[] = {{"hidden_size", "64"},
                                                       {"intermediate_size", "128"},
                                                       {"num_hidden_layers", "2"},
                                                       {"num_attention_heads", "8"},
                                                       {"vocab_size", "100"}};
  for (const auto& [name, usual] : sizes) {
    const auto written_value = name == key ? value : usual;
    if (!written_value.empty()) {
      text += std::string{", \""} + name + "\": " + written_value;
    }
  }
  return text + (more.empty() ? "" : ", " + more) + "}";
}

[[nodiscard]] inline std::string llama_with(const std::string& more) {
  return llama_where({}, {}, more);
}

} // namespace decodesim
