#include "sim/model/hf_families.hpp"

#include <utility>

namespace decodesim::hf {

const std::vector<Family>& families() {
  static const std::vector<Family> all{
      {"bloom", {"BloomForCausalLM", "BloomModel"}, read_bloom},
      {"chatglm", {"ChatGLMModel", "ChatGLMForConditionalGeneration"}, read_chatglm},
      {"cohere", {"CohereForCausalLM"}, read_cohere},
      {"cohere2", {"Cohere2ForCausalLM"}, read_cohere2},
      {"deepseek_v2", {"DeepseekV2ForCausalLM"}, read_deepseek_v2},
      {"deepseek_v3", {"DeepseekV3ForCausalLM"}, read_deepseek_v3},
      {"falcon", {"FalconForCausalLM"}, read_falcon},
      {"gemma", {"GemmaForCausalLM"}, read_gemma},
      {"gemma2", {"Gemma2ForCausalLM"}, read_gemma2},
      {"gemma3_text", {"Gemma3ForCausalLM"}, read_gemma3},
      {"glm", {"GlmForCausalLM"}, read_glm},
      {"glm4", {"Glm4ForCausalLM"}, read_glm4},
      {"glm4_moe", {"Glm4MoeForCausalLM"}, read_glm4_moe},
      {"gpt2", {"GPT2LMHeadModel"}, read_gpt2},
      {"gpt_neox", {"GPTNeoXForCausalLM"}, read_gpt_neox},
      {"gpt_oss", {"GptOssForCausalLM"}, read_gpt_oss},
      {"kimi_k2", {"DeepseekV3ForCausalLM"}, read_deepseek_v3},
      {"llama", {"LlamaForCausalLM"}, read_llama},
      {"mistral", {"MistralForCausalLM"}, read_mistral},
      {"mixtral", {"MixtralForCausalLM"}, read_mixtral},
      {"opt", {"OPTForCausalLM"}, read_opt},
      {"phi3", {"Phi3ForCausalLM"}, read_phi3},
      {"qwen2", {"Qwen2ForCausalLM"}, read_qwen2},
      // Files of vision models have the language model's keys beside their own, or in a text_config
      // of the "_text" type.
      {"qwen2_5_vl", {"Qwen2_5_VLForConditionalGeneration"}, read_qwen2},
      {"qwen2_5_vl_text", {"Qwen2_5_VLTextModel"}, read_qwen2},
      {"qwen2_moe", {"Qwen2MoeForCausalLM"}, read_qwen2_moe},
      {"qwen2_vl", {"Qwen2VLForConditionalGeneration"}, read_qwen2},
      {"qwen2_vl_text", {"Qwen2VLTextModel"}, read_qwen2},
      {"qwen3", {"Qwen3ForCausalLM"}, read_qwen3},
      {"qwen3_moe", {"Qwen3MoeForCausalLM"}, read_qwen3_moe},
      {"qwen3_vl_moe_text", {"Qwen3VLMoeTextModel"}, read_qwen3_moe},
      {"qwen3_vl_text", {"Qwen3VLTextModel"}, read_qwen3},
  };
  return all;
}

std::string supported_architectures() {
  std::string names = "supported:";
  for (const auto& family : families()) {
    for (const auto& name : family.architectures) {
      if (names.find(" " + name) == std::string::npos) {
        names += (names.back() == ':' ? " " : ", ") + name;
      }
    }
  }
  return names;
}

namespace {

/// Lower case without "_" and "-", so that "XLMRoberta..." and "xlm-roberta" begin alike.
std::string plain(std::string_view name) {
  std::string text;
  for (const char letter : name) {
    if (letter != '_' && letter != '-') {
      text += letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    }
  }
  return text;
}

} // namespace

std::string unmodelled_kind(std::string_view architecture_or_type) {
  static const std::vector<std::pair<const char*, std::vector<const char*>>> kinds{
      {"a state-space or recurrent model, or a hybrid of one",
       {"bamba",
        "falconh1",
        "falconmamba",
        "granitemoehybrid",
        "jamba",
        "kimilinear",
        "lfm2",
        "mamba",
        "minimaxm1",
        "minimaxtext",
        "nemotronh",
        "qwen3next",
        "plamo2",
        "recurrentgemma",
        "rwkv",
        "xlstm",
        "zamba"}},
      {"an encoder", {"albert",     "bert",     "camembert", "clip",     "deberta", "dinov2",
                      "distilbert", "electra",  "ernie",     "flaubert", "funnel",  "longformer",
                      "modernbert", "mpnet",    "nomicbert", "roberta",  "siglip",  "squeezebert",
                      "vit",        "wav2vec2", "xlmroberta"}},
      {"an encoder-decoder",
       {"bart",
        "blenderbot",
        "fsmt",
        "led",
        "m2m100",
        "marian",
        "mbart",
        "mt5",
        "pegasus",
        "prophetnet",
        "speecht5",
        "t5",
        "t5gemma",
        "umt5",
        "whisper"}},
      {"a diffusion model",
       {"autoencoder",
        "dit",
        "dream",
        "flux",
        "llada",
        "pixart",
        "sd3",
        "stablediffusion",
        "transformer2d",
        "unet"}},
  };
  const auto name = plain(architecture_or_type);
  for (const auto& [kind, beginnings] : kinds) {
    for (const std::string_view beginning : beginnings) {
      if (name.starts_with(beginning)) {
        return kind;
      }
    }
  }
  return {};
}

} // namespace decodesim::hf
