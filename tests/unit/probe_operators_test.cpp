#include "sim/data_files.hpp"
#include "sim/error.hpp"
#include "sim/json_reader.hpp"
#include "sim/temporary_folder.hpp"
#include "tests/unit/input_file.hpp"
#include "validation/calibrate_kernels.hpp"
#include "validation/probe_operators.hpp"
#include "validation/validate_operators.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace decodesim {
namespace {

ProbeResult product(std::int64_t m, std::int64_t n, std::int64_t k, double microseconds) {
  return {.name = "gemm",
          .parameters = {{"m", m}, {"n", n}, {"k", k}, {"dtype", "bf16"}},
          .l2 = "flushed",
          .samples_us = {microseconds},
          .converged = true};
}

RunFile run_on(const std::string& device, std::vector<ProbeResult> probes) {
  return {.kind = "probes", .provenance = {.device = device}, .probes = std::move(probes)};
}

TEST(ProbeOperators, ProductsHaveTheirMedian) {
  auto probe = product(4, 1024, 2048, 0);
  probe.samples_us = {9.0, 7.0, 100.0};
  const auto rows = probe_operators(run_on("NVIDIA H200", {probe}), "mine.json");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].id, "mine.json: /probes/0: gemm, dtype bf16, k 2048, m 4, n 1024");
  EXPECT_EQ(rows[0].gpu, "h200-sxm5-141g");
  EXPECT_EQ(rows[0].operation, KernelClass::gemm);
  EXPECT_EQ(rows[0].work.front().flop.value(), 2.0 * 4 * 1024 * 2048);
  EXPECT_DOUBLE_EQ(rows[0].measured.value(), 9e-6);
  EXPECT_EQ(rows[0].repeated.value(), 0.0);
}

// A launch that finds its weights in L2 repeats them: 1024 x 2048 of 1 byte.
TEST(ProbeOperators, WarmProductsRepeatTheirWeights) {
  auto probe = product(4, 1024, 2048, 5);
  probe.l2 = "warm";
  probe.parameters["dtype"] = "fp8";
  const auto rows = probe_operators(run_on("NVIDIA H200", {probe}), "mine.json");
  EXPECT_EQ(rows[0].operation, KernelClass::gemm_fp8);
  EXPECT_EQ(rows[0].repeated.value(), 1024.0 * 2048.0);
}

// 2 x 8 sequences x 1000 tokens x 4 KV heads x 128 x 2 B of cache, and queries and outputs of 32
// heads: 2 x 8 x 32 x 128 x 2 B.
TEST(ProbeOperators, AttentionReadsItsCache) {
  const ProbeResult probe{.name = "attention_decode",
                          .parameters = {{"batch", 8},
                                         {"context", 1000},
                                         {"heads", 32},
                                         {"kv_heads", 4},
                                         {"head_size", 128},
                                         {"dtype", "bf16"}},
                          .l2 = "flushed",
                          .samples_us = {20.0}};
  const auto rows = probe_operators(run_on("NVIDIA H200", {probe}), "mine.json");
  EXPECT_EQ(rows[0].operation, KernelClass::attention_decode);
  EXPECT_EQ(rows[0].rows, 8.0);
  EXPECT_EQ(rows[0].work.front().bytes.value(),
            2.0 * 8 * 1000 * 4 * 128 * 2 + 2.0 * 8 * 32 * 128 * 2);
}

TEST(ProbeOperators, LeavesOutWhatIsNoKernelOfAModel) {
  const ProbeResult copy{.name = "copy", .samples_us = {20.0}};
  const ProbeResult norm{.name = "row_kernel",
                         .parameters = {{"function", "norm"},
                                        {"rows", 2},
                                        {"read_columns", 8192},
                                        {"write_columns", 8192},
                                        {"dtype", "bf16"}},
                         .samples_us = {3.0}};
  const auto rows = probe_operators(run_on("NVIDIA H200", {copy, norm}), "mine.json");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].operation, KernelClass::norm);
  EXPECT_EQ(rows[0].work.front().bytes.value(), 2.0 * 16384 * 2);
}

