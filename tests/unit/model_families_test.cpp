#include "sim/model/parameters.hpp"
#include "tests/unit/model_file.hpp"

#include <gtest/gtest.h>

#include <string>

namespace decodesim {
namespace {

// Published counts: elements of all tensors of the checkpoint, as its page on Hugging Face states.
// h = hidden size, q and kv widths of queries and of keys, f = width of the FFN.

TEST(GptNeox, AddsAttentionAndFfnToOneInput) {
  const auto model = model_from(
      R"({"architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", "hidden_size": 6144,
          "intermediate_size": 24576, "num_attention_heads": 64, "num_hidden_layers": 44,
          "max_position_embeddings": 2048, "use_parallel_residual": true,
          "tie_word_embeddings": false, "vocab_size": 50432})");
  EXPECT_TRUE(model.parallel_block);
  EXPECT_FALSE(model.one_block_norm);
  // Two tables of 50432 h; 44 layers of 12 h^2, 9 h biases and 4 h of two layer norms; 2 h.
  EXPECT_EQ(total_parameters(model), 20'554'567'680);
}

TEST(GptNeox, MayHaveOneBlockAfterTheOther) {
  const auto model = model_from(
      R"({"model_type": "gpt_neox", "hidden_size": 64, "intermediate_size": 256,
          "num_attention_heads": 8, "num_hidden_layers": 2, "vocab_size": 100,
          "use_parallel_residual": false, "attention_bias": false})");
  EXPECT_FALSE(model.parallel_block || model.qkv_bias || model.attention_output_bias);
  EXPECT_TRUE(model.ffn_bias);
}

TEST(Opt, HasTwoMorePositionsThanItSays) {
  const auto model = model_from(
      R"({"architectures": ["OPTForCausalLM"], "model_type": "opt", "hidden_size": 4096,
          "ffn_dim": 16384, "num_attention_heads": 32, "num_hidden_layers": 32,
          "max_position_embeddings": 2048, "word_embed_proj_dim": 4096,
          "do_layer_norm_before": true, "vocab_size": 50272})");
  EXPECT_EQ(model.max_positions, 2048);
  // One table of 50272 h and 2050 positions of h; 32 layers of 12 h^2 + 13 h; 2 h.
  EXPECT_EQ(total_parameters(model), 6'658'473'984);
}

TEST(Opt, IsRefusedWithProjectedEmbeddingsAndNormsBehind) {
  const std::string sizes =
      R"("model_type": "opt", "hidden_size": 64, "ffn_dim": 128, "num_attention_heads": 8,
         "num_hidden_layers": 2, "max_position_embeddings": 32, "vocab_size": 100)";
  EXPECT_EQ(refusal_of("{" + sizes + R"(, "word_embed_proj_dim": 32})"),
            "config.json: /word_embed_proj_dim: is 32; hidden_size (64) is expected: projected "
            "embeddings are not modelled");
  EXPECT_EQ(refusal_of("{" + sizes + R"(, "do_layer_norm_before": false})"),
            "config.json: /do_layer_norm_before: is false; norms behind blocks are not modelled");
}

TEST(Falcon, OfSevenBillionSharesOneKeyHeadAndOneNorm) {
  const auto model = model_from(
      R"({"architectures": ["FalconForCausalLM"], "model_type": "falcon", "alibi": false,
          "bias": false, "hidden_size": 4544, "multi_query": true,
          "new_decoder_architecture": false, "num_attention_heads": 71, "num_hidden_layers": 32,
          "parallel_attn": true, "vocab_size": 65024})");
  EXPECT_EQ(model.kv_heads, 1);
  EXPECT_TRUE(model.parallel_block && model.one_block_norm && model.tied_embeddings);
  // 65024 h; 32 layers of h (h + 2 x 64) + h^2 + 8 h^2 and one layer norm of 2 h; 2 h.
  EXPECT_EQ(total_parameters(model), 6'921'720'704);
}

TEST(Falcon, OfTheNewDecoderHasKeyHeadsAndTwoNorms) {
  const std::string sizes =
      R"({"model_type": "falcon", "hidden_size": 8192, "new_decoder_architecture": true,
          "num_attention_heads": 128, "num_hidden_layers": 60, "num_kv_heads": 8,
          "vocab_size": 65024)";
  const auto model = model_from(sizes + "}");
  EXPECT_EQ(model.kv_heads, 8);
  EXPECT_TRUE(model.parallel_block);
  EXPECT_FALSE(model.one_block_norm);
  // 65024 h; 60 layers of h (h + 2 x 512) + h^2 + 8 h^2 and 4 h of norms; 2 h.
  EXPECT_EQ(total_parameters(model), 41'303'293'952);
  EXPECT_TRUE(model_from(sizes + R"(, "num_ln_in_parallel_attn": 1})").one_block_norm);
}

