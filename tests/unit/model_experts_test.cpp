#include "sim/model/parameters.hpp"
#include "tests/unit/model_file.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace decodesim {
namespace {

// Published counts: elements of all tensors of the checkpoint, as its page on Hugging Face states.
// h = hidden size, q and kv widths of queries and of keys, f = width of the FFN.

TEST(Qwen2Moe, HasAGatedSharedExpert) {
  const auto model = model_from(
      R"({"architectures": ["Qwen2MoeForCausalLM"], "model_type": "qwen2_moe",
          "decoder_sparse_step": 1, "hidden_size": 2048, "intermediate_size": 5632,
          "moe_intermediate_size": 1408, "num_attention_heads": 16, "num_experts": 60,
          "num_experts_per_tok": 4, "num_hidden_layers": 24, "num_key_value_heads": 16,
          "shared_expert_intermediate_size": 5632, "use_sliding_window": false,
          "sliding_window": 32768, "vocab_size": 151936})");
  EXPECT_EQ(total_parameters(model), 14'315'784'192);
  EXPECT_EQ(shared_expert_parameters(model).other, 2048);
  EXPECT_EQ(model.window(0), 0);
}

const std::string qwen3_moe_sizes =
    R"({"model_type": "qwen3_moe", "hidden_size": 64, "intermediate_size": 128,
        "moe_intermediate_size": 32, "num_attention_heads": 8, "num_experts": 16,
        "num_experts_per_tok": 4, "num_hidden_layers": 6, "num_key_value_heads": 4,
        "vocab_size": 100)";

TEST(Qwen3Moe, MayHaveDenseLayers) {
  const auto model =
      model_from(qwen3_moe_sizes + R"(, "decoder_sparse_step": 2, "mlp_only_layers": [1]})");
  // Each second layer has experts, but for layer 1.
  const std::vector<bool> expected{false, false, false, true, false, true};
  for (int layer = 0; layer < 6; ++layer) {
    EXPECT_EQ(model.has_experts(layer), expected[static_cast<std::size_t>(layer)]) << layer;
  }
  EXPECT_EQ(ffn_parameters(model, 0).linear, 3 * 64 * 128);
  EXPECT_EQ(ffn_parameters(model, 3).experts, 16 * 3 * 64 * 32);
}

TEST(DeepseekV2, OfTheLiteSizeProjectsQueriesDirectly) {
  const auto model = model_from(
      R"({"architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2",
          "first_k_dense_replace": 1, "hidden_size": 2048, "intermediate_size": 10944,
          "kv_lora_rank": 512, "moe_intermediate_size": 1408, "moe_layer_freq": 1,
          "n_routed_experts": 64, "n_shared_experts": 2, "num_attention_heads": 16,
          "num_experts_per_tok": 6, "num_hidden_layers": 27, "num_key_value_heads": 16,
          "q_lora_rank": null, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
          "v_head_dim": 128, "vocab_size": 102400})");
  EXPECT_EQ(model.latent->query_rank, 0);
  EXPECT_EQ(model.moe->shared_ffn_size, 2 * 1408);
  EXPECT_EQ(total_parameters(model), 15'706'484'224);
}

const std::string deepseek_sizes =
    R"({"model_type": "deepseek_v3", "hidden_size": 64, "intermediate_size": 128,
        "kv_lora_rank": 16, "moe_intermediate_size": 32, "n_routed_experts": 8,
        "num_attention_heads": 4, "num_experts_per_tok": 2, "num_hidden_layers": 6,
        "q_lora_rank": 24, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 8,
        "vocab_size": 100, "first_k_dense_replace": 1)";

TEST(DeepseekV3, MayHaveExpertsInSomeLayersAlone) {
  const auto model = model_from(deepseek_sizes + R"(, "moe_layer_freq": 2})");
  const std::vector<bool> expected{false, false, true, false, true, false};
  for (int layer = 0; layer < 6; ++layer) {
    EXPECT_EQ(model.has_experts(layer), expected[static_cast<std::size_t>(layer)]) << layer;
  }
}

