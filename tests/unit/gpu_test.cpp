#include "sim/data_files.hpp"
#include "sim/device/gpu.hpp"
#include "sim/device/kernel_cost.hpp"
#include "sim/json_reader.hpp"
#include "sim/quantity_text.hpp"
#include "sim/sourced_json.hpp"
#include "tests/unit/input_file.hpp"

#include <gtest/gtest.h>

namespace decodesim {
namespace {

using namespace literals;

JsonReader json_of(std::string_view text) { return JsonReader::parse(text, "f.json"); }

template <class Read> std::string message_of(Read read, std::string_view text) {
  try {
    (void)read(json_of(text));
  } catch (const InputError& problem) {
    return problem.what();
  }
  return "no InputError";
}

// ----------------------------------------------------------------------------- sourced numbers

TEST(SourcedNumber, KeepsValueKindAndSource) {
  const auto number = read_bytes_per_second(json_of(
      R"({"value": 4.8, "unit": "TB/s", "kind": "datasheet", "source": "H200 datasheet"})"));
  EXPECT_DOUBLE_EQ(number.value.value(), 4.8e12);
  EXPECT_EQ(number.kind, SourceKind::datasheet);
  EXPECT_EQ(number.source, "H200 datasheet");
}

TEST(SourcedNumber, ConvertsEveryUnit) {
  const auto in = [](auto read, const std::string& unit) {
    return read(json_of(R"({"value": 2, "kind": "published", "source": "x", "unit": ")" + unit +
                        "\"}"))
        .value.value();
  };
  EXPECT_EQ(in(read_seconds, "s"), 2.0);
  EXPECT_EQ(in(read_seconds, "ms"), 2e-3);
  EXPECT_EQ(in(read_seconds, "us"), 2e-6);
  EXPECT_EQ(in(read_seconds, "ns"), 2e-9);
  EXPECT_EQ(in(read_bytes, "kB"), 2e3);
  EXPECT_EQ(in(read_bytes, "TB"), 2e12);
  EXPECT_EQ(in(read_bytes, "KiB"), 2048.0);
  // 2 MiB is 2 x 2^20, 2 GiB is 2 x 2^30, 2 TiB is 2 x 2^40.
  EXPECT_EQ(in(read_bytes, "MiB"), 2097152.0);
  EXPECT_EQ(in(read_bytes, "GiB"), 2147483648.0);
  EXPECT_EQ(in(read_bytes, "TiB"), 2199023255552.0);
  EXPECT_EQ(in(read_bytes_per_second, "MB/s"), 2e6);
  EXPECT_EQ(in(read_bytes_per_second, "GiB/s"), 2147483648.0);
  // 2 Gbit/s is 2e9 / 8 B/s.
  EXPECT_EQ(in(read_bytes_per_second, "Gbit/s"), 2.5e8);
  EXPECT_EQ(in(read_bytes_per_second, "Mbit/s"), 2.5e5);
  EXPECT_EQ(in(read_flop_per_second, "GFLOP/s"), 2e9);
  EXPECT_EQ(in(read_flop_per_second, "TFLOP/s"), 2e12);
  EXPECT_EQ(in(read_flop_per_second, "PFLOP/s"), 2e15);
}

TEST(SourcedNumber, IsTheNearestDouble) {
  const auto number =
      read_seconds(json_of(R"({"value": 0.11, "unit": "us", "kind": "published", "source": "x"})"));
  EXPECT_EQ(number.value.value(), 1.1e-7);
}

TEST(SourcedNumber, RefusesAnUnknownUnit) {
  EXPECT_EQ(
      message_of(read_seconds, R"({"value": 1, "unit": "u", "kind": "assumed", "source": "x"})"),
      "f.json: /unit: unit \"u\" is unknown; did you mean \"s\"? known: s, ms, us, ns");
}

TEST(SourcedNumber, RefusesTheUnitOfAnotherQuantity) {
  EXPECT_EQ(message_of(read_flop_per_second,
                       R"({"value": 1, "unit": "parsecs", "kind": "assumed", "source": "x"})"),
            "f.json: /unit: unit \"parsecs\" is unknown; known: GFLOP/s, TFLOP/s, PFLOP/s");
}

TEST(SourcedNumber, RefusesAnUnknownKind) {
  EXPECT_EQ(
      message_of(read_seconds, R"({"value": 1, "unit": "s", "kind": "guessed", "source": "x"})"),
      "f.json: /kind: kind \"guessed\" is unknown; known: datasheet, measured, published, "
      "fitted, assumed");
}

TEST(SourcedNumber, RequiresItsSource) {
  EXPECT_EQ(message_of(read_seconds, R"({"value": 1, "unit": "s", "kind": "datasheet"})"),
            "f.json: /: has no \"source\"; it is required");
  EXPECT_EQ(
      message_of(read_seconds, R"({"value": 1, "unit": "s", "kind": "datasheet", "source": " "})"),
      "f.json: /source: is empty; name the document that the value is from");
  EXPECT_EQ(
      message_of(read_seconds, R"({"value": 1, "unit": "s", "kind": "assumed", "source": ""})"),
      "f.json: /source: is empty; give the reason for the assumption");
}

TEST(SourcedNumber, RefusesUnknownKeys) {
  EXPECT_EQ(
      message_of(read_seconds, R"({"value": 1, "units": "s", "kind": "assumed", "source": "x"})"),
      "f.json: /: key \"units\" is unknown; did you mean \"unit\"? known: value, unit, kind, "
      "source");
}

TEST(SourcedNumber, RefusesABareNumber) {
  EXPECT_EQ(message_of(read_seconds, "5"), "f.json: /: is a number; an object is expected");
}

TEST(SourcedNumber, MayBeZeroOnlyWhenItIsATime) {
  EXPECT_EQ(
      message_of(read_seconds, R"({"value": 0, "unit": "us", "kind": "assumed", "source": "x"})"),
      "no InputError");
  EXPECT_EQ(message_of(read_bytes_per_second,
                       R"({"value": 0, "unit": "GB/s", "kind": "assumed", "source": "x"})"),
            "f.json: /value: is 0 B/s; from 1 kB/s to 1000 TB/s is expected");
}

TEST(SourcedNumber, IsWithinReason) {
  const auto with_value = [](const std::string& value, const std::string& unit) {
    return R"({"value": )" + value + R"(, "unit": ")" + unit +
           R"(", "kind": "assumed", "source": "x"})";
  };
  EXPECT_EQ(message_of(read_seconds, with_value("-1", "us")),
            "f.json: /value: is -1 us; from 0 s to 10 s is expected");
  EXPECT_EQ(message_of(read_seconds, with_value("1e3", "s")),
            "f.json: /value: is 1000 s; from 0 s to 10 s is expected");
  EXPECT_EQ(message_of(read_bytes, with_value("2000", "TB")),
            "f.json: /value: is 2000 TB; from 1 B to 1000 TB is expected");
  EXPECT_EQ(message_of(read_ratio, with_value("1.5", "ratio")),
            "f.json: /value: is 1.5; from 0.0001 to 1 is expected");
  EXPECT_EQ(message_of(read_seconds, with_value("\"1\"", "us")),
            "f.json: /value: is \"1\"; a finite number is expected");
}

