#include "sim/data_files.hpp"
#include "sim/temporary_folder.hpp"
#include "tests/unit/model_file.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace decodesim {
namespace {

const std::string supported =
    "supported: BloomForCausalLM, BloomModel, ChatGLMModel, ChatGLMForConditionalGeneration, "
    "CohereForCausalLM, Cohere2ForCausalLM, DeepseekV2ForCausalLM, DeepseekV3ForCausalLM, "
    "FalconForCausalLM, "
    "GemmaForCausalLM, Gemma2ForCausalLM, Gemma3ForCausalLM, GlmForCausalLM, Glm4ForCausalLM, "
    "Glm4MoeForCausalLM, "
    "GPT2LMHeadModel, GPTNeoXForCausalLM, GptOssForCausalLM, LlamaForCausalLM, "
    "MistralForCausalLM, MixtralForCausalLM, OPTForCausalLM, Phi3ForCausalLM, Qwen2ForCausalLM, "
    "Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLTextModel, Qwen2MoeForCausalLM, "
    "Qwen2VLForConditionalGeneration, Qwen2VLTextModel, Qwen3ForCausalLM, Qwen3MoeForCausalLM, "
    "Qwen3VLMoeTextModel, Qwen3VLTextModel";

TEST(ModelFile, IsNamedAfterItsFolderOrItself) {
  EXPECT_EQ(load_model(published("qwen3-8b")).name, "qwen3-8b");
  EXPECT_EQ(load_model(published("qwen3-8b") / "config.json").name, "qwen3-8b");
  EXPECT_EQ(load_model(published("qwen3-8b") / "").name, "qwen3-8b");
  const InputFile file{llama_with(""), "tiny.v2.json"};
  EXPECT_EQ(load_model(file.path()).name, "tiny.v2");
}

TEST(ModelFile, WithoutAStatedSourceIsItsOwn) {
  const InputFile file{llama_with("")};
  const auto path = file.path();
  EXPECT_EQ(load_model(path).source, path.string());
}

TEST(ModelFile, IsFoundByPathOfFileOrFolder) {
  const auto folder = published("gpt2");
  EXPECT_EQ(find_model(folder.string(), "--model"), load_model(folder));
  EXPECT_EQ(find_model((folder / "config.json").string(), "--model"), load_model(folder));
}

TEST(ModelFile, WithoutArchitecturesGoesByItsModelType) {
  const auto model = model_from(
      R"({"model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
          "num_hidden_layers": 2, "num_attention_heads": 8, "vocab_size": 100})");
  EXPECT_EQ(model.architecture, "LlamaForCausalLM");
  EXPECT_EQ(model.layers, 2);
}

TEST(ModelFile, MeansWhatTransformersMeansByAnAbsentKey) {
  const std::string sizes =
      R"("hidden_size": 4096, "intermediate_size": 128, "num_hidden_layers": 2,
         "num_attention_heads": 64, "vocab_size": 100})";
  // LlamaConfig: as many KV heads as heads; 4096 / 64.
  const auto llama = model_from(R"({"model_type": "llama", )" + sizes);
  EXPECT_EQ(llama.kv_heads, 64);
  EXPECT_EQ(llama.head_size, 64);
  EXPECT_FALSE(llama.tied_embeddings);
  EXPECT_EQ(llama.max_positions, 0);
  // MistralConfig: 8 KV heads.
  const auto mistral = model_from(R"({"model_type": "mistral", )" + sizes);
  EXPECT_EQ(mistral.kv_heads, 8);
  EXPECT_FALSE(mistral.qkv_bias);
  // Qwen2Config: 32 KV heads; the QKV bias is not configurable.
  const auto qwen2 = model_from(R"({"model_type": "qwen2", )" + sizes);
  EXPECT_EQ(qwen2.kv_heads, 32);
  EXPECT_EQ(qwen2.head_size, 64);
  EXPECT_TRUE(qwen2.qkv_bias);
  EXPECT_FALSE(qwen2.attention_output_bias);
  // Qwen3Config: 32 KV heads of 128, not 4096 / 64.
  const auto qwen3 = model_from(R"({"model_type": "qwen3", )" + sizes);
  EXPECT_EQ(qwen3.kv_heads, 32);
  EXPECT_EQ(qwen3.head_size, 128);
  EXPECT_TRUE(qwen3.qk_norm);
  EXPECT_FALSE(qwen3.qkv_bias);
}

