#include "sim/model/hf_config.hpp"

#include "sim/data_files.hpp"
#include "sim/error.hpp"
#include "sim/model/hf_families.hpp"
#include "sim/model/hf_keys.hpp"
#include "sim/model/hf_quantisation.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace decodesim {

namespace fs = std::filesystem;

using namespace hf;

namespace {

/// Keys under which mixtures of experts write how many experts a layer has.
constexpr std::array expert_count_keys{
    "num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"};

/// A dense class whose file speaks of experts contradicts itself.
void refuse_experts(const JsonReader& config, const std::string& architecture) {
  for (const std::string key : expert_count_keys) {
    const auto member = find_value(config, key);
    if (!member) {
      continue;
    }
    if (const auto experts = member->as_integer(0); experts > 0) {
      throw member->error("is " + std::to_string(experts), architecture + " has no experts");
    }
  }
}

/// Name of the class that the file is for, and where the file says so.
struct Named {
  JsonReader place;
  std::string name;
};

std::optional<Named> named_architecture(const JsonReader& config) {
  if (const auto list = find_value(config, "architectures")) {
    const auto names = list->elements();
    if (!names.empty()) {
      return Named{names.front(), names.front().as_string()};
    }
  }
  return std::nullopt;
}

std::optional<Named> named_type(const JsonReader& config) {
  if (const auto type = find_value(config, "model_type")) {
    return Named{*type, type->as_string()};
  }
  return std::nullopt;
}

/// The family of a file, and the class it names.
struct Recognised {
  const Family* family;
  std::string architecture;
};

[[noreturn]] void refuse(const Named& named, const char* what) {
  const auto kind = unmodelled_kind(named.name);
  throw named.place.error(std::string{what} + " \"" + named.name + "\" is " +
                              (kind.empty() ? "not supported" : kind + ", which is not modelled"),
                          supported_architectures());
}

/// @throws InputError when class or type is unknown, or they belong to different families
Recognised recognise(const JsonReader& config) {
  const auto architecture = named_architecture(config);
  const auto type = named_type(config);
  const Family* of_architecture = nullptr;
  for (const auto& family : families()) {
    const auto& known = family.architectures;
    const bool right_class =
        architecture && std::find(known.begin(), known.end(), architecture->name) != known.end();
    const bool right_type = type && type->name == family.model_type;
    if ((right_class && (right_type || !type)) || (!architecture && right_type)) {
      return {&family, right_class ? architecture->name : known.front()};
    }
    if (right_class && of_architecture == nullptr) {
      of_architecture = &family;
    }
  }
  if (of_architecture != nullptr) {
    throw type->place.error("is \"" + type->name + "\"",
                            "\"" + std::string{of_architecture->model_type} +
                                "\" is expected for " + architecture->name);
  }
  if (architecture) {
    refuse(*architecture, "architecture");
  }
  refuse(*type, "model type");
}

/// The language model of a multimodal file, when it is of a known family and the file is not.
std::optional<JsonReader> language_model(const JsonReader& config) {
  const auto text = find_value(config, "text_config");
  if (!text || !text->is_object()) {
    return std::nullopt;
  }
  const auto type = named_type(*text);
  const auto& known = families();
  const bool read = type && std::any_of(known.begin(), known.end(), [&](const Family& family) {
                      return type->name == family.model_type;
                    });
  return read ? text : std::nullopt;
}

bool is_model_config(const JsonReader& config) {
  return config.is_object() && (named_architecture(config) || find_value(config, "model_type"));
}

void refuse_other_files(const JsonReader& config, const fs::path& file) {
  if (is_model_config(config)) {
    return;
  }
  // Written by diffusers.
  if (const auto name = config.is_object() ? find_value(config, "_class_name") : std::nullopt) {
    throw name->error("class \"" + name->as_string() +
                          "\" is part of a diffusion model, which is not modelled",
                      supported_architectures());
  }
  throw InputError::at(file.string(),
                       "is not a model configuration (neither \"architectures\" nor "
                       "\"model_type\" is there)",
                       "give a config.json as Hugging Face publishes it");
}

/// "config.json" tells nothing, so such a file is called by its folder.
std::string name_of(const fs::path& file) {
  const auto folder = fs::absolute(file).lexically_normal().parent_path().filename();
  return file.filename() == "config.json" && !folder.empty() ? folder.string()
                                                             : file.stem().string();
}

Model read_family(const JsonReader& config) {
  const auto [family, architecture] = recognise(config);
  auto model = family->read(config);
  model.architecture = architecture;
  if (!model.moe) {
    refuse_experts(config, architecture);
  }
  return model;
}

} // namespace

Model load_model(const fs::path& config_json_or_folder) {
  auto file = config_json_or_folder;
  std::error_code ignored;
  if (fs::is_directory(file, ignored)) {
    file /= "config.json";
    if (!fs::exists(file, ignored)) {
      throw InputError::at(config_json_or_folder.string(),
                           "has no config.json",
                           "give a config.json of Hugging Face or the folder that holds one");
    }
  }
  const auto config = JsonReader::open(file);
  refuse_other_files(config, file);
  const auto language = language_model(config);
  auto model = read_family(language ? *language : config);
  if (language) {
    const auto whole = named_architecture(config);
    model.architecture += whole ? " of " + whole->name : "";
    // Stated for the whole, it holds for the language model's head.
    if (!find_value(*language, "tie_word_embeddings")) {
      model.tied_embeddings = flag(config, "tie_word_embeddings", model.tied_embeddings);
    }
  }
  read_quantisation(model, config);
  model.name = name_of(file);
  const auto source = find_value(config, "_source");
  model.source = source ? source->as_string() : file.string();
  return model;
}

Model find_model(const std::string& name_or_path, const std::string& where) {
  if (const auto preset = find_data_file(DataKind::model, name_or_path); !preset.empty()) {
    return load_model(preset);
  }
  std::error_code ignored;
  if (fs::exists(name_or_path, ignored)) {
    return load_model(name_or_path);
  }
  const auto unknown =
      InputError::unknown_name(where, "model", name_or_path, data_file_names(DataKind::model));
  throw InputError{unknown.what() +
                   std::string{"; the path of a config.json or of its folder works too"}};
}

} // namespace decodesim