TEST(ProbeOperators, SaysWhyARowCannotBeCompared) {
  auto failed = product(1, 16, 16, 0);
  failed.samples_us.clear();
  failed.reason = "out of memory";
  const auto rows =
      probe_operators(run_on("Abacus 9000", {failed, product(1, 16, 16, 1)}), "mine.json");
  EXPECT_EQ(rows[0].reason, "out of memory");
  EXPECT_EQ(rows[1].reason, "no GPU preset is known as \"Abacus 9000\"");
}

TEST(ProbeOperators, LeavesOutWhatWasThrottled) {
  auto hot = product(1, 16, 16, 1);
  hot.throttle_reasons = {"sw_power_cap", "hw_thermal_slowdown"};
  auto capped = product(1, 16, 16, 1);
  capped.throttle_reasons = {"sw_power_cap"};
  const auto rows = probe_operators(run_on("NVIDIA H200", {hot, capped}), "mine.json");
  EXPECT_EQ(rows[0].reason, "the GPU was throttled: hw_thermal_slowdown");
  EXPECT_EQ(rows[1].reason, "");
}

TEST(ProbeOperators, NamesTheProbeThatLacksAParameter) {
  auto probe = product(1, 16, 16, 1);
  probe.parameters.erase("k");
  try {
    (void)probe_operators(run_on("NVIDIA H200", {probe}), "mine.json");
    FAIL() << "no InputError";
  } catch (const InputError& problem) {
    EXPECT_STREQ(problem.what(), "mine.json: /probes/0: probe \"gemm\": has no number \"k\"");
  }
}

TEST(ProbeOperators, RefusesRunsOfPlans) {
  EXPECT_THROW((void)probe_operators({.kind = "plan"}, "mine.json"), InputError);
}

// 8192 x 8192 weights of 2 B are 134.2 MB: at 4800 GB/s 28.0 us.
TEST(ProbeOperators, AreComparedAsTablesAre) {
  const InputFile file{run_file_text(run_on("NVIDIA H200", {product(1, 8192, 8192, 33)})),
                       "mine.json"};
  const auto report = validate_operators(file.path());
  ASSERT_EQ(report.rows.size(), 1u);
  EXPECT_EQ(report.rows[0].group, "h200-sxm5-141g gemm, rows 1-16");
  EXPECT_NEAR(*report.rows[0].bandwidth_only, 28.0, 0.05);
  EXPECT_DOUBLE_EQ(report.rows[0].measured, 33.0);
}

/// Products whose time is 4 us + bytes / `gb_per_s`, which memory bounds on every GPU here.
std::vector<ProbeResult> memory_bound_products(double gb_per_s = 4000) {
  std::vector<ProbeResult> probes;
  for (const std::int64_t n : {4096, 8192, 16384, 28672}) {
    for (const std::int64_t k : {4096, 8192, 16384}) {
      const double bytes = 2.0 * (static_cast<double>(n * k) + static_cast<double>(n + k));
      probes.push_back(product(1, n, k, 4.0 + bytes / (gb_per_s * 1e3)));
    }
  }
  return probes;
}

double fitted(const nlohmann::json& file, const char* parameter) {
  return file.at("classes").at("gemm").at(parameter).at("value").get<double>();
}

// 4.0 of the H200's 4.8 TB/s are 0.8333; the ramp takes a share of it, as it takes one of the 4 us.
TEST(CalibrateToProbes, FindsWhatTheProbesWereMadeOf) {
  const InputFile file{run_file_text(run_on("NVIDIA H200", memory_bound_products())), "mine.json"};
  const auto fit = calibrate_kernels_to_probes({file.path()});
  EXPECT_EQ(fit.path, "sim/device/kernels/h200-sxm5-141g.json");
  const auto json = nlohmann::json::parse(fit.text);
  EXPECT_NEAR(fitted(json, "byte_efficiency_ratio"), 4.0 / 4.8, 0.05);
  EXPECT_EQ(json.at("classes").at("gemm").at("fixed").at("source"),
            "fit of class gemm to 12 rows of mine.json");
  EXPECT_LT(json.at("residuals").at("gemm").at("rows 1-16").at("value").get<double>(), 0.01);
  // Classes that the probes say nothing about are as they were.
  const auto before =
      nlohmann::json::parse(read_text(find_data_file(DataKind::kernels, "h200-sxm5-141g")));
  EXPECT_EQ(json.at("classes").at("norm"), before.at("classes").at("norm"));
}

