#include "sim/json_reader.hpp"
#include "sim/temporary_folder.hpp"
#include "tests/cli/program.hpp"
#include "validation/measure/run_file.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace decodesim {
namespace {

/// Twelve products of one row that take 4 us + bytes / 4.0 TB/s.
std::string probes_on(const std::string& device) {
  RunFile file{.kind = "probes", .provenance = {.device = device}};
  for (const std::int64_t n : {4096, 8192, 16384, 28672}) {
    for (const std::int64_t k : {4096, 8192, 16384}) {
      const double bytes = 2.0 * (static_cast<double>(n * k) + static_cast<double>(n + k));
      file.probes.push_back({.name = "gemm",
                             .parameters = {{"m", 1}, {"n", n}, {"k", k}, {"dtype", "bf16"}},
                             .l2 = "flushed",
                             .samples_us = {4.0 + bytes / 4.0e6},
                             .converged = true});
    }
  }
  return run_file_text(file);
}

TEST(CalibrateProbes, WritesTheKernelFileIntoAFolder) {
  const TemporaryFolder folder;
  const auto probes = folder / "probes.json";
  std::ofstream{probes} << probes_on("NVIDIA H200");
  const auto command =
      "calibrate --probes " + probes.string() + " --output " + folder.path().string();
  const auto written = folder / "h200-sxm5-141g.json";
  EXPECT_EQ(decodesim_with(command).out, written.string() + ": written\n");
  const auto json = nlohmann::json::parse(read_text(written));
  EXPECT_EQ(json.at("classes").at("gemm").at("fixed").at("source"),
            "fit of class gemm to 12 rows of probes.json");
  EXPECT_EQ(decodesim_with(command + " --check").out, written.string() + ": unchanged\n");
}

TEST(CalibrateProbes, RefusesWhatDoesNotGoTogether) {
  const auto with_part = decodesim_with("calibrate kernels --probes probes.json");
  EXPECT_EQ(with_part.code, 2);
  EXPECT_EQ(with_part.err,
            "decodesim: --probes takes what the probes tell of: give it without a PART\n");
  EXPECT_EQ(decodesim_with("calibrate --gpu-name h200-sxm5-141g").err,
            "decodesim: --gpu-name and --output go with --probes\n");
}

TEST(CalibrateProbes, WritesNothingForAnUnknownGpu) {
  const TemporaryFolder folder;
  const auto probes = folder / "probes.json";
  std::ofstream{probes} << probes_on("Abacus 9000");
  const auto ended = decodesim_with("calibrate --probes " + probes.string() + " --output " +
                                    folder.path().string());
  EXPECT_EQ(ended.code, 3);
  EXPECT_EQ(ended.out, "");
  EXPECT_EQ(ended.err,
            "decodesim: probes.json: no GPU preset is known as \"Abacus 9000\"; name a GPU preset "
            "or file with --gpu-name\n");
  EXPECT_EQ(folder.entries(), std::vector<std::string>{"probes.json"});
}

TEST(ValidateProbes, TakesARunFileAsATable) {
  const TemporaryFolder folder;
  const auto probes = folder / "probes.json";
  std::ofstream{probes} << probes_on("NVIDIA H200");
  const auto ended = decodesim_with("validate --operators " + probes.string() + " --format json");
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(nlohmann::json::parse(ended.out).at("cases").size(), 12u);
}

} // namespace
} // namespace decodesim
