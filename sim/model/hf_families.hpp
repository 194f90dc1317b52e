#pragma once

#include "sim/json_reader.hpp"
#include "sim/model/model.hpp"

#include <string>
#include <string_view>
#include <vector>

/// Which classes of transformers are read, and by which function.
namespace decodesim::hf {

/// Models that one class of transformers builds from its configuration.
struct Family {
  const char* model_type;
  std::vector<std::string> architectures; ///< the first is meant when a file names only model_type
  Model (*read)(const JsonReader& config);
};

/// In the order of model types.
[[nodiscard]] const std::vector<Family>& families();

/// "supported: BloomForCausalLM, ...", for messages.
[[nodiscard]] std::string supported_architectures();

/// What a class or model type is that no reader could be written for ("a state-space model");
/// empty when the name tells nothing.
[[nodiscard]] std::string unmodelled_kind(std::string_view architecture_or_type);

// Readers, by file. Each throws InputError when a size is missing or contradicts another.

// hf_rotary.cpp: Llama's layer
[[nodiscard]] Model read_llama(const JsonReader& config);
[[nodiscard]] Model read_mistral(const JsonReader& config);
[[nodiscard]] Model read_qwen2(const JsonReader& config);
[[nodiscard]] Model read_qwen3(const JsonReader& config);
[[nodiscard]] Model read_phi3(const JsonReader& config);
[[nodiscard]] Model read_glm(const JsonReader& config);
[[nodiscard]] Model read_glm4(const JsonReader& config);
[[nodiscard]] Model read_chatglm(const JsonReader& config);
[[nodiscard]] Model read_gemma(const JsonReader& config);
[[nodiscard]] Model read_gemma2(const JsonReader& config);
[[nodiscard]] Model read_gemma3(const JsonReader& config);

// hf_biased.cpp: GPT-2's layer
[[nodiscard]] Model read_bloom(const JsonReader& config);
[[nodiscard]] Model read_gpt2(const JsonReader& config);
[[nodiscard]] Model read_opt(const JsonReader& config);

// hf_parallel.cpp: attention and FFN side by side
[[nodiscard]] Model read_gpt_neox(const JsonReader& config);
[[nodiscard]] Model read_falcon(const JsonReader& config);
[[nodiscard]] Model read_cohere(const JsonReader& config);
[[nodiscard]] Model read_cohere2(const JsonReader& config);

// hf_experts.cpp: mixtures of experts
[[nodiscard]] Model read_mixtral(const JsonReader& config);
[[nodiscard]] Model read_qwen2_moe(const JsonReader& config);
[[nodiscard]] Model read_qwen3_moe(const JsonReader& config);
[[nodiscard]] Model read_gpt_oss(const JsonReader& config);

// hf_deepseek.cpp: shared experts, first dense layers; in DeepSeek latent attention
[[nodiscard]] Model read_deepseek_v2(const JsonReader& config);
[[nodiscard]] Model read_deepseek_v3(const JsonReader& config);
[[nodiscard]] Model read_glm4_moe(const JsonReader& config);

} // namespace decodesim::hf