TEST(Falcon, MayHaveOneBlockAfterTheOther) {
  const auto model = model_from(
      R"({"model_type": "falcon", "hidden_size": 64, "num_attention_heads": 8, "bias": true,
          "num_hidden_layers": 2, "multi_query": false, "parallel_attn": false, "alibi": true,
          "vocab_size": 100})");
  EXPECT_FALSE(model.parallel_block || model.one_block_norm);
  EXPECT_EQ(model.kv_heads, 8);
  EXPECT_EQ(model.position, PositionKind::alibi);
  EXPECT_TRUE(model.qkv_bias && model.ffn_bias);
}

TEST(Gemma, HasHeadsOfItsOwnWidth) {
  const auto model = model_from(
      R"({"architectures": ["GemmaForCausalLM"], "model_type": "gemma", "head_dim": 256,
          "hidden_size": 3072, "intermediate_size": 24576, "num_attention_heads": 16,
          "num_hidden_layers": 28, "num_key_value_heads": 16, "vocab_size": 256000})");
  // Tied table 256000 h; 28 layers of 4 h x 4096, 3 h f and 2 h; h.
  EXPECT_EQ(total_parameters(model), 8'537'680'896);
  EXPECT_TRUE(model.tied_embeddings);
}

TEST(Gemma2, HasNormsBehindBlocksAndAWindowInEveryOtherLayer) {
  const auto model = model_from(
      R"({"architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", "head_dim": 256,
          "hidden_size": 3584, "intermediate_size": 14336, "num_attention_heads": 16,
          "num_hidden_layers": 42, "num_key_value_heads": 8, "sliding_window": 4096,
          "vocab_size": 256000})");
  EXPECT_EQ(total_parameters(model), 9'241'705'984);
  EXPECT_TRUE(model.post_norms);
  EXPECT_EQ(model.window(0), 4096);
  EXPECT_EQ(model.window(1), 0);
}

/// The text part of gemma-3-4b, as its file has it: what is absent has Gemma's defaults.
const std::string gemma3_text =
    R"("text_config": {"hidden_size": 2560, "intermediate_size": 10240,
       "model_type": "gemma3_text", "num_hidden_layers": 34, "sliding_window": 1024})";

TEST(Gemma3, OfAMultimodalFileIsItsLanguageModel) {
  const auto model = model_from(
      R"({"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", )" +
      gemma3_text + R"(, "vision_config": {"hidden_size": 1152}})");
  EXPECT_EQ(model.architecture, "Gemma3ForCausalLM of Gemma3ForConditionalGeneration");
  EXPECT_EQ(model.heads, 8);
  EXPECT_EQ(model.kv_heads, 4);
  EXPECT_EQ(model.head_size, 256);
  EXPECT_TRUE(model.tied_embeddings && model.qk_norm && model.post_norms);
  // 4.30e9 are published with the vision part of 0.42e9.
  EXPECT_EQ(total_parameters(model), 3'880'263'168);
  // Five layers with the window, then one without.
  for (int layer = 0; layer < 34; ++layer) {
    EXPECT_EQ(model.window(layer), layer % 6 == 5 ? 0 : 1024) << layer;
  }
}

TEST(Gemma3, OfTextAloneNeedsNoNesting) {
  const auto model = model_from(
      R"({"architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "head_dim": 256,
          "hidden_size": 1152, "intermediate_size": 6912, "num_attention_heads": 4,
          "num_hidden_layers": 26, "num_key_value_heads": 1, "sliding_window": 512,
          "sliding_window_pattern": 6, "vocab_size": 262144})");
  EXPECT_EQ(total_parameters(model), 999'885'952);
}

TEST(MultimodalFile, OfQwenHasTheLanguageModelsKeysBesideOthers) {
  const auto model = model_from(
      R"({"architectures": ["Qwen2_5_VLForConditionalGeneration"], "model_type": "qwen2_5_vl",
          "hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28,
          "num_hidden_layers": 28, "num_key_value_heads": 4, "tie_word_embeddings": false,
          "use_sliding_window": false, "sliding_window": 32768, "vocab_size": 152064,
          "vision_config": {"hidden_size": 3584}})");
  EXPECT_EQ(total_parameters(model), 7'615'616'512); // Qwen2.5-7B
}

