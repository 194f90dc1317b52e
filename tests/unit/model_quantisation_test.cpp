#include "tests/unit/model_file.hpp"

#include <gtest/gtest.h>

#include <string>

namespace decodesim {
namespace {

std::string llama(const std::string& quantisation) {
  return R"({"model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
             "num_hidden_layers": 2, "num_attention_heads": 8, "vocab_size": 100,
             "quantization_config": {)" +
         quantisation + "}}";
}

std::string mixtral(const std::string& quantisation) {
  return R"({"model_type": "mixtral", "hidden_size": 64, "intermediate_size": 128,
             "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 8,
             "num_local_experts": 4, "num_experts_per_tok": 2, "vocab_size": 100,
             "quantization_config": {)" +
         quantisation + "}}";
}

DataType stored(const std::string& quantisation) {
  return stored_precision(model_from(llama(quantisation))).weights;
}

TEST(StoredTypes, AreThoseOfTheQuantisation) {
  EXPECT_EQ(stored(R"("quant_method": "fp8", "weight_block_size": [128, 128])"), DataType::fp8);
  EXPECT_EQ(stored(R"("quant_method": "fbgemm_fp8")"), DataType::fp8);
  EXPECT_EQ(stored(R"("quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": false)"),
            DataType::int4);
  EXPECT_EQ(stored(R"("quant_method": "gptq", "bits": 4, "group_size": 32)"), DataType::int4_g32);
  EXPECT_EQ(stored(R"("quant_method": "gptq", "bits": 8, "group_size": 128)"), DataType::int8);
  EXPECT_EQ(stored(R"("quant_method": "awq", "bits": 4, "group_size": 64, "zero_point": true)"),
            DataType::int4_g64);
  EXPECT_EQ(stored(R"("quant_method": "awq", "w_bit": 4, "q_group_size": 128)"), DataType::int4);
}

TEST(StoredTypes, OfCompressedTensorsAreThoseOfTheirGroups) {
  EXPECT_EQ(stored(R"("quant_method": "compressed-tensors", "ignore": ["lm_head"],
                      "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}})"),
            DataType::fp8);
  EXPECT_EQ(stored(R"("quant_method": "compressed-tensors", "config_groups": {"group_0":
                      {"weights": {"num_bits": 4, "type": "int", "group_size": 128}}})"),
            DataType::int4);
  EXPECT_EQ(refusal_of(llama(
                R"("quant_method": "compressed-tensors", "config_groups": {
                   "a": {"weights": {"num_bits": 8, "type": "float"}},
                   "b": {"weights": {"num_bits": 8, "type": "int"}}})")),
            "config.json: /quantization_config/config_groups/b/weights: is int8; one type for all "
            "groups is modelled, and another is fp8");
}

TEST(StoredTypes, MayBeThoseOfExpertsAlone) {
  const auto model = model_from(mixtral(
      R"("quant_method": "awq", "bits": 4, "group_size": 128,
         "modules_to_not_convert": ["model.layers.0.self_attn", "gate"])"));
  const auto precision = stored_precision(model);
  EXPECT_EQ(precision.weights, DataType::bf16);
  EXPECT_EQ(precision.expert_weights(), DataType::int4);
  EXPECT_EQ(precision.activations(), DataType::bf16);
  // With the router alone left out, all matrices are quantised.
  const auto all = stored_precision(model_from(mixtral(
      R"("quant_method": "awq", "bits": 4, "group_size": 128,
         "modules_to_not_convert": ["gate"])")));
  EXPECT_EQ(all.weights, DataType::int4);
  EXPECT_EQ(all.expert_weights(), DataType::int4);
}

TEST(StoredTypes, OfAnUnquantisedFileAreSixteenBits) {
  const auto model = model_from(
      R"({"model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
          "num_hidden_layers": 2, "num_attention_heads": 8, "vocab_size": 100,
          "torch_dtype": "float16"})");
  EXPECT_FALSE(model.stored_type);
  EXPECT_EQ(stored_precision(model), Precision{});
}

TEST(BadQuantisation, IsRefusedByMethod) {
  EXPECT_EQ(refusal_of(llama(R"("quant_method": "gguf")")),
            "config.json: /quantization_config/quant_method: quantisation method \"gguf\" is "
            "unknown; known: awq, compressed-tensors, fbgemm_fp8, fp8, gptq, mxfp4");
}

TEST(BadQuantisation, HasBitsOrGroupsThatAreNotModelled) {
  const std::string where = "config.json: /quantization_config/";
  EXPECT_EQ(refusal_of(llama(R"("quant_method": "gptq", "bits": 3, "group_size": 128)")),
            where + "bits: is 3; 4 and 8 bits are modelled");
  EXPECT_EQ(refusal_of(llama(R"("quant_method": "gptq", "bits": 4, "group_size": -1)")),
            where + "group_size: is -1; scales per 32, 64 or 128 weights are modelled");
  EXPECT_EQ(refusal_of(llama(R"("quant_method": "gptq")")),
            "config.json: /quantization_config: has no \"bits\"; it is required");
}

TEST(BadQuantisation, LeavesModulesThatAreNotModelledSo) {
  EXPECT_EQ(refusal_of(llama(R"("quant_method": "fp8",
                                "modules_to_not_convert": ["lm_head", "model.layers.0.mlp"])")),
            "config.json: /quantization_config/modules_to_not_convert/1: leaves "
            "\"model.layers.0.mlp\" in 16 bits; only files that leave embedding, LM head, norms, "
            "routers, vision parts or, beside experts, all of attention are modelled");
  EXPECT_EQ(refusal_of(llama(R"("quant_method": "mxfp4")")),
            "config.json: /quantization_config: stores experts in mxfp4; the model has none");
}

} // namespace
} // namespace decodesim