TEST(QuantityText, UsesTheUnitThatPeopleUse) {
  EXPECT_EQ(to_text(0.96_us), "960 ns");
  EXPECT_EQ(to_text(7.96_us), "7.96 us");
  EXPECT_EQ(to_text(Seconds{0.0}), "0 s");
  EXPECT_EQ(to_text(2039.0_GBps), "2.039 TB/s");
  EXPECT_EQ(to_text(300.0_GBps), "300 GB/s");
  // 999.96 GB/s in four digits is 1000 GB/s, which is written 1 TB/s.
  EXPECT_EQ(to_text(999.96_GBps), "1 TB/s");
  EXPECT_EQ(to_text(312.0_TFLOPs), "312 TFLOP/s");
  EXPECT_EQ(to_text(1.5_GiB), "1.611 GB");
}

// ----------------------------------------------------------------------------------- GPU files

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

/// 1000 GB/s, 100 TFLOP/s, 10 processors, 1 MB of L2; products without fixed cost.
Gpu simple_gpu(KernelClassCost cost = {}) {
  Gpu gpu;
  gpu.memory_bandwidth.value = 1000.0_GBps;
  gpu.peak[DataType::bf16].value = 100.0_TFLOPs;
  gpu.sm_count.value = 10;
  gpu.l2_cache.value = Bytes{1e6};
  cost.flop_efficiency_ratio.value = 1.0;
  cost.byte_efficiency_ratio.value = 1.0;
  gpu.kernels[KernelClass::gemm] = cost;
  return gpu;
}

/// 3 us of memory and 4 us of arithmetic.
constexpr KernelWork three_and_four{
    .kernel_class = KernelClass::gemm, .flop = Flop{4e8}, .bytes = Bytes{3e6}};

TEST(KernelTime, IsTheLargerOfMemoryAndArithmetic) {
  EXPECT_NEAR(kernel_time(three_and_four, simple_gpu()).value(), 4e-6, 1e-15);
}

