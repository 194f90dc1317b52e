#include "sim/model/hf_quantisation.hpp"

#include "sim/error.hpp"
#include "sim/model/hf_keys.hpp"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>

namespace decodesim::hf {

namespace {

/// Whole number under any of the keys, if one is there.
std::optional<JsonReader> find_any(const JsonReader& settings,
                                   std::initializer_list<const char*> keys) {
  for (const auto* key : keys) {
    if (auto value = find_value(settings, key)) {
      return value;
    }
  }
  return std::nullopt;
}

/// Integers of 4 bits with a scale per group, or of 8.
DataType
grouped_integer(const JsonReader& settings, const JsonReader& bits, const JsonReader& where) {
  const auto count = bits.as_integer(1, 64);
  if (count == 8) {
    return DataType::int8;
  }
  if (count != 4) {
    throw bits.error("is " + std::to_string(count), "4 and 8 bits are modelled");
  }
  const auto group = find_any(settings, {"group_size", "q_group_size"});
  const auto size = group ? group->as_integer(-1) : 128;
  switch (size) {
  case 32:
    return DataType::int4_g32;
  case 64:
    return DataType::int4_g64;
  case 128:
    return DataType::int4;
  default:
    throw(group ? *group : where)
        .error("is " + std::to_string(size), "scales per 32, 64 or 128 weights are modelled");
  }
}

/// The one type of weights of all groups of compressed-tensors.
DataType compressed_type(const JsonReader& settings) {
  std::optional<DataType> type;
  const auto groups = settings.at("config_groups");
  for (const auto& name : groups.keys()) {
    const auto weights = groups.at(name).at("weights");
    const auto bits = weights.at("num_bits");
    const auto found = weights.at("type").as_string() == "float" && bits.as_integer(1, 64) == 8
                           ? DataType::fp8
                           : grouped_integer(weights, bits, weights);
    if (type && *type != found) {
      throw weights.error("is " + to_string(found),
                          "one type for all groups is modelled, and another is " +
                              to_string(*type));
    }
    type = found;
  }
  if (!type) {
    throw groups.error("is empty", "a group of weights is expected");
  }
  return *type;
}

DataType type_of(const JsonReader& settings) {
  const auto method = settings.at("quant_method");
  const auto name = method.as_string();
  if (name == "fp8" || name == "fbgemm_fp8") {
    return DataType::fp8;
  }
  if (name == "gptq" || name == "awq") {
    const auto bits = find_any(settings, {"bits", "w_bit"});
    if (!bits) {
      throw settings.error("has no \"bits\"", "it is required");
    }
    return grouped_integer(settings, *bits, settings);
  }
  if (name == "mxfp4") {
    return DataType::mxfp4;
  }
  if (name == "compressed-tensors") {
    return compressed_type(settings);
  }
  throw InputError::unknown_name(
      method.where(),
      "quantisation method",
      name,
      {"awq", "compressed-tensors", "fbgemm_fp8", "fp8", "gptq", "mxfp4"});
}

bool contains_any(const std::string& text, std::initializer_list<const char*> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](const char* part) {
    return text.find(part) != std::string::npos;
  });
}

bool ends_with_any(const std::string& text, std::initializer_list<const char*> ends) {
  return std::any_of(
      ends.begin(), ends.end(), [&](const char* end) { return text.ends_with(end); });
}

/// Whether the modules that the file leaves in 16 bits include attention.
/// @throws InputError for a module that is neither attention nor left in 16 bits by all files
bool leaves_attention(const Model& model, const JsonReader& settings) {
  bool attention = false;
  const auto list = find_any(settings, {"modules_to_not_convert", "ignore", "ignored_layers"});
  if (!list) {
    return false;
  }
  for (const auto& module : list->elements()) {
    const auto name = module.as_string();
    if (ends_with_any(name, {"lm_head", "embed_tokens", "norm", "router", "gate"}) ||
        contains_any(name, {"vision", "visual", "multi_modal", "mm_projector"})) {
      continue;
    }
    if (!model.moe || !contains_any(name, {"attn"})) {
      throw module.error("leaves \"" + name + "\" in 16 bits",
                         "only files that leave embedding, LM head, norms, routers, vision parts "
                         "or, beside experts, all of attention are modelled");
    }
    attention = true;
  }
  return attention;
}

} // namespace

void read_quantisation(Model& model, const JsonReader& config) {
  const auto settings = find_value(config, "quantization_config");
  if (!settings) {
    return;
  }
  const auto type = type_of(*settings);
  const bool experts_alone = leaves_attention(model, *settings) || type == DataType::mxfp4;
  if (!experts_alone) {
    model.stored_type = type;
    return;
  }
  if (!model.moe) {
    throw settings->error("stores experts in " + to_string(type), "the model has none");
  }
  model.stored_type = DataType::bf16;
  model.stored_expert_type = type;
}

} // namespace decodesim::hf
