#include "sim/data_files.hpp"
#include "sim/host/framework.hpp"
#include "tests/unit/input_file.hpp"

#include <gtest/gtest.h>

#include <set>

namespace decodesim {
namespace {

const char* const sketch = R"({
  "format_version": 1,
  "name": "sketch",
  "summary": "a framework",
  "aliases": ["sketch 1.*"],
  "launch": "eager",
  "collectives": "ring",
  "per_layer": {"value": 20, "unit": "us", "kind": "assumed", "source": "a guess"},
  "unfused_kernels": {"value": 3, "unit": "count", "kind": "published", "source": "its code"},
  "traits": {"whole_vocabulary": "its code"},
  "kernels": {
    "attention_decode": {"fixed": {"value": 5, "unit": "us", "kind": "fitted", "source": "a table"}}
  }
})";

void expect_begin(const std::string& text, const std::string& begin) {
  EXPECT_EQ(text.substr(0, begin.size()), begin) << text;
}

TEST(Framework, IsReadFromAFile) {
  const InputFile file{sketch};
  const auto framework = load_framework(file.path());
  EXPECT_EQ(framework.name, "sketch");
  EXPECT_EQ(framework.reference, file.path().string());
  EXPECT_EQ(framework.launch, LaunchMode::eager);
  ASSERT_TRUE(framework.per_layer);
  EXPECT_EQ(framework.per_layer->value.value(), 20e-6);
  EXPECT_FALSE(framework.per_step);
  EXPECT_EQ(framework.program(), (ProgramTraits{.unfused_kernels = 3, .whole_vocabulary = true}));
  EXPECT_EQ(framework.kernels.at(KernelClass::attention_decode).fixed->value.value(), 5e-6);
}

TEST(Framework, ListsItsAssumedNumbersAlone) {
  const InputFile file{sketch};
  EXPECT_EQ(assumed_numbers(load_framework(file.path())),
            std::vector<std::string>{"framework sketch: per_layer = 20 us (a guess)"});
  EXPECT_TRUE(assumed_numbers(Framework{}).empty());
}

TEST(Framework, NamesEveryMistakeInAFile) {
  const auto message = [](std::string_view from, std::string_view to) {
    const InputFile file{changed(sketch, from, to)};
    return file.message_of([&] { (void)load_framework(file.path()); });
  };
  expect_begin(message("\"per_layer\"", "\"per_layers\""),
               "input.json: /: key \"per_layers\" is unknown; did you mean \"per_layer\"?");
  EXPECT_EQ(message("\"eager\"", "\"late\""),
            "input.json: /launch: launch mode \"late\" is unknown; known: graph, eager");
  EXPECT_EQ(message("\"value\": 20", "\"value\": -20"),
            "input.json: /per_layer/value: is -20 us; from 0 s to 10 s is expected");
  EXPECT_EQ(message("\"value\": 3", "\"value\": 2.5"),
            "input.json: /unfused_kernels/value: is no number of kernels; a whole number up to 200 "
            "is expected");
  EXPECT_EQ(message("\"whole_vocabulary\": \"its code\"", "\"whole_vocabulary\": \"\""),
            "input.json: /traits/whole_vocabulary: is empty; name the code or document that shows "
            "it");
  expect_begin(message("\"attention_decode\"", "\"attention_decoder\""),
               "input.json: /kernels/attention_decoder: kernel class \"attention_decoder\" is "
               "unknown; did you mean \"attention_decode\"?");
}

TEST(Framework, PresetsCarryTheirFilesName) {
  for (const auto& name : data_file_names(DataKind::framework)) {
    const auto framework = find_framework(name, name);
    EXPECT_EQ(framework.name, name);
    EXPECT_EQ(framework.reference, name);
  }
  EXPECT_EQ(find_framework("none", "x").name, "none");
}

TEST(Framework, NoAliasIsInTwoPresets) {
  std::set<std::string> all;
  for (const auto& name : data_file_names(DataKind::framework)) {
    for (const auto& alias : find_framework(name, name).aliases) {
      EXPECT_TRUE(all.insert(alias).second) << name << ": " << alias;
    }
  }
}

TEST(Framework, IsFoundByTheNamesOfMeasurements) {
  const auto found = [](const std::string& text) {
    const auto match = framework_for_alias(text);
    return match.framework.name + (match.is_guess ? ", a guess" : "");
  };
  EXPECT_EQ(found("vLLM 0.7.3"), "vllm-v0");
  EXPECT_EQ(found("vLLM 0.10.0"), "vllm");
  EXPECT_EQ(found("vLLM 0.19.1rc1.dev339+gedc364896"), "vllm");
  EXPECT_EQ(found("vllm "), "vllm");
  EXPECT_EQ(found("vLLM 0.2.7"), "vllm-2023");
  EXPECT_EQ(found("FasterTransformer"), "fastertransformer");
  EXPECT_EQ(found("trtllm 1.0.0rc3"), "trtllm");
  EXPECT_EQ(found("trtllm "), "trtllm");
  EXPECT_EQ(found("TensorRT-LLM"), "trtllm-2024");
  EXPECT_EQ(found("gpt-fast (torch.compile)"), "gpt-fast");
  EXPECT_EQ(found("HF accelerate"), "accelerate");
  EXPECT_EQ(found("DeepSpeed-Inference"), "deepspeed");
  EXPECT_EQ(found("DeepSpeed ZeRO stage 3"), "deepspeed-zero");
  EXPECT_EQ(found("lmdeploy 0.1.0a1 TurboMind"), "lmdeploy");
  EXPECT_EQ(found("llama.cpp (May 2024)"), "llamacpp");
  EXPECT_EQ(found("llama.cpp Feb 2026"), "llamacpp");
  EXPECT_EQ(found("sglang 0.5.9"), "sglang");
  EXPECT_EQ(found("not named"), "vllm-2023");
  EXPECT_EQ(found("LMDeploy-fork of 2025"), "lmdeploy");
  EXPECT_EQ(found("my own sglang"), "sglang, a guess");
  EXPECT_EQ(found("something new"), "none, a guess");
  EXPECT_EQ(found("none"), "none");
}

TEST(Framework, UnknownNamesAreErrorsWithTheNearest) {
  try {
    (void)find_framework("lamacpp", "--framework");
    FAIL();
  } catch (const InputError& problem) {
    expect_begin(problem.what(),
                 "--framework: framework \"lamacpp\" is unknown; did you mean \"llamacpp\"?");
  }
}

} // namespace
} // namespace decodesim