TEST(ModelFile, TakesNullForAKeyThatFollowsFromOthers) {
  const auto model = model_from(llama_with(
      R"("num_key_value_heads": null, "head_dim": null, "quantization_config": null,
         "num_experts": null, "tie_word_embeddings": null)"));
  EXPECT_EQ(model.kv_heads, 8);
  EXPECT_EQ(model.head_size, 8);
}

TEST(ModelFile, MayStateAHeadSizeThatDoesNotShareOutTheHiddenSize) {
  const auto model = model_from(llama_with(R"("head_dim": 20, "num_key_value_heads": 2)"));
  EXPECT_EQ(model.query_size(), 160);
  EXPECT_EQ(model.kv_size(), 40);
}

TEST(ModelFile, OfGpt2MayStateTheWidthOfItsFeedForwardNetwork) {
  const std::string sizes =
      R"("n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 32, "vocab_size": 100)";
  EXPECT_EQ(model_from(R"({"model_type": "gpt2", "n_inner": null, )" + sizes + "}").ffn_size, 256);
  EXPECT_EQ(model_from(R"({"model_type": "gpt2", "n_inner": 100, )" + sizes + "}").ffn_size, 100);
}

TEST(ModelFile, OfGpt2MayNameItsPositionsTheOldWay) {
  const std::string sizes = R"("n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 100)";
  EXPECT_EQ(model_from(R"({"model_type": "gpt2", "n_ctx": 32, )" + sizes + "}").max_positions, 32);
  // transformers builds its position table from n_positions.
  EXPECT_EQ(model_from(R"({"model_type": "gpt2", "n_ctx": 32, "n_positions": 64, )" + sizes + "}")
                .max_positions,
            64);
  EXPECT_EQ(refusal_of(R"({"model_type": "gpt2", )" + sizes + "}"),
            "config.json: /: has no \"n_positions\" or \"max_position_embeddings\"; it is "
            "required");
}

TEST(ModelName, ThatIsUnknownListsThePresetsAndThePathForm) {
  std::string known;
  for (const auto& name : data_file_names(DataKind::model)) {
    known += (known.empty() ? "" : ", ") + name;
  }
  EXPECT_EQ(message_of([] { (void)find_model("llama-3-70", "--model"); }),
            "--model: model \"llama-3-70\" is unknown; did you mean \"llama-3-70b\"? known: " +
                known + "; the path of a config.json or of its folder works too");
}

TEST(ModelName, ThatIsEmptyIsUnknown) {
  EXPECT_TRUE(message_of([] {
                (void)find_model("", "--model");
              }).starts_with("--model: model \"\" is unknown; known: bloom-176b, "));
}

TEST(BadModelFile, MustExist) {
  const TemporaryFolder folder;
  const auto path = (folder / "absent.json").string();
  EXPECT_EQ(message_of([&] { (void)load_model(path); }),
            path + ": cannot be read; give a file that exists");
}

TEST(BadModelFile, MustBeInTheFolder) {
  const TemporaryFolder folder;
  const auto path = folder.path().string();
  EXPECT_EQ(message_of([&] { (void)load_model(path); }),
            path + ": has no config.json; give a config.json of Hugging Face or the folder that "
                   "holds one");
}

TEST(BadModelFile, MustBeJson) {
  // Python writes NaN, which JSON has not; it stands at the 17th character.
  EXPECT_TRUE(refusal_of(R"({"hidden_size": NaN})")
                  .starts_with("config.json: is not valid JSON at line 1, column 17"));
}

