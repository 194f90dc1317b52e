#include "sim/model/hf_config.hpp"

#include "sim/data_files.hpp"
#include "sim/error.hpp"
#include "sim/json_reader.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace decodesim {

namespace fs = std::filesystem;

namespace {

// Far above any published model, and low enough that counts stay within 64 bits: a layer has at
// most 4 x 1e6 x 1e7 attention and 3 x 1e6 x 1e7 feed-forward elements, 1e4 layers 7e17.
constexpr std::int64_t most_layers = 10'000;
constexpr std::int64_t most_hidden = 1'000'000;
constexpr std::int64_t most_heads = 100'000;
constexpr std::int64_t most_query_size = 10'000'000;
constexpr std::int64_t most_ffn = 10'000'000;
constexpr std::int64_t most_vocabulary = 100'000'000;
constexpr std::int64_t most_positions = std::numeric_limits<int>::max();

/// Member of an object; null counts as absent, as in transformers.
std::optional<JsonReader> find_value(const JsonReader& config, const std::string& key) {
  auto member = config.find(key);
  return member && !member->is_null() ? member : std::nullopt;
}

int size_from(const JsonReader& value, std::int64_t most) {
  return static_cast<int>(value.as_integer(1, most));
}

bool flag(const JsonReader& config, const std::string& key, bool default_value) {
  const auto member = find_value(config, key);
  return member ? member->as_bool() : default_value;
}

/// A required size that a family writes under any of several keys.
struct Size {
  JsonReader place;
  std::string key;
  int value;
};

/// @throws InputError when none of the keys is there or two of them differ
Size size_at(const JsonReader& config, std::initializer_list<const char*> keys, std::int64_t most) {
  std::optional<Size> found;
  for (const std::string key : keys) {
    const auto member = find_value(config, key);
    if (!member) {
      continue;
    }
    const int value = size_from(*member, most);
    if (found && found->value != value) {
      throw member->error("is " + std::to_string(value),
                          found->key + " says " + std::to_string(found->value) +
                              " for the same size");
    }
    if (!found) {
      found = Size{*member, key, value};
    }
  }
  if (!found) {
    std::string others;
    for (const auto* key = keys.begin() + 1; key < keys.end(); ++key) {
      others += std::string{" or \""} + *key + "\"";
    }
    throw config.error(std::string{"has no \""} + *keys.begin() + "\"" + others, "it is required");
  }
  return *found;
}

/// Head size of models whose heads share the hidden size out evenly.
int shared_head_size(const Size& hidden, const Size& heads, std::string_view unless) {
  if (hidden.value % heads.value != 0) {
    throw hidden.place.error("is " + std::to_string(hidden.value),
                             std::string{unless} + "a multiple of " + heads.key + " (" +
                                 std::to_string(heads.value) + ") is expected");
  }
  return hidden.value / heads.value;
}

/// What transformers takes for a key that is absent; empty stands for a value that follows from
/// other keys (as many KV heads as heads; hidden size / heads).
struct RotaryDefaults {
  std::optional<int> kv_heads;
  std::optional<int> head_size;
};

int kv_heads_of(const JsonReader& config, const Size& heads, std::optional<int> absent) {
  const std::string key = "num_key_value_heads";
  const auto member = config.find(key);
  if (!member) {
    const int kv_heads = absent.value_or(heads.value);
    if (heads.value % kv_heads != 0) {
      throw config.error("has no \"" + key + "\"",
                         "its default of " + std::to_string(kv_heads) + " does not divide " +
                             heads.key + " (" + std::to_string(heads.value) + ")");
    }
    return kv_heads;
  }
  if (member->is_null()) {
    return heads.value;
  }
  const int kv_heads = size_from(*member, most_heads);
  if (heads.value % kv_heads != 0) {
    throw member->error("is " + std::to_string(kv_heads),
                        "a divisor of " + heads.key + " (" + std::to_string(heads.value) +
                            ") is expected");
  }
  return kv_heads;
}

int head_size_of(const JsonReader& config,
                 const Size& hidden,
                 const Size& heads,
                 std::optional<int> absent) {
  const auto member = config.find("head_dim");
  if (!member && absent) {
    return *absent;
  }
  if (!member || member->is_null()) {
    return shared_head_size(hidden, heads, "without \"head_dim\" ");
  }
  return size_from(*member, most_query_size / heads.value);
}

/// Llama's layer, which Mistral and Qwen share: RMS norms, rotary positions, grouped-query
/// attention and a gated feed-forward network.
Model rotary_gated_model(const JsonReader& config, RotaryDefaults absent) {
  const auto hidden = size_at(config, {"hidden_size"}, most_hidden);
  const auto heads = size_at(config, {"num_attention_heads"}, most_heads);
  Model model;
  model.layers = size_at(config, {"num_hidden_layers"}, most_layers).value;
  model.hidden_size = hidden.value;
  model.heads = heads.value;
  model.kv_heads = kv_heads_of(config, heads, absent.kv_heads);
  model.head_size = head_size_of(config, hidden, heads, absent.head_size);
  model.ffn_size = size_at(config, {"intermediate_size"}, most_ffn).value;
  model.vocabulary_size = size_at(config, {"vocab_size"}, most_vocabulary).value;
  if (const auto positions = find_value(config, "max_position_embeddings")) {
    model.max_positions = size_from(*positions, most_positions);
  }
  model.gated_ffn = true;
  model.norm = NormKind::rms_norm;
  model.position = PositionKind::rotary;
  model.tied_embeddings = flag(config, "tie_word_embeddings", false);
  return model;
}

Model read_llama(const JsonReader& config) {
  auto model = rotary_gated_model(config, {});
  model.qkv_bias = flag(config, "attention_bias", false);
  model.attention_output_bias = model.qkv_bias;
  model.ffn_bias = flag(config, "mlp_bias", false);
  return model;
}

Model read_mistral(const JsonReader& config) {
  return rotary_gated_model(config, {.kv_heads = 8, .head_size = {}});
}

Model read_qwen2(const JsonReader& config) {
  auto model = rotary_gated_model(config, {.kv_heads = 32, .head_size = {}});
  model.qkv_bias = true;
  return model;
}

Model read_qwen3(const JsonReader& config) {
  auto model = rotary_gated_model(config, {.kv_heads = 32, .head_size = 128});
  model.qkv_bias = flag(config, "attention_bias", false);
  model.attention_output_bias = model.qkv_bias;
  model.qk_norm = true;
  return model;
}

/// GPT-2's layer, which BLOOM shares: layer norms, full heads, two feed-forward matrices, biases
/// everywhere.
Model biased_model(const JsonReader& config, const Size& hidden, const Size& heads) {
  Model model;
  model.layers = size_at(config, {"n_layer", "num_hidden_layers"}, most_layers).value;
  model.hidden_size = hidden.value;
  model.heads = heads.value;
  model.kv_heads = heads.value;
  model.head_size = shared_head_size(hidden, heads, "");
  model.ffn_size = 4 * hidden.value;
  model.vocabulary_size = size_at(config, {"vocab_size"}, most_vocabulary).value;
  model.gated_ffn = false;
  model.norm = NormKind::layer_norm;
  model.tied_embeddings = flag(config, "tie_word_embeddings", true);
  model.qkv_bias = true;
  model.attention_output_bias = true;
  model.ffn_bias = true;
  return model;
}

Model read_bloom(const JsonReader& config) {
  const auto hidden = size_at(config, {"hidden_size", "n_embed"}, most_hidden);
  const auto heads = size_at(config, {"n_head", "num_attention_heads"}, most_heads);
  auto model = biased_model(config, hidden, heads);
  model.position = PositionKind::alibi;
  model.embedding_norm = true;
  if (const auto trained = find_value(config, "seq_length")) {
    model.max_positions = size_from(*trained, most_positions);
  }
  return model;
}

Model read_gpt2(const JsonReader& config) {
  if (flag(config, "add_cross_attention", false)) {
    throw config.at("add_cross_attention")
        .error("is true", "only decoders without cross-attention are modelled");
  }
  const auto hidden = size_at(config, {"n_embd", "hidden_size"}, most_hidden);
  const auto heads = size_at(config, {"n_head", "num_attention_heads"}, most_heads);
  auto model = biased_model(config, hidden, heads);
  if (const auto inner = find_value(config, "n_inner")) {
    model.ffn_size = size_from(*inner, most_ffn);
  }
  model.position = PositionKind::learned;
  const auto positions = {"n_positions", "max_position_embeddings"};
  const bool names_positions =
      std::any_of(positions.begin(), positions.end(), [&](const char* key) {
        return find_value(config, key).has_value();
      });
  // n_ctx is an old name of n_positions; where both are, transformers ignores it.
  const auto context = find_value(config, "n_ctx");
  model.max_positions = context && !names_positions
                            ? size_from(*context, most_positions)
                            : size_at(config, positions, most_positions).value;
  return model;
}

/// Models that one class of transformers builds from its configuration.
struct Family {
  const char* model_type;
  std::vector<std::string> architectures; ///< the first is meant when a file names only model_type
  Model (*read)(const JsonReader& config);
};

const std::vector<Family>& families() {
  static const std::vector<Family> all{
      {"bloom", {"BloomForCausalLM", "BloomModel"}, read_bloom},
      {"gpt2", {"GPT2LMHeadModel"}, read_gpt2},
      {"llama", {"LlamaForCausalLM"}, read_llama},
      {"mistral", {"MistralForCausalLM"}, read_mistral},
      {"qwen2", {"Qwen2ForCausalLM"}, read_qwen2},
      {"qwen3", {"Qwen3ForCausalLM"}, read_qwen3},
  };
  return all;
}

std::string supported_architectures() {
  std::string names = "supported:";
  for (const auto& family : families()) {
    for (const auto& name : family.architectures) {
      names += (names.back() == ':' ? " " : ", ") + name;
    }
  }
  return names;
}

/// Keys under which mixtures of experts write how many experts a layer has.
constexpr std::array expert_count_keys{
    "num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"};

void refuse_experts(const JsonReader& config) {
  for (const std::string key : expert_count_keys) {
    const auto member = find_value(config, key);
    if (!member) {
      continue;
    }
    if (const auto experts = member->as_integer(0); experts > 0) {
      throw member->error("is " + std::to_string(experts),
                          "mixtures of experts are not modelled yet; " + supported_architectures());
    }
  }
}

void refuse_quantised(const JsonReader& config) {
  if (const auto member = find_value(config, "quantization_config")) {
    throw member->error("is given",
                        "quantised checkpoints are not modelled yet: take the config.json of the "
                        "unquantised model and choose the weight type with --dtype");
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

/// The family of a file, and the class it names.
struct Recognised {
  const Family* family;
  std::string architecture;
};

Recognised recognise(const JsonReader& config) {
  const auto architecture = named_architecture(config);
  const auto model_type = find_value(config, "model_type");
  for (const auto& family : families()) {
    const auto& known = family.architectures;
    if (!architecture && model_type->as_string() == family.model_type) {
      return {&family, known.front()};
    }
    if (architecture && std::find(known.begin(), known.end(), architecture->name) != known.end()) {
      if (model_type && model_type->as_string() != family.model_type) {
        throw model_type->error("is \"" + model_type->as_string() + "\"",
                                "\"" + std::string{family.model_type} + "\" is expected for " +
                                    architecture->name);
      }
      return {&family, architecture->name};
    }
  }
  if (architecture) {
    throw architecture->place.error("architecture \"" + architecture->name + "\" is not supported",
                                    supported_architectures());
  }
  throw model_type->error("model type \"" + model_type->as_string() + "\" is not supported",
                          supported_architectures());
}

bool is_model_config(const JsonReader& config) {
  return config.is_object() && (named_architecture(config) || find_value(config, "model_type"));
}

/// "config.json" tells nothing, so such a file is called by its folder.
std::string name_of(const fs::path& file) {
  const auto folder = fs::absolute(file).lexically_normal().parent_path().filename();
  return file.filename() == "config.json" && !folder.empty() ? folder.string()
                                                             : file.stem().string();
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
  if (!is_model_config(config)) {
    throw InputError::at(file.string(),
                         "is not a model configuration (neither \"architectures\" nor "
                         "\"model_type\" is there)",
                         "give a config.json as Hugging Face publishes it");
  }
  refuse_experts(config);
  const auto [family, architecture] = recognise(config);
  refuse_quantised(config);
  auto model = family->read(config);
  model.name = name_of(file);
  model.architecture = architecture;
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
