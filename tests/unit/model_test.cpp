#include "sim/data_files.hpp"
#include "sim/error.hpp"
#include "sim/model/parameters.hpp"
#include "tests/unit/model_file.hpp"

#include <gtest/gtest.h>

#include <string>

namespace decodesim {
namespace {

Model preset(const std::string& name) { return find_model(name, "--model"); }

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
  EXPECT_EQ(total_parameters(model_from(R"({"architectures": ["BloomModel"], "n_embed": 1024,
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
  const auto model = model_from(llama_with(R"("attention_bias": true, "mlp_bias": true)"));
  // Norm 64; biases of Q, K, V (8 heads of 8 each) and output.
  EXPECT_EQ(attention_parameters(model).other, 5 * 64);
  // Norm 64; biases 128 (gate), 128 (up), 64 (down).
  EXPECT_EQ(ffn_parameters(model, 0).other, 64 + 128 + 128 + 64);
}

TEST(ParameterCount, CountsATiedHeadOnceAndAnOwnOneTwice) {
  const auto own = model_from(llama_with(R"("tie_word_embeddings": false)"));
  const auto tied = model_from(llama_with(R"("tie_word_embeddings": true)"));
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
  // GGUF: a 16-bit scale for each 32 weights of 4 and 8 bits; 4.85 bits on average.
  EXPECT_DOUBLE_EQ(element_bytes(DataType::q4_0).value(), 0.5625);
  EXPECT_DOUBLE_EQ(element_bytes(DataType::q8_0).value(), 1.0625);
  EXPECT_DOUBLE_EQ(element_bytes(DataType::q4_k_m).value(), 0.60625);
}

TEST(DataTypes, AreReadByTheNameTheyAreWrittenBy) {
  for (const auto& name : data_type_names()) {
    EXPECT_EQ(to_string(data_type_named(name, "--dtype")), name);
  }
  EXPECT_EQ(message_of([] { (void)data_type_named("bf8", "--dtype"); }),
            "--dtype: data type \"bf8\" is unknown; did you mean \"bf16\"? known: fp32, bf16, "
            "fp16, fp8, int8, int4, int4_g64, int4_g32, mxfp4, q4_0, q4_k_m, q8_0");
}

// GGUF files quantise embedding and head too; other quantised files leave them in 16 bits.
TEST(DataTypes, SayWhatTheyQuantise) {
  EXPECT_EQ((Precision{.weights = DataType::q4_k_m}.tables()), DataType::q4_k_m);
  EXPECT_EQ((Precision{.weights = DataType::q4_k_m}.activations()), DataType::bf16);
  EXPECT_EQ((Precision{.weights = DataType::int4}.tables()), DataType::bf16);
  EXPECT_EQ((Precision{.weights = DataType::fp16}.tables()), DataType::fp16);
  EXPECT_EQ(compute_type(DataType::q8_0), DataType::bf16);
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
    // A paper, or the page of those that have none.
    EXPECT_TRUE(model.source.find("arXiv:") != std::string::npos ||
                model.source.find("https://") != std::string::npos)
        << name;
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

} // namespace
} // namespace decodesim