TEST(BadModelFile, MustDescribeAModel) {
  const std::string message =
      "config.json: is not a model configuration (neither \"architectures\" nor \"model_type\" is "
      "there); give a config.json as Hugging Face publishes it";
  EXPECT_EQ(refusal_of("[1, 2]"), message);
  EXPECT_EQ(refusal_of("{}"), message);
  EXPECT_EQ(refusal_of(R"({"bos_token_id": 1, "eos_token_id": 2})"), message);
  EXPECT_EQ(refusal_of(R"({"architectures": []})"), message);
  EXPECT_EQ(refusal_of(R"({"architectures": null, "model_type": null})"), message);
}

TEST(BadModelFile, MustNameASupportedArchitecture) {
  EXPECT_EQ(refusal_of(R"({"architectures": ["MyForCausalLM"], "model_type": "my"})"),
            "config.json: /architectures/0: architecture \"MyForCausalLM\" is not supported; " +
                supported);
  EXPECT_EQ(refusal_of(R"({"model_type": "gptj"})"),
            "config.json: /model_type: model type \"gptj\" is not supported; " + supported);
}

TEST(BadModelFile, MustNameItsArchitectureInAListOfStrings) {
  EXPECT_EQ(refusal_of(R"({"architectures": "LlamaForCausalLM"})"),
            "config.json: /architectures: is a string; an array is expected");
  EXPECT_EQ(refusal_of(R"({"architectures": [7]})"),
            "config.json: /architectures/0: is 7; a string is expected");
}

TEST(BadModelFile, MustNotNameAnotherModelTypeThanItsArchitecture) {
  EXPECT_EQ(refusal_of(llama_with(R"("model_type": "mistral")")),
            "config.json: /model_type: is \"mistral\"; \"llama\" is expected for "
            "LlamaForCausalLM");
}

TEST(BadModelFile, MustNotSpeakOfExpertsInADenseClass) {
  EXPECT_EQ(refusal_of(llama_with(R"("num_experts": 8)")),
            "config.json: /num_experts: is 8; LlamaForCausalLM has no experts");
  EXPECT_EQ(model_from(llama_with(R"("num_experts": 0)")).layers, 2);
}

TEST(BadModelFile, MustHaveEverySize) {
  for (const std::string key : {"hidden_size",
                                "intermediate_size",
                                "num_hidden_layers",
                                "num_attention_heads",
                                "vocab_size"}) {
    EXPECT_EQ(refusal_of(llama_where(key, "")),
              "config.json: /: has no \"" + key + "\"; it is required");
  }
  EXPECT_EQ(refusal_of(R"({"model_type": "bloom", "vocab_size": 10, "n_head": 2})"),
            "config.json: /: has no \"hidden_size\" or \"n_embed\"; it is required");
}

TEST(BadModelFile, MustHaveSizesThatAModelCanHave) {
  const std::string layers = "; a whole number from 1 to 10000 is expected";
  const std::string where = "config.json: /num_hidden_layers: is ";
  EXPECT_EQ(refusal_of(llama_where("num_hidden_layers", "0")), where + "0" + layers);
  EXPECT_EQ(refusal_of(llama_where("num_hidden_layers", "-3")), where + "-3" + layers);
  EXPECT_EQ(refusal_of(llama_where("num_hidden_layers", "1000001")), where + "1000001" + layers);
  EXPECT_EQ(refusal_of(llama_where("num_hidden_layers", "99999999999999999999")),
            where + "1e+20" + layers);
  EXPECT_EQ(refusal_of(llama_where("num_hidden_layers", "2.5")), where + "2.5" + layers);
  EXPECT_EQ(refusal_of(llama_where("num_hidden_layers", "\"2\"")), where + "\"2\"" + layers);
  EXPECT_EQ(refusal_of(llama_where("num_hidden_layers", "true")), where + "true" + layers);
  EXPECT_EQ(refusal_of(llama_where("hidden_size", "1000008")),
            "config.json: /hidden_size: is 1000008; a whole number from 1 to 1000000 is expected");
  EXPECT_EQ(refusal_of(llama_where("num_attention_heads", "100001")),
            "config.json: /num_attention_heads: is 100001; a whole number from 1 to 100000 is "
            "expected");
  EXPECT_EQ(refusal_of(llama_where("intermediate_size", "10000001")),
            "config.json: /intermediate_size: is 10000001; a whole number from 1 to 10000000 is "
            "expected");
  EXPECT_EQ(refusal_of(llama_where("vocab_size", "100000001")),
            "config.json: /vocab_size: is 100000001; a whole number from 1 to 100000000 is "
            "expected");
  EXPECT_EQ(refusal_of(llama_with(R"("max_position_embeddings": 2147483648)")),
            "config.json: /max_position_embeddings: is 2147483648; a whole number from 1 to "
            "2147483647 is expected");
  // 8 heads may be 10,000,000 / 8 wide each.
  EXPECT_EQ(refusal_of(llama_with(R"("head_dim": 1250001)")),
            "config.json: /head_dim: is 1250001; a whole number from 1 to 1250000 is expected");
}

