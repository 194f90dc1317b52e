#include "tests/cli/program.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace decodesim {
namespace {

using nlohmann::json;

std::string written(const std::filesystem::path& path, const std::string& text) {
  std::ofstream{path} << text;
  return "'" + path.string() + "'";
}

const std::string head =
    "id,split,source,model,params,gpu,gpus,nodes,interconnect,strategy,tp,pp,ep,dp,batch,prompt_"
    "len,"
    "output_len_or_ctx,dtype,framework,metric,value,unit,notes,clean,why_not_clean\n";

/// One row of a case file: Llama-3-8B on one A100.
std::string row(const std::string& id,
                const std::string& model,
                const std::string& dtype,
                const std::string& value) {
  return id + ",validation,mine," + model +
         ",8B,A100-80GB SXM,1,1,NVSwitch,single,1,1,1,1,1,128,16," + dtype + ",none,tpot," + value +
         ",ms,,yes,\n";
}

TEST(Validate, GivesEveryCaseAStatus) {
  const TemporaryFolder folder;
  const auto file = written(
      folder / "mine.csv",
      head + row("good", "Llama-3-8B", "bf16", "10") + row("unknown", "GPT-9", "bf16", "10") +
          row("wrong", "Llama-3-8B", "bf16", "ten") + row("large", "Llama-3-70B", "fp32", "10"));
  const auto ended = decodesim_with("validate --format json --cases " + file);
  ASSERT_EQ(ended.code, 0) << ended.err;
  const auto report = json::parse(ended.out);
  const auto& cases = report.at("cases");
  ASSERT_EQ(cases.size(), 4U);
  EXPECT_EQ(cases[0].at("status"), "ok");
  EXPECT_EQ(cases[0].at("unit"), "ms");
  EXPECT_NEAR(cases[0].at("error_ratio").get<double>(),
              cases[0].at("simulated").get<double>() / 10 - 1,
              1e-9);
  EXPECT_EQ(cases[1].at("status"), "not_supported");
  EXPECT_EQ(cases[2].at("status"), "invalid");
  EXPECT_EQ(cases[3].at("status"), "does_not_fit");
  for (const auto& one : cases) {
    EXPECT_EQ(one.at("status") == "ok", one.at("reason") == "") << one;
    EXPECT_FALSE(one.at("group").get<std::string>().empty());
  }
  EXPECT_EQ(report.at("summary").at("overall").at("count"), 1);
}

TEST(Validate, WritesTheSameBytesTwice) {
  const TemporaryFolder folder;
  const auto file =
      written(folder / "mine.csv",
              head + row("a", "Llama-3-8B", "bf16", "10") + row("b", "Llama-2-7B", "fp16", "9"));
  const auto once = decodesim_with("validate --format csv --cases " + file);
  EXPECT_EQ(once.code, 0);
  EXPECT_EQ(decodesim_with("validate --format csv --cases " + file).out, once.out);
}

TEST(Validate, NamesFilesThatItCannotUse) {
  const TemporaryFolder folder;
  const auto file = written(folder / "mine.csv", "a,b\n1,2\n");
  for (const std::string kind : {"cases", "collectives", "operators"}) {
    const auto ended = decodesim_with("validate --" + kind + " " + file);
    EXPECT_EQ(ended.code, 3) << kind;
    EXPECT_NE(ended.err.find("mine.csv"), std::string::npos) << ended.err;
    EXPECT_EQ(ended.out, "");
  }
}

// Two sizes of an all-reduce over eight H100, as nccl-tests prints them (DGX H100: 16.9 and 19.4 us
// there).
TEST(Validate, ReadsWhatNcclTestsPrints) {
  const TemporaryFolder folder;
  std::string text =
      "# nThread 1 nGpus 1 minBytes 8 maxBytes 1073741824 step: 2(factor)\n# Using devices\n";
  for (int rank = 0; rank < 8; ++rank) {
    text += "#  Rank  " + std::to_string(rank) + " Group  0 Pid  10 on      host-a device  " +
            std::to_string(rank) + " [0x10] NVIDIA H100 80GB HBM3\n";
  }
  text += "#       size         count      type   redop    root     time   algbw   busbw #wrong    "
          " time   algbw   busbw "
          "#wrong\n"
          "        8192          2048     float     sum      -1    16.90    0.48    0.85      0    "
          "16.90    0.48    0.85   "
          "   0\n"
          "      131072         32768     float     sum      -1    19.40    6.76   11.82      0    "
          "19.40    6.76   11.82   "
          "   0\n";
  const auto ended =
      decodesim_with("validate --format json --collectives " + written(folder / "log.txt", text));
  ASSERT_EQ(ended.code, 0) << ended.err;
  const auto report = json::parse(ended.out);
  ASSERT_EQ(report.at("cases").size(), 2U);
  for (const auto& one : report.at("cases")) {
    EXPECT_EQ(one.at("status"), "ok");
    EXPECT_LT(std::abs(one.at("error_ratio").get<double>()), 0.15) << one;
  }
}

TEST(Calibrate, KnowsItsParts) {
  const auto ended = decodesim_with("calibrate everything");
  EXPECT_EQ(ended.code, 3);
  EXPECT_EQ(ended.err,
            "decodesim: calibrate: part \"everything\" is unknown; known: kernels, collectives, "
            "frameworks\n");
}

} // namespace
} // namespace decodesim