TEST(MultimodalFile, MayTieTheHeadForTheWhole) {
  const std::string text =
      R"("text_config": {"model_type": "mistral", "hidden_size": 64, "intermediate_size": 128,
         "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 8,
         "vocab_size": 100)";
  const std::string whole = R"({"architectures": ["Mistral3ForConditionalGeneration"], )";
  EXPECT_FALSE(model_from(whole + text + "}}").tied_embeddings);
  EXPECT_TRUE(model_from(whole + text + R"(}, "tie_word_embeddings": true})").tied_embeddings);
  EXPECT_FALSE(
      model_from(whole + text + R"(, "tie_word_embeddings": false}, "tie_word_embeddings": true})")
          .tied_embeddings);
}

TEST(Phi3, MayHaveAWindowInEveryLayer) {
  const auto model = model_from(
      R"({"architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "hidden_size": 3072,
          "intermediate_size": 8192, "num_attention_heads": 32, "num_hidden_layers": 32,
          "num_key_value_heads": 32, "sliding_window": 2047, "vocab_size": 32064})");
  EXPECT_EQ(total_parameters(model), 3'821'079'552);
  EXPECT_EQ(model.window(0), 2047);
  EXPECT_EQ(model.window(31), 2047);
}

TEST(CommandR, HasOneNormWithoutBiasPerParallelBlock) {
  const auto model = model_from(
      R"({"architectures": ["CohereForCausalLM"], "model_type": "cohere", "hidden_size": 8192,
          "intermediate_size": 22528, "num_attention_heads": 64, "num_hidden_layers": 40,
          "num_key_value_heads": 64, "vocab_size": 256000})");
  EXPECT_TRUE(model.parallel_block && model.one_block_norm && model.tied_embeddings);
  EXPECT_EQ(model.norm, NormKind::layer_norm_without_bias);
  // 256000 h; 40 layers of 4 h^2 + 3 h f + h; h.
  EXPECT_EQ(total_parameters(model), 34'980'831'232);
}

TEST(CommandR, OfTheLargerSizeNormalisesEveryHead) {
  const auto model = model_from(
      R"({"model_type": "cohere", "hidden_size": 12288, "intermediate_size": 33792,
          "num_attention_heads": 96, "num_hidden_layers": 64, "num_key_value_heads": 8,
          "use_qk_norm": true, "vocab_size": 256000})");
  // A norm has 96 x 128 weights for queries and 8 x 128 for keys.
  EXPECT_EQ(total_parameters(model), 103'810'674'688);
}

TEST(CommandR, OfTheSecondGenerationHasWindows) {
  const auto model = model_from(
      R"({"architectures": ["Cohere2ForCausalLM"], "model_type": "cohere2", "head_dim": 128,
          "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32,
          "num_hidden_layers": 32, "num_key_value_heads": 8, "sliding_window": 4096,
          "sliding_window_pattern": 4, "vocab_size": 256000})");
  // 256000 h; 32 layers of 2 h (q + kv) + 3 h f + h; h. Command R7B is published as 8.03e9.
  EXPECT_EQ(total_parameters(model), 8'028'033'024);
  EXPECT_EQ(model.window(2), 4096);
  EXPECT_EQ(model.window(3), 0);
}

TEST(Glm4, HasNormsBehindBlocksWhereGlmHasNone) {
  const std::string sizes =
      R"("attention_bias": true, "head_dim": 128, "hidden_size": 4096,
         "intermediate_size": 13696, "num_attention_heads": 32, "num_hidden_layers": 40,
         "num_key_value_heads": 2, "vocab_size": 151552})";
  EXPECT_EQ(total_parameters(model_from(R"({"model_type": "glm", )" + sizes)), 9'399'951'360);
  // 2 h more in each of 40 layers.
  EXPECT_EQ(total_parameters(model_from(R"({"model_type": "glm4", )" + sizes)), 9'400'279'040);
}

TEST(ChatGlm, IsReadByItsOwnKeys) {
  const auto model = model_from(
      R"({"architectures": ["ChatGLMModel"], "model_type": "chatglm", "add_bias_linear": false,
          "add_qkv_bias": true, "ffn_hidden_size": 13696, "hidden_size": 4096, "kv_channels": 128,
          "multi_query_attention": true, "multi_query_group_num": 2, "num_attention_heads": 32,
          "num_layers": 40, "padded_vocab_size": 151552, "post_layer_norm": true, "rmsnorm": true,
          "seq_length": 131072, "vocab_size": 151552})");
  // The same model as glm-4-9b.
  EXPECT_EQ(total_parameters(model), 9'399'951'360);
  EXPECT_EQ(model.kv_heads, 2);
}

TEST(Windows, OfMistralHoldInEveryLayer) {
  const std::string sizes =
      R"({"model_type": "mistral", "hidden_size": 64, "intermediate_size": 128,
          "num_hidden_layers": 2, "num_attention_heads": 8, "vocab_size": 100)";
  EXPECT_EQ(model_from(sizes + "}").window(1), 4096); // MistralConfig
  EXPECT_EQ(model_from(sizes + R"(, "sliding_window": 100})").window(1), 100);
  EXPECT_EQ(model_from(sizes + R"(, "sliding_window": null})").window(1), 0);
}

