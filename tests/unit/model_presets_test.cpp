#include "sim/data_files.hpp"
#include "sim/model/hf_config.hpp"
#include "sim/model/parameters.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

namespace decodesim {
namespace {

Model preset(const std::string& name) { return find_model(name, "--model"); }

/// Parameters of every preset: all of them, and the published count (docs/models/transformer.md).
struct Expected {
  std::int64_t parameters;
  double published;
};

const std::map<std::string, Expected>& expected() {
  static const std::map<std::string, Expected> counts{
      {"bloom-176b", {176'247'271'424, 176.25e9}},
      {"bloom-7b1", {7'069'016'064, 7.069e9}},
      {"codellama-34b", {33'743'970'304, 33.74e9}},
      {"deepseek-v2", {235'741'434'880, 235.74e9}},
      {"deepseek-v2-lite", {15'706'484'224, 15.71e9}},
      {"deepseek-v3", {671'026'419'200, 671e9}},
      {"falcon-180b", {178'557'088'768, 178.5e9}},
      {"falcon-40b", {41'303'293'952, 41.3e9}},
      {"falcon-7b", {6'921'720'704, 6.92e9}},
      {"gemma-2-27b", {27'227'128'320, 27.23e9}},
      {"gemma-2-9b", {9'241'705'984, 9.24e9}},
      {"gpt-neox-20b", {20'554'567'680, 20.55e9}},
      {"gpt-oss-120b", {116'829'156'672, 116.83e9}},
      {"gpt-oss-20b", {20'914'757'184, 20.91e9}},
      {"gpt3-175b", {174'604'259'328, 175e9}},
      {"internlm-20b", {20'088'714'240, 20.09e9}},
      {"internlm-7b", {7'321'423'872, 7.32e9}},
      {"internlm2-20b", {19'861'149'696, 19.86e9}},
      {"kimi-k2", {1'026'408'232'448, 1026.4e9}},
      {"llama-2-13b", {13'015'864'320, 13.02e9}},
      {"llama-2-70b", {68'976'648'192, 68.98e9}},
      {"llama-2-7b", {6'738'415'616, 6.74e9}},
      {"llama-3-70b", {70'553'706'496, 70.6e9}},
      {"llama-3-8b", {8'030'261'248, 8.03e9}},
      {"llama-3.1-405b", {405'853'388'800, 405.85e9}},
      {"llama-3.2-1b", {1'235'814'400, 1.236e9}},
      {"llama-3.2-3b", {3'212'749'824, 3.213e9}},
      {"llama-30b", {32'528'943'616, 32.53e9}},
      {"llama-65b", {65'285'660'672, 65.29e9}},
      {"mistral-7b", {7'241'732'096, 7.24e9}},
      {"mistral-large-123b", {122'610'069'504, 122.61e9}},
      {"mistral-nemo-12b", {12'247'782'400, 12.25e9}},
      {"mistral-small-24b", {23'572'403'200, 23.57e9}},
      {"mixtral-8x22b", {140'620'634'112, 140.62e9}},
      {"mixtral-8x7b", {46'702'792'704, 46.70e9}},
      {"mt-nlg-530b", {529'600'819'200, 530e9}},
      {"opt-13b", {12'853'473'280, 12.85e9}},
      {"opt-30b", {29'974'540'288, 29.97e9}},
      {"opt-6.7b", {6'658'473'984, 6.66e9}},
      {"opt-66b", {65'719'701'504, 65.7e9}},
      {"phi-3-mini", {3'821'079'552, 3.82e9}},
      {"phi-4", {14'659'507'200, 14.66e9}},
      {"qwen2-7b", {7'615'616'512, 7.616e9}},
      {"qwen2.5-14b", {14'770'033'664, 14.77e9}},
      {"qwen2.5-32b", {32'763'876'352, 32.76e9}},
      {"qwen2.5-72b", {72'706'203'648, 72.71e9}},
      {"qwen3-14b", {14'768'307'200, 14.77e9}},
      {"qwen3-235b-a22b", {235'093'634'560, 235.09e9}},
      {"qwen3-30b-a3b", {30'532'122'624, 30.5e9}},
      {"qwen3-32b", {32'762'123'264, 32.76e9}},
      {"qwen3-8b", {8'190'735'360, 8.19e9}},
      {"tinyllama-1.1b", {1'100'048'384, 1.1e9}},
      {"yi-34b", {34'388'917'248, 34.39e9}},
  };
  return counts;
}

TEST(ModelPresets, HaveTheirPublishedParameters) {
  for (const auto& name : data_file_names(DataKind::model)) {
    const auto known = expected().find(name);
    ASSERT_NE(known, expected().end()) << name << " has no expected count";
    EXPECT_EQ(total_parameters(preset(name)), known->second.parameters) << name;
    // Published counts are rounded; 175 billion of GPT-3 to three digits of 174.6.
    EXPECT_NEAR(
        static_cast<double>(known->second.parameters) / known->second.published, 1.0, 2.5e-3)
        << name;
  }
}

// h = 4096, q = 4096, kv = 1024, f = 14336, 8 experts; a layer has attention h (q + 2 kv) + q h,
// experts 8 x 3 h f, a router 8 h and two norms; 32 of them, two tables of 32000 h and a norm.
// A token uses 2 of the 8 experts: 12.9e9 as published.
TEST(ModelPresets, OfMixtralCountItsExperts) {
  const auto model = preset("mixtral-8x7b");
  ASSERT_TRUE(model.moe);
  EXPECT_EQ(model.moe->experts, 8);
  EXPECT_EQ(model.moe->experts_per_token, 2);
  EXPECT_EQ(model.moe->expert_ffn_size, 14'336);
  EXPECT_TRUE(model.has_experts(0));
  EXPECT_EQ(attention_parameters(model).linear, 4096 * 6144 + 4096 * 4096);
  EXPECT_EQ(expert_parameters(model).experts, 3 * 4096 * 14'336);
  EXPECT_EQ(router_parameters(model).other, 8 * 4096);
  EXPECT_EQ(shared_expert_parameters(model).total(), 0);
  EXPECT_EQ(ffn_parameters(model, 0).experts, std::int64_t{8} * 3 * 4096 * 14'336);
  EXPECT_EQ(ffn_parameters(model, 0).linear, 0);
  EXPECT_EQ(ffn_parameters(model, 0).other, 8 * 4096 + 4096);
  EXPECT_EQ(active_parameters(model), 12'879'925'248);
}

// 30.5e9 and 3.3e9 as published: 128 experts of 3 x 2048 x 768, of which a token uses 8.
TEST(ModelPresets, OfQwen3CountItsActiveExperts) {
  const auto model = preset("qwen3-30b-a3b");
  EXPECT_EQ(model.head_size, 128);
  EXPECT_TRUE(model.qk_norm);
  EXPECT_EQ(total_parameters(model) - active_parameters(model),
            std::int64_t{48} * 120 * 3 * 2048 * 768);
  EXPECT_EQ(active_parameters(model), 3'353'032'704);
}

// MLA: h = 7168, ranks 1536 and 512, 128 heads of 128 + 64 and values of 128:
// h x 1536 + 1536 x 128 x 192 + h x 576 + 512 x 128 x 256 + 128 x 128 x h.
// The first 3 layers have an FFN of 18432; then a router with a bias, 256 experts and a shared one
// of 2048. 671e9 as published (without the layer of multi-token prediction); a token uses 8 of the
// 256: 37.6e9 with the token table, 36.6e9 without; 37e9 are published.
TEST(ModelPresets, OfDeepseekCountLatentAttentionAndSharedExperts) {
  const auto model = preset("deepseek-v3");
  ASSERT_TRUE(model.latent && model.moe);
  EXPECT_EQ(attention_parameters(model).linear,
            7168 * 1536 + 1536 * 128 * 192 + 7168 * 576 + 512 * 128 * 256 + 128 * 128 * 7168);
  EXPECT_EQ(attention_parameters(model).other, 7168 + 1536 + 512);
  EXPECT_FALSE(model.has_experts(2));
  EXPECT_TRUE(model.has_experts(3));
  EXPECT_EQ(ffn_parameters(model, 2).linear, 3 * 7168 * 18'432);
  EXPECT_EQ(ffn_parameters(model, 2).experts, 0);
  EXPECT_EQ(expert_parameters(model).experts, 3 * 7168 * 2048);
  EXPECT_EQ(shared_expert_parameters(model).linear, 3 * 7168 * 2048);
  EXPECT_EQ(router_parameters(model).other, 7168 * 256 + 256);
  EXPECT_EQ(active_parameters(model), 37'552'297'472);
  EXPECT_EQ(active_parameters(model) - embedding_parameters(model), 36'625'618'432);
}

// 61 layers of a latent of 512 and a rotary key of 64, 2 bytes each.
TEST(ModelPresets, OfDeepseekCacheOneLatentPerTokenAndLayer) {
  const auto model = preset("deepseek-v3");
  EXPECT_DOUBLE_EQ(kv_cache_bytes(model, 1, DataType::bf16).value(), 61 * 576 * 2);
  EXPECT_DOUBLE_EQ(kv_cache_bytes(model, 1000, DataType::bf16).value(), 1000.0 * 61 * 576 * 2);
}

// Sinks (64 a layer) and the biases of attention, router and experts are counted; 5.13e9 active
// parameters are published without the token table of 201088 x 2880.
TEST(ModelPresets, OfGptOssCountItsBiasesAndSinks) {
  const auto model = preset("gpt-oss-120b");
  // Norm, biases of Q, K, V and output, a sink per head.
  EXPECT_EQ(attention_parameters(model).other, 2880 + 5120 + 2880 + 64);
  EXPECT_EQ(expert_parameters(model).experts, 3 * 2880 * 2880);
  EXPECT_EQ(expert_parameters(model).other, 3 * 2880);
  EXPECT_EQ(active_parameters(model) - embedding_parameters(model), 5'132'849'472);
}

// Even layers attend to 128 tokens: after 1000 tokens 18 layers hold 128 and 18 all of them,
// 2 x 8 heads x 64 x 2 bytes each.
TEST(ModelPresets, OfGptOssBoundTheCacheOfWindowedLayers) {
  const auto model = preset("gpt-oss-120b");
  EXPECT_EQ(model.window(0), 128);
  EXPECT_EQ(model.window(1), 0);
  EXPECT_DOUBLE_EQ(kv_cache_bytes(model, 100, DataType::bf16).value(), 36 * 100 * 2048.0);
  EXPECT_DOUBLE_EQ(kv_cache_bytes(model, 1000, DataType::bf16).value(), 18 * 1128 * 2048.0);
}

// Experts at 4.25 bits, everything else in bf16: 36 x 128 x 3 x 2880^2 = 114,661,785,600 of the
// 116,829,156,672 parameters.
TEST(ModelPresets, OfGptOssStoreTheirExpertsInFourBits) {
  const auto model = preset("gpt-oss-120b");
  const auto precision = stored_precision(model);
  EXPECT_EQ(precision.weights, DataType::bf16);
  EXPECT_EQ(precision.kv_cache, DataType::bf16);
  EXPECT_EQ(precision.expert_weights(), DataType::mxfp4);
  Bytes bytes;
  for (int layer = 0; layer < model.layers; ++layer) {
    bytes += weight_bytes(layer_parameters(model, layer), precision);
  }
  const double experts = 114'661'785'600;
  const double rest = 116'829'156'672 - experts - 2.0 * 201'088 * 2880 - 2880;
  EXPECT_DOUBLE_EQ(bytes.value(), experts * 4.25 / 8 + rest * 2);
}

TEST(ModelPresets, AreStoredInTheTypeOfTheirFile) {
  const auto deepseek = stored_precision(preset("deepseek-v3"));
  EXPECT_EQ(deepseek.weights, DataType::fp8);
  EXPECT_EQ(deepseek.expert_weights(), DataType::fp8);
  EXPECT_EQ(deepseek.kv_cache, DataType::bf16);
  EXPECT_EQ(stored_precision(preset("llama-3-70b")), Precision{});
}

} // namespace
} // namespace decodesim
