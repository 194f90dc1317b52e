#include "sim/data_files.hpp"
#include "sim/device/gpu.hpp"
#include "sim/device/kernel_cost.hpp"
#include "sim/json_reader.hpp"
#include "tests/unit/input_file.hpp"

#include <gtest/gtest.h>

namespace decodesim {
namespace {

using namespace literals;

class GpuPreset : public testing::TestWithParam<std::string> {};

TEST_P(GpuPreset, IsCompleteAndSourced) {
  const auto gpu = find_gpu(GetParam(), "--gpu");
  EXPECT_EQ(gpu.name, GetParam());
  EXPECT_FALSE(gpu.summary.empty());
  EXPECT_GE(gpu.kernels.size(), 9u); // gemm_fp8 where it is known apart
  EXPECT_FALSE(gpu.memory_capacity.source.empty());
  EXPECT_EQ(gpu.memory_bandwidth.kind, SourceKind::datasheet);
  for (const auto& [type, peak] : gpu.peak) {
    EXPECT_EQ(peak.kind, SourceKind::datasheet) << to_string(type);
  }
  for (const auto& [kernel_class, cost] : gpu.kernels) {
    EXPECT_FALSE(cost.fixed.source.empty()) << to_string(kernel_class);
    EXPECT_LT(cost.fixed.value, 40.0_us) << to_string(kernel_class);
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         GpuPreset,
                         testing::ValuesIn(data_file_names(DataKind::gpu)),
                         [](const auto& preset_info) {
                           auto name = preset_info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(GpuPresets, AreThoseThatAreDocumented) {
  const std::vector<std::string> expected{
      "a10-24g",       "a100-pcie-40g",  "a100-pcie-80g", "a100-sxm4-40g",    "a100-sxm4-80g",
      "a30-24g",       "a40-48g",        "a800-pcie-80g", "a800-sxm4-80g",    "b200-sxm",
      "b300-sxm",      "gb200-186g",     "h100-nvl-94g",  "h100-pcie-80g",    "h100-sxm5-80g",
      "h20-141g",      "h20-96g",        "h200-nvl-141g", "h200-sxm5-141g",   "h800-sxm5-80g",
      "l4-24g",        "l40s-48g",       "rtx-a6000-48g", "rtx-pro-6000-96g", "rtx2080ti-11g",
      "rtx3070-8g",    "rtx3080-10g",    "rtx3080ti-12g", "rtx3090-24g",      "rtx4000ada-20g",
      "rtx4070ti-12g", "rtx4080-16g",    "rtx4090-24g",   "rtx4090d-24g",     "rtx5000ada-32g",
      "rtx5090-32g",   "rtx6000ada-48g", "t4-16g",        "v100-pcie-16g",    "v100-pcie-32g",
      "v100-sxm2-16g", "v100-sxm2-32g",  "v100s-pcie-32g"};
  EXPECT_EQ(data_file_names(DataKind::gpu), expected);
}

TEST(GpuPresets, HoldLlama70BInBf16OnOneH200ButNotOnAnA100) {
  // 70.55e9 parameters of 2 bytes are 141.1 GB. An H200 reports 143,771 MiB = 150.8 GB; less the
  // reserve of 1.5 GiB 149.1 GB are left.
  const Bytes weights{2 * 70.55e9};
  EXPECT_NEAR(find_gpu("h200-sxm5-141g", "").usable_memory().value(), 149.14e9, 0.01e9);
  EXPECT_GT(find_gpu("h200-sxm5-141g", "").usable_memory(), weights);
  EXPECT_LT(find_gpu("a100-sxm4-80g", "").usable_memory(), weights);
}

TEST(GpuPresets, GiveDensePeaks) {
  const auto a100 = find_gpu("a100-sxm4-80g", "");
  EXPECT_EQ(a100.peak.at(DataType::bf16).value, 312.0_TFLOPs);
  EXPECT_EQ(a100.peak.at(DataType::int8).value, 624.0_TFLOPs);
  EXPECT_FALSE(a100.peak.contains(DataType::fp8));
  const auto h100 = find_gpu("h100-sxm5-80g", "");
  EXPECT_EQ(h100.peak.at(DataType::bf16).value, 989.4_TFLOPs);
  EXPECT_EQ(h100.peak.at(DataType::fp8).value, 1978.9_TFLOPs);
  // NVIDIA quotes 5 PFLOP/s of BF16 for a B200 of a GB200 with sparsity, half of it without.
  EXPECT_EQ(find_gpu("gb200-186g", "").peak.at(DataType::bf16).value, 2500.0_TFLOPs);
  EXPECT_EQ(find_gpu("h200-nvl-141g", "").peak.at(DataType::bf16).value, 835.5_TFLOPs);
}

/// "a, b, c"
std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

TEST(GpuFile, SuggestsTheNearestPreset) {
  const InputFile unused{""};
  EXPECT_EQ(unused.message_of([] { (void)find_gpu("h100-sxm-80g", "--gpu"); }),
            "--gpu: GPU \"h100-sxm-80g\" is unknown; did you mean \"h100-sxm5-80g\"? known: " +
                listed(data_file_names(DataKind::gpu)));
}

TEST(GpuFile, ThatIsMissingIsNamed) {
  const InputFile unused{""};
  EXPECT_EQ(unused.message_of([] { (void)find_gpu("/no/such/gpu.json", "--gpu"); }),
            "/no/such/gpu.json: cannot be read; give a file that exists");
}

/// Text of a preset's file, to make mistakes in.
std::string preset_text() { return read_text(find_data_file(DataKind::gpu, "a100-sxm4-80g")); }

std::string message_after(std::string_view from, std::string_view to) {
  const InputFile file{changed(preset_text(), from, to), "gpu.json"};
  return file.message_of([&] { (void)load_gpu(file.path()); });
}

TEST(GpuFile, LoadsFromAPath) {
  const InputFile file{preset_text(), "gpu.json"};
  EXPECT_EQ(find_gpu(file.path().string(), "--gpu").name, "a100-sxm4-80g");
}

TEST(GpuFile, RefusesAnotherFormatVersion) {
  EXPECT_EQ(message_after("\"format_version\": 1", "\"format_version\": 2"),
            "gpu.json: /format_version: is 2; a whole number from 1 to 1 is expected");
}

TEST(GpuFile, RefusesUnknownKeys) {
  EXPECT_EQ(
      message_after("\"memory_reserve\"", "\"memory_reserv\""),
      "gpu.json: /: key \"memory_reserv\" is unknown; did you mean \"memory_reserve\"? known: "
      "format_version, name, summary, compute_capability, sm_count, l2_cache, memory_capacity, "
      "memory_reserve, memory_bandwidth, "
      "peak, eager_launch, graph_launch, kernels");
}

TEST(GpuFile, RefusesAReserveAboveTheCapacity) {
  EXPECT_EQ(message_after("{\"value\": 1.5, \"unit\": \"GiB\"", "{\"value\": 90, \"unit\": \"GB\""),
            "gpu.json: /memory_reserve: is 90 GB; less than the capacity of 85.9 GB is expected");
}

/// As message_after, of the file of kernels.
std::string kernels_message_after(std::string_view from, std::string_view to) {
  const InputFile file{
      changed(read_text(find_data_file(DataKind::kernels, "a100-sxm4-80g")), from, to), "k.json"};
  return file.message_of([&] { (void)load_kernels(file.path()); });
}

TEST(KernelFile, RequiresEveryKernelClass) {
  EXPECT_EQ(kernels_message_after("\"sampling\"", "\"_sampling\""),
            "k.json: /classes: has no \"sampling\"; it is required");
}

TEST(KernelFile, RefusesAnUnknownKernelClass) {
  EXPECT_EQ(kernels_message_after("\"gemm\": {\n      \"fixed\"", "\"gem\": {\n      \"fixed\""),
            "k.json: /classes: key \"gem\" is unknown; did you mean \"gemm\"? known: gemm, "
            "grouped_gemm, attention_decode, attention_latent, attention_prefill, norm, "
            "elementwise, embedding, sampling, gemm_fp8");
}

TEST(GpuFile, KnowsItsGenerationAndProcessors) {
  const auto gpu = find_gpu("h100-sxm5-80g", "");
  EXPECT_EQ(gpu.compute_capability, (ComputeCapability{9, 0}));
  EXPECT_EQ(to_string(gpu.compute_capability), "9.0");
  EXPECT_EQ(gpu.sm_count.value, 132);
  EXPECT_EQ(gpu.l2_cache.value.value(), 50.0 * 1024 * 1024);
  EXPECT_TRUE(gpu.kernels_of.value.empty());
}

TEST(GpuFile, RefusesACapabilityThatIsNotTwoNumbers) {
  EXPECT_EQ(message_after("\"8.0\"", "\"sm_80\""),
            "gpu.json: /compute_capability: is \"sm_80\"; two numbers as in \"9.0\" are expected");
}

TEST(GpuFile, MayNameTheGpuWhoseKernelsItTakes) {
  const auto gpu = find_gpu("v100-sxm2-32g", "");
  const auto a100 = find_gpu("a100-sxm4-80g", "");
  EXPECT_EQ(gpu.kernels_of.value, "a100-sxm4-80g");
  const auto& cost = gpu.kernels.at(KernelClass::gemm);
  EXPECT_EQ(cost.fixed.value, a100.kernels.at(KernelClass::gemm).fixed.value);
  EXPECT_EQ(cost.fixed.kind, SourceKind::assumed);
  EXPECT_EQ(cost.fixed.source.substr(0, 21), "as on the a100-sxm4-8");
}

TEST(GpuFile, RefusesKernelsOfAnUnknownGpu) {
  const InputFile file{
      changed(read_text(find_data_file(DataKind::gpu, "l4-24g")), "l40s-48g", "l40s-4g"),
      "gpu.json"};
  EXPECT_EQ(file.message_of([&] { (void)load_gpu(file.path()); }),
            "gpu.json: /kernels: GPU with kernels \"l40s-4g\" is unknown; did you mean "
            "\"l40s-48g\"? known: " +
                listed(data_file_names(DataKind::kernels)));
}

// Without kernels and under another name: those of the nearest generation that is not newer, and
// there of the nearest memory bandwidth.
TEST(GpuFile, TakesTheKernelsOfItsNearestRelative) {
  const auto relative_of = [](const std::string& preset, const std::string& remove) {
    auto text = changed(read_text(find_data_file(DataKind::gpu, preset)),
                        "\"name\": \"" + preset + "\"",
                        "\"name\": \"mine\"");
    if (!remove.empty()) {
      text = changed(text, ",\n  \"kernels\": \"" + remove + "\"", "");
    }
    const InputFile file{text, "gpu.json"};
    return load_gpu(file.path()).kernels_of.value;
  };
  EXPECT_EQ(relative_of("a100-sxm4-80g", ""), "a100-sxm4-80g");
  EXPECT_EQ(relative_of("rtx4080-16g", "rtx4090-24g"),
            "l40s-48g"); // 717 is nearer to 864 than 1008
  EXPECT_EQ(relative_of("b200-sxm", "h200-sxm5-141g"), "h200-sxm5-141g");
  EXPECT_EQ(relative_of("t4-16g", "a40-48g"), "a100-sxm4-80g"); // none older: the oldest
}

TEST(GpuFile, MayHaveKernelsOfItsOwn) {
  const auto kernels = read_text(find_data_file(DataKind::kernels, "a100-sxm4-80g"));
  const auto begin = kernels.find("\"classes\": ") + 11;
  const auto end = kernels.find(",\n  \"residuals\"");
  const InputFile file{
      changed(preset_text(),
              "\"eager_launch\"",
              "\"kernels\": " + kernels.substr(begin, end - begin) + ", \"eager_launch\""),
      "gpu.json"};
  const auto gpu = load_gpu(file.path());
  EXPECT_TRUE(gpu.kernels_of.value.empty());
  EXPECT_EQ(gpu.kernels.size(), 9u);
}

// What is not told is that of an A100, but for the generation, which the types of products tell.
TEST(GpuFile, MayLeaveOutWhatOlderFilesLack) {
  auto text = preset_text();
  for (const auto* key : {"compute_capability", "sm_count", "l2_cache"}) {
    text = changed(text, std::string{"\""} + key + "\"", std::string{"\"_"} + key + "\"");
  }
  const InputFile file{text, "gpu.json"};
  const auto gpu = load_gpu(file.path());
  EXPECT_EQ(gpu.compute_capability, (ComputeCapability{8, 0}));
  EXPECT_EQ(gpu.sm_count.value, 108);
  EXPECT_EQ(gpu.sm_count.kind, SourceKind::assumed);
}

TEST(GpuFile, RequiresAPeakOfSixteenBits) {
  const InputFile file{
      changed(changed(preset_text(), "\"bf16\"", "\"_bf16\""), "\"fp16\"", "\"_fp16\""),
      "gpu.json"};
  EXPECT_EQ(file.message_of([&] { (void)load_gpu(file.path()); }),
            "gpu.json: /peak: has neither \"bf16\" nor \"fp16\"; one is required: types without a "
            "peak are computed in it");
}

// Volta has no bf16: what is stored so is computed in fp16.
TEST(GpuPresets, ComputeInFp16WhereThereIsNoBf16) {
  const auto v100 = find_gpu("v100-sxm2-32g", "");
  KernelWork work{.kernel_class = KernelClass::gemm, .compute = DataType::fp16, .flop = Flop{1e15}};
  const auto half = kernel_time(work, v100);
  work.compute = DataType::bf16;
  EXPECT_EQ(kernel_time(work, v100), half);
}

TEST(GpuFile, RefusesAPeakOfATypeThatIsOnlyStored) {
  EXPECT_EQ(message_after("\"int8\"", "\"int4\""),
            "gpu.json: /peak/int4: is a peak for a type that nothing is computed in; int4 weights "
            "are computed in bf16");
}

TEST(GpuFile, RefusesAnUnknownType) {
  EXPECT_EQ(message_after("\"int8\"", "\"int9\""),
            "gpu.json: /peak: data type \"int9\" is unknown; did you mean \"int8\"? known: fp32, "
            "bf16, fp16, fp8, int8, int4, int4_g64, int4_g32, "
            "mxfp4, q4_0, q4_k_m, q8_0");
}

TEST(KernelClassName, IsThatOfTheFiles) {
  EXPECT_EQ(to_string(KernelClass::attention_decode), "attention_decode");
}

} // namespace
} // namespace decodesim
