#include "sim/data_files.hpp"
#include "sim/error.hpp"
#include "sim/model/hf_config.hpp"
#include "sim/model/parameters.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace decodesim {
namespace {

namespace fs = std::filesystem;

template <class Action> std::string message_of(Action action) {
  try {
    action();
  } catch (const InputError& problem) {
    return problem.what();
  }
  return "no InputError";
}

fs::path published(const std::string& name) {
  return fs::path{DECODESIM_TEST_DATA} / "models" / name;
}

Model preset(const std::string& name) { return find_model(name, "--model"); }

/// A folder of this process alone (every test runs in its own), removed at its end.
const fs::path& own_folder() {
  struct Folder {
    fs::path path = fs::path{testing::TempDir()} / ("decodesim-model-" + std::to_string(getpid()));

    Folder() { fs::create_directories(path); }

    ~Folder() {
      std::error_code ignored;
      fs::remove_all(path, ignored);
    }
  };

  static const Folder folder;
  return folder.path;
}

fs::path written(const std::string& text, const std::string& file_name = "config.json") {
  auto path = own_folder() / file_name;
  std::ofstream{path} << text;
  return path;
}

Model model_of(const std::string& text) { return load_model(written(text)); }

/// Message about a config.json of that text, the folder left out.
std::string problem_of(const std::string& text) {
  const auto path = written(text);
  auto message = message_of([&] { (void)load_model(path); });
  const auto prefix = path.parent_path().string() + "/";
  return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
}

/// A small Llama with the size `key` written as `value` (left out when that is empty), and more
/// keys.
std::string
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

std::string llama_with(const std::string& more) { return llama_where({}, {}, more); }

const std::string supported =
    "supported: BloomForCausalLM, BloomModel, ChatGLMModel, ChatGLMForConditionalGeneration, "
    "CohereForCausalLM, DeepseekV2ForCausalLM, DeepseekV3ForCausalLM, FalconForCausalLM, "
    "GemmaForCausalLM, Gemma2ForCausalLM, Gemma3ForCausalLM, GlmForCausalLM, Glm4ForCausalLM, "
    "GPT2LMHeadModel, GPTNeoXForCausalLM, GptOssForCausalLM, LlamaForCausalLM, "
    "MistralForCausalLM, MixtralForCausalLM, OPTForCausalLM, Phi3ForCausalLM, Qwen2ForCausalLM, "
    "Qwen2MoeForCausalLM, Qwen3ForCausalLM, Qwen3MoeForCausalLM";

// Published counts: elements of all tensors of the checkpoint, as its page on Hugging Face states.

TEST(ParameterCount, OfLlama2EqualsThePublished) {
  // 7B: 2 x 32000 x 4096 + 32 (4 x 4096^2 + 3 x 4096 x 11008 + 2 x 4096) + 4096.
  EXPECT_EQ(total_parameters(preset("llama-2-7b")), 6'738'415'616);
  // 13B: 2 x 32000 x 5120 + 40 (4 x 5120^2 + 3 x 5120 x 13824 + 2 x 5120) + 5120.
  EXPECT_EQ(total_parameters(preset("llama-2-13b")), 13'015'864'320);
  // 70B: 2 x 32000 x 8192 + 80 (2 x 8192 x 9216 + 3 x 8192 x 28672 + 2 x 8192) + 8192.
  EXPECT_EQ(total_parameters(preset("llama-2-70b")), 68'976'648'192);
}

TEST(ParameterCount, OfLlama3EqualsThePublished) {
  // 8B: 2 x 128256 x 4096 + 32 (2 x 4096 x 5120 + 3 x 4096 x 14336 + 2 x 4096) + 4096.
  EXPECT_EQ(total_parameters(preset("llama-3-8b")), 8'030'261'248);
  // 70B: 2 x 128256 x 8192 + 80 (2 x 8192 x 9216 + 3 x 8192 x 28672 + 2 x 8192) + 8192.
  EXPECT_EQ(total_parameters(preset("llama-3-70b")), 70'553'706'496);
  // 405B: 2 x 128256 x 16384 + 126 (2 x 16384 x 17408 + 3 x 16384 x 53248 + 2 x 16384) + 16384.
  EXPECT_EQ(total_parameters(preset("llama-3.1-405b")), 405'853'388'800);
}

TEST(ParameterCount, OfBloomEqualsThePublished) {
  // Token table 250880 x 14336 (tied, so once), its norm and the final one 2 x 2 x 14336; a layer
  // of 12 h^2 weights, 9 h biases (3 h QKV, h output, 4 h + h feed-forward) and 4 h of two norms.
  EXPECT_EQ(total_parameters(preset("bloom-176b")), 176'247'271'424);
  // 560M in the other key names: 250880 x 1024 + 24 (12 x 1024^2 + 13 x 1024) + 4 x 1024.
  EXPECT_EQ(total_parameters(model_of(R"({"architectures": ["BloomModel"], "n_embed": 1024,
                                          "n_layer": 24, "num_attention_heads": 16,
                                          "seq_length": 2048, "vocab_size": 250880})")),
            559'214'592);
}

TEST(ParameterCount, OfGpt2EqualsThePublished) {
  // 50257 x 768 + 1024 x 768 + 12 (12 x 768^2 + 13 x 768) + 2 x 768.
  EXPECT_EQ(total_parameters(load_model(published("gpt2"))), 124'439'808);
}

TEST(ParameterCount, OfMistralEqualsThePublished) {
  // 2 x 32000 x 4096 + 32 (2 x 4096 x 5120 + 3 x 4096 x 14336 + 2 x 4096) + 4096.
  EXPECT_EQ(total_parameters(load_model(published("mistral-7b-v0.1"))), 7'241'732'096);
}

TEST(ParameterCount, OfQwenEqualsThePublished) {
  // Qwen2-7B: 2 x 152064 x 3584
  //   + 28 (2 x 3584 x 4096 + 4608 of QKV bias + 3 x 3584 x 18944 + 2 x 3584) + 3584.
  EXPECT_EQ(total_parameters(load_model(published("qwen2-7b"))), 7'615'616'512);
  // Qwen3-8B: 2 x 151936 x 4096
  //   + 36 (2 x 4096 x 5120 + 2 x 128 of QK norm + 3 x 4096 x 12288 + 2 x 4096) + 4096.
  EXPECT_EQ(total_parameters(load_model(published("qwen3-8b"))), 8'190'735'360);
}

TEST(ParameterCount, OfOneLayerSplitsIntoMatricesAndNorms) {
  const auto model = preset("llama-3-70b");
  // 8192 x (8192 + 2 x 1024) of QKV + 8192 x 8192 of output.
  EXPECT_EQ(attention_parameters(model).linear, 150'994'944);
  EXPECT_EQ(attention_parameters(model).other, 8192);
  // 3 x 8192 x 28672.
  EXPECT_EQ(ffn_parameters(model, 0).linear, 704'643'072);
  EXPECT_EQ(ffn_parameters(model, 0).other, 8192);
  EXPECT_EQ(layer_parameters(model, 0).total(), 855'654'400);
}

TEST(ParameterCount, CountsTheBiasesOfABiasedLayer) {
  const auto model = load_model(published("gpt2"));
  // A norm 2 x 768; QKV bias 3 x 768, output bias 768.
  EXPECT_EQ(attention_parameters(model).other, 6 * 768);
  // A norm 2 x 768; bias 3072 into and 768 out of the feed-forward network.
  EXPECT_EQ(ffn_parameters(model, 0).other, 7 * 768);
}

TEST(ParameterCount, CountsTheBiasOfAllThreeGatedMatrices) {
  const auto model = model_of(llama_with(R"("attention_bias": true, "mlp_bias": true)"));
  // Norm 64; biases of Q, K, V (8 heads of 8 each) and output.
  EXPECT_EQ(attention_parameters(model).other, 5 * 64);
  // Norm 64; biases 128 (gate), 128 (up), 64 (down).
  EXPECT_EQ(ffn_parameters(model, 0).other, 64 + 128 + 128 + 64);
}

TEST(ParameterCount, CountsATiedHeadOnceAndAnOwnOneTwice) {
  const auto own = model_of(llama_with(R"("tie_word_embeddings": false)"));
  const auto tied = model_of(llama_with(R"("tie_word_embeddings": true)"));
  // 100 x 64 elements.
  EXPECT_EQ(total_parameters(own) - total_parameters(tied), 6400);
  EXPECT_EQ(head_parameters(tied), 6400);
}

TEST(KvCache, OfATokenEqualsThePublishedShapes) {
  const auto bytes = [](const char* name) {
    const auto model = preset(name);
    return model.layers * kv_bytes_per_token_per_layer(model, DataType::bf16).value();
  };
  // 2 x layers x KV heads x 128 x 2 bytes.
  EXPECT_DOUBLE_EQ(bytes("llama-2-7b"), 2 * 32 * 32 * 128 * 2);
  EXPECT_DOUBLE_EQ(bytes("llama-3-8b"), 2 * 32 * 8 * 128 * 2);
  EXPECT_DOUBLE_EQ(bytes("llama-3-70b"), 327'680);
  EXPECT_DOUBLE_EQ(bytes("llama-3.1-405b"), 2 * 126 * 8 * 128 * 2);
  EXPECT_DOUBLE_EQ(bytes("bloom-176b"), 2 * 70 * 112 * 128 * 2);
  // Half of it in fp8.
  const auto model = preset("llama-3-70b");
  EXPECT_DOUBLE_EQ(80 * kv_bytes_per_token_per_layer(model, DataType::fp8).value(), 163'840);
}

TEST(DataTypes, TakeTheirBytesScalesIncluded) {
  EXPECT_DOUBLE_EQ(element_bytes(DataType::fp32).value(), 4.0);
  EXPECT_DOUBLE_EQ(element_bytes(DataType::bf16).value(), 2.0);
  EXPECT_DOUBLE_EQ(element_bytes(DataType::fp16).value(), 2.0);
  EXPECT_DOUBLE_EQ(element_bytes(DataType::fp8).value(), 1.0);
  EXPECT_DOUBLE_EQ(element_bytes(DataType::int8).value(), 1.0);
  // A 16-bit scale for each 128 weights: (4 + 16/128) / 8.
  EXPECT_DOUBLE_EQ(element_bytes(DataType::int4).value(), 0.515625);
  EXPECT_DOUBLE_EQ(element_bytes(DataType::int4_g64).value(), 0.53125);
  EXPECT_DOUBLE_EQ(element_bytes(DataType::int4_g32).value(), 0.5625);
  // An 8-bit scale for each 32 weights: 4.25 bits.
  EXPECT_DOUBLE_EQ(element_bytes(DataType::mxfp4).value(), 0.53125);
}

TEST(DataTypes, AreReadByTheNameTheyAreWrittenBy) {
  for (const auto& name : data_type_names()) {
    EXPECT_EQ(to_string(data_type_named(name, "--dtype")), name);
  }
  EXPECT_EQ(message_of([] { (void)data_type_named("bf8", "--dtype"); }),
            "--dtype: data type \"bf8\" is unknown; did you mean \"bf16\"? known: fp32, bf16, "
            "fp16, fp8, int8, int4, int4_g64, int4_g32, mxfp4");
}

TEST(WeightBytes, QuantiseMatricesAndLeaveNormsInSixteenBits) {
  const auto layer = layer_parameters(preset("llama-3-70b"), 0);
  EXPECT_DOUBLE_EQ(weight_bytes(layer, {.weights = DataType::bf16}).value(), 2.0 * 855'654'400);
  // 855,638,016 matrix elements of 0.515625 bytes and 16,384 norm elements of 2.
  EXPECT_DOUBLE_EQ(weight_bytes(layer, {.weights = DataType::int4}).value(),
                   855'638'016 * 0.515625 + 16'384 * 2.0);
}

TEST(WeightBytes, KeepActivationsInTheWeightTypeUnlessItIsQuantised) {
  EXPECT_EQ((Precision{.weights = DataType::fp16}).activations(), DataType::fp16);
  EXPECT_EQ((Precision{.weights = DataType::fp32}).activations(), DataType::fp32);
  EXPECT_EQ((Precision{.weights = DataType::fp8}).activations(), DataType::bf16);
  EXPECT_EQ((Precision{.weights = DataType::int4}).activations(), DataType::bf16);
}

TEST(ModelPreset, IsNamedAfterItselfAndSaysItsSource) {
  for (const auto& name : data_file_names(DataKind::model)) {
    const auto model = preset(name);
    EXPECT_EQ(model.name, name);
    EXPECT_NE(model.source.find("arXiv:"), std::string::npos) << name;
  }
}

TEST(ModelPreset, StatesTheContextItWasPublishedFor) {
  EXPECT_EQ(preset("llama-2-70b").max_positions, 4096);
  EXPECT_EQ(preset("llama-3-70b").max_positions, 8192);
  EXPECT_EQ(preset("llama-3.1-405b").max_positions, 131'072);
  // ALiBi has no longest position, and the published file states none.
  EXPECT_EQ(preset("bloom-176b").max_positions, 0);
}

TEST(ModelPreset, HasEveryFieldOfItsFamily) {
  const auto llama = preset("llama-3-70b");
  EXPECT_EQ(llama.architecture, "LlamaForCausalLM");
  EXPECT_EQ(llama.layers, 80);
  EXPECT_EQ(llama.hidden_size, 8192);
  EXPECT_EQ(llama.heads, 64);
  EXPECT_EQ(llama.kv_heads, 8);
  EXPECT_EQ(llama.head_size, 128);
  EXPECT_EQ(llama.ffn_size, 28'672);
  EXPECT_EQ(llama.vocabulary_size, 128'256);
  EXPECT_TRUE(llama.gated_ffn);
  EXPECT_EQ(llama.norm, NormKind::rms_norm);
  EXPECT_EQ(llama.position, PositionKind::rotary);
  EXPECT_FALSE(llama.tied_embeddings || llama.embedding_norm || llama.qk_norm || llama.qkv_bias ||
               llama.attention_output_bias || llama.ffn_bias);

  const auto bloom = preset("bloom-176b");
  EXPECT_EQ(bloom.architecture, "BloomForCausalLM");
  EXPECT_EQ(bloom.layers, 70);
  EXPECT_EQ(bloom.kv_heads, 112);
  EXPECT_EQ(bloom.head_size, 128);
  EXPECT_EQ(bloom.ffn_size, 57'344);
  EXPECT_EQ(bloom.norm, NormKind::layer_norm);
  EXPECT_EQ(bloom.position, PositionKind::alibi);
  EXPECT_FALSE(bloom.gated_ffn || bloom.qk_norm);
  EXPECT_TRUE(bloom.tied_embeddings && bloom.embedding_norm && bloom.qkv_bias &&
              bloom.attention_output_bias && bloom.ffn_bias);
}

TEST(ModelFile, IsNamedAfterItsFolderOrItself) {
  EXPECT_EQ(load_model(published("qwen3-8b")).name, "qwen3-8b");
  EXPECT_EQ(load_model(published("qwen3-8b") / "config.json").name, "qwen3-8b");
  EXPECT_EQ(load_model(published("qwen3-8b") / "").name, "qwen3-8b");
  EXPECT_EQ(load_model(written(llama_with(""), "tiny.v2.json")).name, "tiny.v2");
}

TEST(ModelFile, WithoutAStatedSourceIsItsOwn) {
  const auto path = written(llama_with(""));
  EXPECT_EQ(load_model(path).source, path.string());
}

TEST(ModelFile, IsFoundByPathOfFileOrFolder) {
  const auto folder = published("gpt2");
  EXPECT_EQ(find_model(folder.string(), "--model"), load_model(folder));
  EXPECT_EQ(find_model((folder / "config.json").string(), "--model"), load_model(folder));
}

TEST(ModelFile, WithoutArchitecturesGoesByItsModelType) {
  const auto model = model_of(
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
  const auto llama = model_of(R"({"model_type": "llama", )" + sizes);
  EXPECT_EQ(llama.kv_heads, 64);
  EXPECT_EQ(llama.head_size, 64);
  EXPECT_FALSE(llama.tied_embeddings);
  EXPECT_EQ(llama.max_positions, 0);
  // MistralConfig: 8 KV heads.
  const auto mistral = model_of(R"({"model_type": "mistral", )" + sizes);
  EXPECT_EQ(mistral.kv_heads, 8);
  EXPECT_FALSE(mistral.qkv_bias);
  // Qwen2Config: 32 KV heads; the QKV bias is not configurable.
  const auto qwen2 = model_of(R"({"model_type": "qwen2", )" + sizes);
  EXPECT_EQ(qwen2.kv_heads, 32);
  EXPECT_EQ(qwen2.head_size, 64);
  EXPECT_TRUE(qwen2.qkv_bias);
  EXPECT_FALSE(qwen2.attention_output_bias);
  // Qwen3Config: 32 KV heads of 128, not 4096 / 64.
  const auto qwen3 = model_of(R"({"model_type": "qwen3", )" + sizes);
  EXPECT_EQ(qwen3.kv_heads, 32);
  EXPECT_EQ(qwen3.head_size, 128);
  EXPECT_TRUE(qwen3.qk_norm);
  EXPECT_FALSE(qwen3.qkv_bias);
}

TEST(ModelFile, TakesNullForAKeyThatFollowsFromOthers) {
  const auto model = model_of(llama_with(
      R"("num_key_value_heads": null, "head_dim": null, "quantization_config": null,
         "num_experts": null, "tie_word_embeddings": null)"));
  EXPECT_EQ(model.kv_heads, 8);
  EXPECT_EQ(model.head_size, 8);
}

TEST(ModelFile, MayStateAHeadSizeThatDoesNotShareOutTheHiddenSize) {
  const auto model = model_of(llama_with(R"("head_dim": 20, "num_key_value_heads": 2)"));
  EXPECT_EQ(model.query_size(), 160);
  EXPECT_EQ(model.kv_size(), 40);
}

TEST(ModelFile, OfGpt2MayStateTheWidthOfItsFeedForwardNetwork) {
  const std::string sizes =
      R"("n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 32, "vocab_size": 100)";
  EXPECT_EQ(model_of(R"({"model_type": "gpt2", "n_inner": null, )" + sizes + "}").ffn_size, 256);
  EXPECT_EQ(model_of(R"({"model_type": "gpt2", "n_inner": 100, )" + sizes + "}").ffn_size, 100);
}

TEST(ModelFile, OfGpt2MayNameItsPositionsTheOldWay) {
  const std::string sizes = R"("n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 100)";
  EXPECT_EQ(model_of(R"({"model_type": "gpt2", "n_ctx": 32, )" + sizes + "}").max_positions, 32);
  // transformers builds its position table from n_positions.
  EXPECT_EQ(model_of(R"({"model_type": "gpt2", "n_ctx": 32, "n_positions": 64, )" + sizes + "}")
                .max_positions,
            64);
  EXPECT_EQ(problem_of(R"({"model_type": "gpt2", )" + sizes + "}"),
            "config.json: /: has no \"n_positions\" or \"max_position_embeddings\"; it is "
            "required");
}

TEST(ModelName, ThatIsUnknownListsThePresetsAndThePathForm) {
  EXPECT_EQ(message_of([] { (void)find_model("llama-3-70", "--model"); }),
            "--model: model \"llama-3-70\" is unknown; did you mean \"llama-3-70b\"? known: "
            "bloom-176b, deepseek-v3, gpt-oss-120b, gpt3-175b, llama-2-13b, llama-2-70b, "
            "llama-2-7b, llama-3-70b, llama-3-8b, "
            "llama-3.1-405b, mixtral-8x22b, mixtral-8x7b, mt-nlg-530b, qwen3-30b-a3b; the path of "
            "a config.json or of its folder works too");
}

TEST(ModelName, ThatIsEmptyIsUnknown) {
  EXPECT_TRUE(message_of([] {
                (void)find_model("", "--model");
              }).starts_with("--model: model \"\" is unknown; known: bloom-176b, "));
}

TEST(BadModelFile, MustExist) {
  const auto path = (own_folder() / "absent.json").string();
  EXPECT_EQ(message_of([&] { (void)load_model(path); }),
            path + ": cannot be read; give a file that exists");
}

TEST(BadModelFile, MustBeInTheFolder) {
  const auto folder = own_folder().string();
  EXPECT_EQ(message_of([&] { (void)load_model(folder); }),
            folder + ": has no config.json; give a config.json of Hugging Face or the folder that "
                     "holds one");
}

TEST(BadModelFile, MustBeJson) {
  // Python writes NaN, which JSON has not; it stands at the 17th character.
  EXPECT_TRUE(problem_of(R"({"hidden_size": NaN})")
                  .starts_with("config.json: is not valid JSON at line 1, column 17"));
}

TEST(BadModelFile, MustDescribeAModel) {
  const std::string message =
      "config.json: is not a model configuration (neither \"architectures\" nor \"model_type\" is "
      "there); give a config.json as Hugging Face publishes it";
  EXPECT_EQ(problem_of("[1, 2]"), message);
  EXPECT_EQ(problem_of("{}"), message);
  EXPECT_EQ(problem_of(R"({"bos_token_id": 1, "eos_token_id": 2})"), message);
  EXPECT_EQ(problem_of(R"({"architectures": []})"), message);
  EXPECT_EQ(problem_of(R"({"architectures": null, "model_type": null})"), message);
}

TEST(BadModelFile, MustNameASupportedArchitecture) {
  EXPECT_EQ(problem_of(R"({"architectures": ["MyForCausalLM"], "model_type": "my"})"),
            "config.json: /architectures/0: architecture \"MyForCausalLM\" is not supported; " +
                supported);
  EXPECT_EQ(problem_of(R"({"model_type": "gptj"})"),
            "config.json: /model_type: model type \"gptj\" is not supported; " + supported);
}

TEST(BadModelFile, MustNameItsArchitectureInAListOfStrings) {
  EXPECT_EQ(problem_of(R"({"architectures": "LlamaForCausalLM"})"),
            "config.json: /architectures: is a string; an array is expected");
  EXPECT_EQ(problem_of(R"({"architectures": [7]})"),
            "config.json: /architectures/0: is 7; a string is expected");
}

TEST(BadModelFile, MustNotNameAnotherModelTypeThanItsArchitecture) {
  EXPECT_EQ(problem_of(llama_with(R"("model_type": "mistral")")),
            "config.json: /model_type: is \"mistral\"; \"llama\" is expected for "
            "LlamaForCausalLM");
}

TEST(BadModelFile, MustNotSpeakOfExpertsInADenseClass) {
  EXPECT_EQ(problem_of(llama_with(R"("num_experts": 8)")),
            "config.json: /num_experts: is 8; LlamaForCausalLM has no experts");
  EXPECT_EQ(model_of(llama_with(R"("num_experts": 0)")).layers, 2);
}

TEST(BadModelFile, MustHaveEverySize) {
  for (const std::string key : {"hidden_size",
                                "intermediate_size",
                                "num_hidden_layers",
                                "num_attention_heads",
                                "vocab_size"}) {
    EXPECT_EQ(problem_of(llama_where(key, "")),
              "config.json: /: has no \"" + key + "\"; it is required");
  }
  EXPECT_EQ(problem_of(R"({"model_type": "bloom", "vocab_size": 10, "n_head": 2})"),
            "config.json: /: has no \"hidden_size\" or \"n_embed\"; it is required");
}

TEST(BadModelFile, MustHaveSizesThatAModelCanHave) {
  const std::string layers = "; a whole number from 1 to 10000 is expected";
  const std::string where = "config.json: /num_hidden_layers: is ";
  EXPECT_EQ(problem_of(llama_where("num_hidden_layers", "0")), where + "0" + layers);
  EXPECT_EQ(problem_of(llama_where("num_hidden_layers", "-3")), where + "-3" + layers);
  EXPECT_EQ(problem_of(llama_where("num_hidden_layers", "1000001")), where + "1000001" + layers);
  EXPECT_EQ(problem_of(llama_where("num_hidden_layers", "99999999999999999999")),
            where + "1e+20" + layers);
  EXPECT_EQ(problem_of(llama_where("num_hidden_layers", "2.5")), where + "2.5" + layers);
  EXPECT_EQ(problem_of(llama_where("num_hidden_layers", "\"2\"")), where + "\"2\"" + layers);
  EXPECT_EQ(problem_of(llama_where("num_hidden_layers", "true")), where + "true" + layers);
  EXPECT_EQ(problem_of(llama_where("hidden_size", "1000008")),
            "config.json: /hidden_size: is 1000008; a whole number from 1 to 1000000 is expected");
  EXPECT_EQ(problem_of(llama_where("num_attention_heads", "100001")),
            "config.json: /num_attention_heads: is 100001; a whole number from 1 to 100000 is "
            "expected");
  EXPECT_EQ(problem_of(llama_where("intermediate_size", "10000001")),
            "config.json: /intermediate_size: is 10000001; a whole number from 1 to 10000000 is "
            "expected");
  EXPECT_EQ(problem_of(llama_where("vocab_size", "100000001")),
            "config.json: /vocab_size: is 100000001; a whole number from 1 to 100000000 is "
            "expected");
  EXPECT_EQ(problem_of(llama_with(R"("max_position_embeddings": 2147483648)")),
            "config.json: /max_position_embeddings: is 2147483648; a whole number from 1 to "
            "1073741823 is expected");
  // 8 heads may be 10,000,000 / 8 wide each.
  EXPECT_EQ(problem_of(llama_with(R"("head_dim": 1250001)")),
            "config.json: /head_dim: is 1250001; a whole number from 1 to 1250000 is expected");
}

TEST(BadModelFile, MustShareOutItsHiddenSizeWithoutAHeadSize) {
  EXPECT_EQ(problem_of(llama_where("hidden_size", "60")),
            "config.json: /hidden_size: is 60; without \"head_dim\" a multiple of "
            "num_attention_heads (8) is expected");
  EXPECT_EQ(problem_of(R"({"model_type": "gpt2", "n_embd": 10, "n_layer": 2, "n_head": 4,
                           "n_positions": 8, "vocab_size": 100})"),
            "config.json: /n_embd: is 10; a multiple of n_head (4) is expected");
}

TEST(BadModelFile, MustHaveKvHeadsThatDivideTheHeads) {
  const std::string allowed = "; a divisor of num_attention_heads (8) is expected";
  EXPECT_EQ(problem_of(llama_with(R"("num_key_value_heads": 3)")),
            "config.json: /num_key_value_heads: is 3" + allowed);
  EXPECT_EQ(problem_of(llama_with(R"("num_key_value_heads": 16)")),
            "config.json: /num_key_value_heads: is 16" + allowed);
  // MistralConfig has 8 KV heads by default.
  EXPECT_EQ(problem_of(R"({"model_type": "mistral", "hidden_size": 60, "intermediate_size": 128,
                           "num_hidden_layers": 2, "num_attention_heads": 12, "vocab_size": 100})"),
            "config.json: /: has no \"num_key_value_heads\"; its default of 8 does not divide "
            "num_attention_heads (12)");
}

TEST(BadModelFile, MustNotSayTwoValuesForOneSize) {
  EXPECT_EQ(problem_of(R"({"model_type": "bloom", "hidden_size": 64, "n_embed": 128, "n_layer": 2,
                           "n_head": 4, "vocab_size": 100})"),
            "config.json: /n_embed: is 128; hidden_size says 64 for the same size");
  // Saying it twice is harmless.
  EXPECT_EQ(model_of(R"({"model_type": "bloom", "hidden_size": 64, "n_embed": 64, "n_layer": 2,
                         "n_head": 4, "vocab_size": 100})")
                .hidden_size,
            64);
}

TEST(BadModelFile, MustHaveTrueOrFalseForAFlag) {
  EXPECT_EQ(problem_of(llama_with(R"("tie_word_embeddings": "yes")")),
            "config.json: /tie_word_embeddings: is \"yes\"; true or false is expected");
}

TEST(BadModelFile, MustNotHaveCrossAttention) {
  EXPECT_EQ(problem_of(R"({"model_type": "gpt2", "add_cross_attention": true})"),
            "config.json: /add_cross_attention: is true; only decoders without cross-attention "
            "are modelled");
}

TEST(BadModelFile, MustStateItsSourceInWords) {
  EXPECT_EQ(problem_of(llama_with(R"("_source": 5)")),
            "config.json: /_source: is 5; a string is expected");
}

} // namespace
} // namespace decodesim