TEST(Windows, OfQwenHoldFromALayerOn) {
  const std::string sizes =
      R"({"model_type": "qwen2", "hidden_size": 64, "intermediate_size": 128,
          "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 8,
          "vocab_size": 100, "sliding_window": 100, "max_window_layers": 2)";
  EXPECT_EQ(model_from(sizes + "}").window(3), 0);
  const auto model = model_from(sizes + R"(, "use_sliding_window": true})");
  EXPECT_EQ(model.window(1), 0);
  EXPECT_EQ(model.window(2), 100);
}

const std::string gpt_oss_sizes =
    R"({"model_type": "gpt_oss", "hidden_size": 64, "intermediate_size": 64,
        "num_hidden_layers": 2, "num_attention_heads": 8, "num_local_experts": 8,
        "num_experts_per_tok": 2, "vocab_size": 100, "layer_types": )";

TEST(Windows, MayBeListedByLayer) {
  const auto model = model_from(gpt_oss_sizes + R"(["full_attention", "sliding_attention"]})");
  EXPECT_EQ(model.window(0), 0);
  EXPECT_EQ(model.window(1), 128);
  EXPECT_EQ(refusal_of(gpt_oss_sizes + R"(["full_attention"]})"),
            "config.json: /layer_types: has 1 entries; num_hidden_layers says 2");
  EXPECT_EQ(refusal_of(gpt_oss_sizes + R"(["full_attention", "linear_attention"]})"),
            "config.json: /layer_types/1: layer type \"linear_attention\" is not modelled; "
            "full_attention and sliding_attention are");
  EXPECT_EQ(refusal_of(gpt_oss_sizes +
                       R"(["full_attention", "sliding_attention"], "sliding_window": null})"),
            "config.json: /layer_types: names sliding_attention; no sliding_window is given");
}

/// The beginning of a refusal, before the list of what is supported.
std::string refused(const std::string& text) {
  const auto message = refusal_of(text);
  return message.substr(0, message.find("; supported: "));
}

TEST(OtherArchitectures, AreRefusedByNameAndKind) {
  const std::string where = "config.json: /architectures/0: architecture ";
  EXPECT_EQ(refused(R"({"architectures": ["MambaForCausalLM"]})"),
            where + "\"MambaForCausalLM\" is a state-space or recurrent model, or a hybrid of one, "
                    "which is not modelled");
  EXPECT_EQ(refused(R"({"architectures": ["Qwen3NextForCausalLM"]})"),
            where + "\"Qwen3NextForCausalLM\" is a state-space or recurrent model, or a hybrid of "
                    "one, which is not modelled");
  EXPECT_EQ(refused(R"({"architectures": ["BertForMaskedLM"]})"),
            where + "\"BertForMaskedLM\" is an encoder, which is not modelled");
  EXPECT_EQ(refused(R"({"architectures": ["T5ForConditionalGeneration"]})"),
            where + "\"T5ForConditionalGeneration\" is an encoder-decoder, which is not modelled");
  EXPECT_EQ(refused(R"({"model_type": "xlm-roberta"})"),
            "config.json: /model_type: model type \"xlm-roberta\" is an encoder, which is not "
            "modelled");
  // Written by diffusers.
  EXPECT_EQ(refused(R"({"_class_name": "UNet2DConditionModel"})"),
            "config.json: /_class_name: class \"UNet2DConditionModel\" is part of a diffusion "
            "model, which is not modelled");
  // Layers that skip experts in a pattern of their own, and chunked attention.
  EXPECT_EQ(refused(R"({"architectures": ["Llama4ForConditionalGeneration"],
                        "text_config": {"model_type": "llama4_text"}})"),
            where + "\"Llama4ForConditionalGeneration\" is not supported");
}

} // namespace
} // namespace decodesim