TEST(BadModelFile, MustShareOutItsHiddenSizeWithoutAHeadSize) {
  EXPECT_EQ(refusal_of(llama_where("hidden_size", "60")),
            "config.json: /hidden_size: is 60; without \"head_dim\" a multiple of "
            "num_attention_heads (8) is expected");
  EXPECT_EQ(refusal_of(R"({"model_type": "gpt2", "n_embd": 10, "n_layer": 2, "n_head": 4,
                           "n_positions": 8, "vocab_size": 100})"),
            "config.json: /n_embd: is 10; a multiple of n_head (4) is expected");
}

TEST(BadModelFile, MustHaveKvHeadsThatDivideTheHeads) {
  const std::string allowed = "; a divisor of num_attention_heads (8) is expected";
  EXPECT_EQ(refusal_of(llama_with(R"("num_key_value_heads": 3)")),
            "config.json: /num_key_value_heads: is 3" + allowed);
  EXPECT_EQ(refusal_of(llama_with(R"("num_key_value_heads": 16)")),
            "config.json: /num_key_value_heads: is 16" + allowed);
  // MistralConfig has 8 KV heads by default.
  EXPECT_EQ(refusal_of(R"({"model_type": "mistral", "hidden_size": 60, "intermediate_size": 128,
                           "num_hidden_layers": 2, "num_attention_heads": 12, "vocab_size": 100})"),
            "config.json: /: has no \"num_key_value_heads\"; its default of 8 does not divide "
            "num_attention_heads (12)");
}

TEST(BadModelFile, MustNotSayTwoValuesForOneSize) {
  EXPECT_EQ(refusal_of(R"({"model_type": "bloom", "hidden_size": 64, "n_embed": 128, "n_layer": 2,
                           "n_head": 4, "vocab_size": 100})"),
            "config.json: /n_embed: is 128; hidden_size says 64 for the same size");
  // Saying it twice is harmless.
  EXPECT_EQ(model_from(R"({"model_type": "bloom", "hidden_size": 64, "n_embed": 64, "n_layer": 2,
                         "n_head": 4, "vocab_size": 100})")
                .hidden_size,
            64);
}

TEST(BadModelFile, MustHaveTrueOrFalseForAFlag) {
  EXPECT_EQ(refusal_of(llama_with(R"("tie_word_embeddings": "yes")")),
            "config.json: /tie_word_embeddings: is \"yes\"; true or false is expected");
}

TEST(BadModelFile, MustNotHaveCrossAttention) {
  EXPECT_EQ(refusal_of(R"({"model_type": "gpt2", "add_cross_attention": true})"),
            "config.json: /add_cross_attention: is true; only decoders without cross-attention "
            "are modelled");
}

TEST(BadModelFile, MustStateItsSourceInWords) {
  EXPECT_EQ(refusal_of(llama_with(R"("_source": 5)")),
            "config.json: /_source: is 5; a string is expected");
}

} // namespace
} // namespace decodesim
