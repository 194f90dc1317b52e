#include "tests/cli/program.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cctype>
#include <fstream>

// decodesim-measure as a whole, its ranks processes that share the emulated GPU.

namespace decodesim {
namespace {

struct Run {
  const char* model;
  const char* layout;
};

void PrintTo(const Run& run, std::ostream* to) { *to << run.layout; }

constexpr const char* dense = R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"],
  "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
  "intermediate_size": 96, "num_hidden_layers": 4, "vocab_size": 112, "rms_norm_eps": 1e-5,
  "max_position_embeddings": 64})";

constexpr const char* experts = R"({"model_type": "mixtral",
  "architectures": ["MixtralForCausalLM"], "hidden_size": 64, "num_attention_heads": 4,
  "num_key_value_heads": 2, "intermediate_size": 32, "num_hidden_layers": 2, "vocab_size": 112,
  "num_local_experts": 4, "num_experts_per_tok": 2, "max_position_embeddings": 64})";

constexpr Run all[] = {{dense, "--tp 2"},
                       {dense, "--tp 2 --strategy sp"},
                       {dense, "--pp 2 --schedule naive"},
                       {dense, "--pp 2 --schedule gpipe --micro-batches 2"},
                       {dense, "--pp 2 --schedule 1f1b --micro-batches 4"},
                       {dense, "--pp 2 --schedule interleaved --virtual-stages 2"},
                       {dense, "--dp 2 --zero3"},
                       {dense, "--dp 2 --zero3 --prefetch"},
                       {experts, "--ep 2"},
                       {dense, "--tp 2 --pp 2 --schedule 1f1b"}};

constexpr Run dense_and_experts[] = {{dense, "--tp 2"}, {experts, "--ep 2"}};

/// decodesim-measure with a model of its own, in a folder of its own.
class Measure : public ::testing::TestWithParam<Run> {
protected:
  void SetUp() override {
    std::ofstream{folder_ / "config.json"} << GetParam().model;
    ::setenv("TMPDIR", folder_.path().c_str(), 1);
  }

  Ended measure(const std::string& flags) {
    return run_program(DECODESIM_MEASURE_ON_CPU,
                       "--model '" + (folder_ / "config.json").string() + "' " + GetParam().layout +
                           " --batch-size 4 --isl 5 --osl 4 --patience 10 " + flags);
  }

  std::filesystem::path run_path() { return folder_ / "run.json"; }

  std::string run_file() { return "'" + run_path().string() + "'"; }

  /// Whether the operations of the file are those of the plan, as the simulator sees it.
  void expect_valid_run() {
    const auto ended =
        run_program(DECODESIM_PROGRAM,
                    "validate --format json --measured " + run_file() + " --timeline '" +
                        (folder_ / "both.json").string() + "'"); // matches spans without MPS, too
    EXPECT_EQ(ended.code, 0) << ended.err;
  }

  static void run_in_random_order(const char* seed) {
    ::setenv("DECODESIM_EMULATED_SEED", seed, 1);
  }

private:
  TemporaryFolder folder_;
};

class MeasureShard : public Measure {};

std::string test_name(const ::testing::TestParamInfo<Run>& info) {
  std::string name;
  for (const char c : std::string{info.param.layout}) {
    name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? std::string{c} : "";
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(OfLayout, Measure, ::testing::ValuesIn(all), test_name);
INSTANTIATE_TEST_SUITE_P(OfLayout, MeasureShard, ::testing::ValuesIn(dense_and_experts), test_name);

} // namespace

TEST_P(Measure, GivesTheLogitsOfOneRankInProgramOrder) {
  const auto ended = measure("--mode shared --check-logits --dtype fp32");
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
}

TEST_P(Measure, GivesTheLogitsOfOneRankInRandomOrder) {
  run_in_random_order("1");
  const auto ended = measure("--mode shared --check-logits --dtype fp32");
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
}

TEST_P(Measure, RunsThePlansOperationsOneByOne) {
  run_in_random_order("2");
  const auto ended = measure("--mode shared --launch eager --output " + run_file());
  ASSERT_EQ(ended.code, 0) << ended.err;
  expect_valid_run();
}

TEST_P(Measure, RunsThePlansOperationsInGraphs) {
  run_in_random_order("3");
  const auto ended = measure("--mode shared --launch graph --output " + run_file());
  ASSERT_EQ(ended.code, 0) << ended.err;
  expect_valid_run();
}

TEST_P(MeasureShard, RunsTheKernelsOfOneRank) {
  const auto ended = measure("--mode shard --shard-rank 1 --output " + run_file());
  ASSERT_EQ(ended.code, 0) << ended.err;
  expect_valid_run();
}

// The emulated device's time goes by the work that it does.
TEST_P(MeasureShard, TakesAsLongEachTimeInOneRandomOrder) {
  run_in_random_order("4");
  const auto times = [this] {
    const auto ended = measure("--mode shard --output " + run_file());
    EXPECT_EQ(ended.code, 0) << ended.err;
    return nlohmann::json::parse(read_text(run_path())).at("plans").dump();
  };
  EXPECT_EQ(times(), times());
}

} // namespace decodesim