/// A GPU of 5 TB/s that no preset has.
std::string my_gpu() {
  const auto h200 = read_text(find_data_file(DataKind::gpu, "h200-sxm5-141g"));
  return changed(changed(h200, R"("value": 4800,)", R"("value": 5000,)"),
                 R"("name": "h200-sxm5-141g")",
                 R"("name": "my-gpu")");
}

// 4.0 of 5.0 TB/s. The rest is the nearest relative's, and assumed.
TEST(CalibrateToProbes, MakesAFileForAGpuWithoutOne) {
  const InputFile gpu{my_gpu(), "my-gpu.json"};
  const auto probes = gpu.path().parent_path() / "probes.json";
  std::ofstream{probes} << run_file_text(run_on("My GPU", memory_bound_products()));
  const auto fit = calibrate_kernels_to_probes({probes}, gpu.path().string());
  EXPECT_EQ(fit.path, "sim/device/kernels/my-gpu.json");
  const auto json = nlohmann::json::parse(fit.text);
  EXPECT_EQ(json.at("name"), "my-gpu");
  EXPECT_NEAR(fitted(json, "byte_efficiency_ratio"), 0.8, 0.05);
  const auto& norm = json.at("classes").at("norm").at("fixed");
  EXPECT_EQ(norm.at("kind"), "assumed");
  EXPECT_TRUE(norm.at("source").get<std::string>().starts_with("as on the h200-sxm5-141g: "));

  const auto written = gpu.path().parent_path() / "kernels.json";
  std::ofstream{written} << fit.text;
  EXPECT_NEAR(load_kernels(written).at(KernelClass::gemm).byte_efficiency_ratio.value, 0.8, 0.05);
}

/// The data of GPUs in a folder of the test's own, where it may be written.
class OwnGpuData {
public:
  OwnGpuData() {
    const auto device = std::filesystem::path{"sim"} / "device";
    std::filesystem::create_directories(folder_ / "sim");
    std::filesystem::copy(
        data_root() / device, folder_.path() / device, std::filesystem::copy_options::recursive);
    setenv("DECODESIM_DATA", folder_.path().c_str(), 1);
  }

  ~OwnGpuData() { unsetenv("DECODESIM_DATA"); }

  OwnGpuData(const OwnGpuData&) = delete;
  OwnGpuData& operator=(const OwnGpuData&) = delete;

private:
  TemporaryFolder folder_;
};

// The preset names a relative, whose kernels it has until there is a file of its own. 1.2 TB/s of
// its 1555 GB/s are 0.77.
TEST(CalibrateToProbes, AFileOfItsOwnComesBeforeTheRelativeThatAPresetNames) {
  const OwnGpuData data;
  const std::string name = "a100-sxm4-40g";
  EXPECT_EQ(find_gpu(name, "").kernels_of.value, "a100-sxm4-80g");
  const InputFile probes{run_file_text(run_on("mine", memory_bound_products(1200))), "mine.json"};
  const auto fit = calibrate_kernels_to_probes({probes.path()}, name);
  std::ofstream{data_root() / fit.path} << fit.text;
  const auto gpu = find_gpu(name, "");
  EXPECT_EQ(gpu.kernels_of.value, "");
  EXPECT_NEAR(gpu.kernels.at(KernelClass::gemm).byte_efficiency_ratio.value, 0.77, 0.05);
}

TEST(CalibrateToProbes, NeedsAKnownGpuAndEnoughRows) {
  const InputFile unknown{run_file_text(run_on("Abacus 9000", memory_bound_products())),
                          "mine.json"};
  EXPECT_EQ(unknown.message_of([&] { (void)calibrate_kernels_to_probes({unknown.path()}); }),
            "mine.json: no GPU preset is known as \"Abacus 9000\"; name a GPU preset or file with "
            "--gpu-name");
  const InputFile few{run_file_text(run_on("NVIDIA H200", {product(1, 8192, 8192, 33)})),
                      "few.json"};
  EXPECT_EQ(
      few.message_of([&] { (void)calibrate_kernels_to_probes({few.path()}); }),
      "few.json: has no class of kernels with enough rows; at least 10 of a class are needed");
}

} // namespace
} // namespace decodesim
