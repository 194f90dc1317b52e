#pragma once

#include "sim/model/model.hpp"

#include <filesystem>
#include <string>

/// Models from the `config.json` that Hugging Face publishes beside the weights.
///
/// The classes that are read stand in hf_families.cpp. Of a multimodal file whose `text_config` is
/// of such a class, the language model alone is read. Keys that do not change the shape are
/// ignored; an absent key means what it means to the transformers library
/// (docs/models/transformer.md).
namespace decodesim {

/// Shape of the model that a `config.json`, or the folder that holds one, describes.
///
/// `name` is the file's stem, or its folder's name when the file is called config.json; `source` is
/// the file's `_source` key, else its path.
///
/// @throws InputError with file and JSON pointer when the file cannot be read, is no model
///         configuration, is of an architecture or stored in a way that is not modelled, lacks a
///         size, or contradicts itself
[[nodiscard]] Model load_model(const std::filesystem::path& config_json_or_folder);

/// Shape of a preset ("llama-3-70b"), or, when no preset has that name, of the `config.json` (or
/// folder) at that path.
///
/// @param where  the flag or place in a file that named it, for messages
/// @throws InputError as load_model does; when there is neither a preset nor a file, the presets
///         are listed
[[nodiscard]] Model find_model(const std::string& name_or_path, const std::string& where);

} // namespace decodesim