// The 2-norm of 3 and 4 is 5, the 1-norm 7.
TEST(KernelTime, RoundsTheRidge) {
  EXPECT_NEAR(
      kernel_time(three_and_four, simple_gpu({.overlap_exponent = {{.value = 2.0}}})).value(),
      5e-6,
      1e-15);
  EXPECT_NEAR(
      kernel_time(three_and_four, simple_gpu({.overlap_exponent = {{.value = 1.0}}})).value(),
      7e-6,
      1e-15);
}

// 4 MB with a ramp of 1 MB: 4 + sqrt(4 x 1) = 6 us; 100 MB: 100 + sqrt(100) = 110 us.
TEST(KernelTime, ReachesItsBandwidthWithLongStreams) {
  const auto gpu = simple_gpu({.ramp = {{.value = Bytes{1e6}}}});
  EXPECT_NEAR(kernel_time({.bytes = Bytes{4e6}}, gpu).value(), 6e-6, 1e-15);
  EXPECT_NEAR(kernel_time({.bytes = Bytes{100e6}}, gpu).value(), 110e-6, 1e-15);
}

// Of 3 MB 1 MB is in L2, which is 4 times as fast: 2 + 1/4 us. 0.4 MB: 0.1 us.
TEST(KernelTime, ReadsFromTheCacheWhatFits) {
  const auto gpu = simple_gpu({.cache_speedup = {{.value = 4.0}}});
  EXPECT_NEAR(kernel_time({.bytes = Bytes{3e6}}, gpu).value(), 2.25e-6, 1e-15);
  EXPECT_NEAR(kernel_time({.bytes = Bytes{0.4e6}}, gpu).value(), 0.1e-6, 1e-15);
}

// 2 us, 500 steps of 2 ns, 30 rows of 1 us on 10 processors: 2 + 1 + 3 us.
TEST(KernelTime, CountsStepsAndRows) {
  const auto gpu = simple_gpu({.fixed = {.value = 2.0_us},
                               .per_depth = {{.value = Seconds{2e-9}}},
                               .per_row = {{.value = 1.0_us}}});
  EXPECT_NEAR(kernel_time({.depth = 500, .rows = 30}, gpu).value(), 6e-6, 1e-15);
}

// One processor reads a token in 20 ns: 1000 tokens take 20 us, however little memory moves; with a
// split cache 3 us.
TEST(KernelTime, IsBoundByOneProcessorWhereTheCacheIsNotSplit) {
  const auto gpu = simple_gpu({.per_unsplit_token = {{.value = Seconds{20e-9}}}});
  KernelWork work{.bytes = Bytes{3e6}, .depth = 1000, .unsplit = true};
  EXPECT_NEAR(kernel_time(work, gpu).value(), 20e-6, 1e-15);
  work.unsplit = false;
  EXPECT_NEAR(kernel_time(work, gpu).value(), 3e-6, 1e-15);
}

TEST(KernelTime, HasParametersOfItsOwnInFp8) {
  auto gpu = simple_gpu({.fixed = {.value = 1.0_us}});
  gpu.kernels[KernelClass::gemm_fp8] = gpu.kernels[KernelClass::gemm];
  gpu.kernels[KernelClass::gemm_fp8].fixed.value = 7.0_us;
  const KernelWork work{.compute = DataType::fp8};
  // Without a peak in fp8 it is computed in bf16, by that kernel.
  EXPECT_EQ(kernel_time(work, gpu), 1.0_us);
  gpu.peak[DataType::fp8].value = 200.0_TFLOPs;
  EXPECT_EQ(kernel_time(work, gpu), 7.0_us);
  EXPECT_EQ(kernel_time({.compute = DataType::bf16}, gpu), 1.0_us);
}

TEST(KernelLibrary, ReplacesFixedCostsAndScalesEfficiencies) {
  Gpu gpu;
  gpu.memory_bandwidth.value = 1000.0_GBps;
  gpu.peak[DataType::bf16].value = 100.0_TFLOPs;
  gpu.kernels[KernelClass::gemm] = {{10.0_us, {}, ""}, {1.0, {}, ""}, {0.5, {}, ""}};
  const KernelWork work{.kernel_class = KernelClass::gemm, .bytes = Bytes{1e6}};
  // 1 MB at half of 1000 GB/s is 2 us.
  EXPECT_NEAR(kernel_time(work, gpu).value(), 12e-6, 1e-15);
  // Starts in 4 us, and reaches 0.5 x 1.6 = 0.8: 1.25 us.
  KernelLibrary library{.fixed = {{KernelClass::gemm, 4.0_us}},
                        .byte_efficiency = {{KernelClass::gemm, 1.6}}};
  EXPECT_NEAR(kernel_time(work, gpu, library).value(), 5.25e-6, 1e-15);
  // 0.5 x 4 is held at 1: 1 us.
  library.byte_efficiency[KernelClass::gemm] = 4.0;
  EXPECT_NEAR(kernel_time(work, gpu, library).value(), 5e-6, 1e-15);
}