TEST(DeepseekV3, HasAsManyKeyHeadsAsHeads) {
  EXPECT_EQ(refusal_of(deepseek_sizes + R"(, "num_key_value_heads": 2})"),
            "config.json: /num_key_value_heads: is 2; latent attention has as many as "
            "num_attention_heads (4)");
}

TEST(DeepseekV3, IsTheClassOfKimiToo) {
  const auto model = model_from(
      R"({"architectures": ["DeepseekV3ForCausalLM"], "model_type": "kimi_k2",
          "first_k_dense_replace": 1, "hidden_size": 7168, "intermediate_size": 18432,
          "kv_lora_rank": 512, "moe_intermediate_size": 2048, "moe_layer_freq": 1,
          "n_routed_experts": 384, "n_shared_experts": 1, "num_attention_heads": 64,
          "num_experts_per_tok": 8, "num_hidden_layers": 61, "num_key_value_heads": 64,
          "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
          "v_head_dim": 128, "vocab_size": 163840})");
  EXPECT_EQ(total_parameters(model), 1'026'408'232'448);
}

TEST(ExpertsInAFile, MustBeAtLeastAsManyAsATokenUses) {
  EXPECT_EQ(
      refusal_of(
          changed(qwen3_moe_sizes, "\"num_experts_per_tok\": 4", "\"num_experts_per_tok\": 17") +
          "}"),
      "config.json: /num_experts_per_tok: is 17; at most num_experts (16) experts per token "
      "are expected");
}

TEST(ExpertsInAFile, MustAgreeOnHowManyATokenUses) {
  EXPECT_EQ(refusal_of(qwen3_moe_sizes + R"(, "experts_per_token": 2})"),
            "config.json: /experts_per_token: is 2; num_experts_per_tok says 4 for the same size");
}

TEST(ExpertsInAFile, MustBeCountable) {
  const auto many =
      changed(changed(qwen3_moe_sizes, "\"num_experts\": 16", "\"num_experts\": 100000"),
              "\"moe_intermediate_size\": 32",
              "\"moe_intermediate_size\": 10000000");
  EXPECT_EQ(refusal_of(changed(many, "\"hidden_size\": 64", "\"hidden_size\": 800000") + "}"),
            "config.json: /num_experts: is 100000; with the other sizes that makes more than 1e17 "
            "parameters");
}

TEST(Glm4Moe, HasSharedExpertsBehindOrdinaryAttention) {
  const auto model = model_from(
      R"({"architectures": ["Glm4MoeForCausalLM"], "model_type": "glm4_moe",
          "attention_bias": true, "first_k_dense_replace": 1, "head_dim": 128,
          "hidden_size": 4096, "intermediate_size": 10944, "moe_intermediate_size": 1408,
          "n_routed_experts": 128, "n_shared_experts": 1, "num_attention_heads": 96,
          "num_experts_per_tok": 8, "num_hidden_layers": 46, "num_key_value_heads": 8,
          "num_nextn_predict_layers": 1, "use_qk_norm": false, "vocab_size": 151552})");
  // h = 4096, q = 12288, kv = 1024, f = 1408: attention 2 h (q + kv) and a bias of q + 2 kv; 45
  // layers of 129 experts 3 h f, a router 128 h + 128; one of 3 h x 10944; GLM-4.5-Air, 106e9.
  const std::int64_t attention = 2 * 4096 * (12'288 + 1024) + 12'288 + 2048 + 2 * 4096;
  const std::int64_t experts = std::int64_t{129} * 3 * 4096 * 1408 + 128 * 4096 + 128;
  EXPECT_EQ(total_parameters(model),
            std::int64_t{2} * 151'552 * 4096 + 46 * attention + 45 * experts + 3 * 4096 * 10'944 +
                4096);
  EXPECT_NEAR(static_cast<double>(total_parameters(model)), 106e9, 1e9);
}

} // namespace
} // namespace decodesim