// 20 processors of 10 GB/s each move 1 MB in 5 us, however wide the memory; in 1 us at 1000 GB/s,
// where 200 of them do.
TEST(KernelLibrary, LimitsWhatOneProcessorMoves) {
  Gpu gpu;
  gpu.memory_bandwidth.value = 1000.0_GBps;
  gpu.sm_count.value = 20;
  gpu.peak[DataType::bf16].value = 100.0_TFLOPs;
  gpu.kernels[KernelClass::gemm] = {{{}, {}, ""}, {1.0, {}, ""}, {1.0, {}, ""}};
  const KernelWork work{.kernel_class = KernelClass::gemm, .bytes = Bytes{1e6}};
  const KernelLibrary library{
      .fixed = {}, .byte_efficiency = {}, .per_sm_bandwidth = {{KernelClass::gemm, 10.0_GBps}}};
  EXPECT_NEAR(kernel_time(work, gpu, library).value(), 5e-6, 1e-15);
  gpu.sm_count.value = 200;
  EXPECT_NEAR(kernel_time(work, gpu, library).value(), 1e-6, 1e-15);
}

// Split, 3 MB at 1000 GB/s take 3 us; one block reads 1000 tokens at 20 ns each, whatever the KV
// heads.
TEST(KernelLibrary, HoldsUnsplitAttentionToOneBlock) {
  Gpu gpu;
  gpu.memory_bandwidth.value = 1000.0_GBps;
  gpu.peak[DataType::bf16].value = 100.0_TFLOPs;
  gpu.kernels[KernelClass::attention_decode] = {{{}, {}, ""}, {1.0, {}, ""}, {1.0, {}, ""}};
  const KernelWork work{
      .kernel_class = KernelClass::attention_decode, .bytes = Bytes{3e6}, .depth = 1000};
  EXPECT_NEAR(kernel_time(work, gpu).value(), 3e-6, 1e-15);
  const KernelLibrary library{
      .fixed = {},
      .byte_efficiency = {},
      .per_unsplit_token = {{KernelClass::attention_decode, Seconds{20e-9}}}};
  EXPECT_NEAR(kernel_time(work, gpu, library).value(), 20e-6, 1e-15);
}

// 3 MB of cache, which 4 query heads of each KV head read each: 12 MB at 10 x 400 GB/s are as fast
// as memory, 3 us; at 10 x 200 GB/s they take 6 us.
TEST(KernelLibrary, ReadsTheCacheOnceForEachQueryHead) {
  Gpu gpu;
  gpu.memory_bandwidth.value = 1000.0_GBps;
  gpu.sm_count.value = 10;
  gpu.peak[DataType::bf16].value = 100.0_TFLOPs;
  gpu.kernels[KernelClass::attention_decode] = {{{}, {}, ""}, {1.0, {}, ""}, {1.0, {}, ""}};
  const KernelWork work{.kernel_class = KernelClass::attention_decode,
                        .bytes = Bytes{3e6},
                        .cache_by_head = Bytes{12e6}};
  for (const auto& [each, us] : {std::pair{400.0_GBps, 3.0}, std::pair{200.0_GBps, 6.0}}) {
    const KernelLibrary library{.fixed = {},
                                .byte_efficiency = {},
                                .per_sm_cache_reads = {{KernelClass::attention_decode, each}}};
    EXPECT_NEAR(kernel_time(work, gpu, library).value(), us * 1e-6, 1e-15);
  }
}

// Class gemm_fp8 starts in 7 us since it quantises first; where that is fused, products in fp8 cost
// as class gemm.
TEST(KernelLibrary, SparesFusedQuantisation) {
  Gpu gpu;
  gpu.memory_bandwidth.value = 1000.0_GBps;
  gpu.peak[DataType::bf16].value = 100.0_TFLOPs;
  gpu.peak[DataType::fp8].value = 200.0_TFLOPs;
  gpu.kernels[KernelClass::gemm] = {{3.0_us, {}, ""}, {1.0, {}, ""}, {1.0, {}, ""}};
  gpu.kernels[KernelClass::gemm_fp8] = {{7.0_us, {}, ""}, {1.0, {}, ""}, {1.0, {}, ""}};
  const KernelWork work{
      .kernel_class = KernelClass::gemm, .compute = DataType::fp8, .bytes = Bytes{1e6}};
  EXPECT_NEAR(kernel_time(work, gpu).value(), 8e-6, 1e-15);
  EXPECT_NEAR(
      kernel_time(work, gpu, {.fixed = {}, .byte_efficiency = {}, .fused_quantisation = true})
          .value(),
      4e-6,
      1e-15);
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
