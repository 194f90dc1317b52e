#include "sim/data_files.hpp"
#include "sim/error.hpp"
#include "tests/unit/input_file.hpp"
#include "validation/calibrate_kernels.hpp"
#include "validation/operator_table.hpp"
#include "validation/validate_operators.hpp"

#include <gtest/gtest.h>

namespace decodesim {
namespace {

TEST(OperatorTable, ReadsProducts) {
  const InputFile file{"# source: mine\n"
                       "system,dtype,m,n,k,latency_us\n"
                       "a100_sxm,bfloat16,4,1024,2048,7.5\n"
                       "h100_sxm,fp8,4,1024,2048,7.5\n",
                       "mine.csv"};
  const auto rows = read_operators(file.path());
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].gpu, "a100-sxm4-80g");
  EXPECT_EQ(rows[0].id, "mine.csv:3: m 4, n 1024, k 2048");
  EXPECT_DOUBLE_EQ(rows[0].measured.value(), 7.5e-6);
  EXPECT_EQ(rows[0].work.front().flop.value(), 2.0 * 4 * 1024 * 2048);
  EXPECT_EQ(rows[0].repeated.value(), 2.0 * 1024 * 2048);
  EXPECT_EQ(rows[1].operation, KernelClass::gemm_fp8);
  EXPECT_EQ(rows[1].repeated.value(), 1.0 * 1024 * 2048);
}

// Llama-3-70B at TP 2: 32 heads and 4 KV heads of 128 on a rank; 14,336 of the 28,672 columns.
TEST(OperatorTable, ReadsShardsOfModels) {
  const InputFile file{"hardware,model,tp,op,tokens,kv_len,activated_experts,time_us\n"
                       "RTXPRO6000,meta-llama/Llama-3.1-70B,2,gate_up_proj,3,,,10\n"
                       "RTXPRO6000,meta-llama/Llama-3.1-70B,2,attention_decode,3,100,,10\n"
                       "RTXPRO6000,meta-llama/Llama-3.1-70B,2,conjuring,3,,,10\n",
                       "mine.csv"};
  const auto rows = read_operators(file.path());
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].gpu, "rtx-pro-6000-96g");
  EXPECT_EQ(rows[0].work.front().flop.value(), 2.0 * 3 * 28672 * 8192);
  EXPECT_EQ(rows[1].work.front().flop.value(), 2.0 * 3 * 100 * 32 * 256);
  EXPECT_EQ(rows[2].reason, "operator \"conjuring\" is not modelled");
}

TEST(OperatorTable, RefusesOtherTables) {
  const InputFile file{"a,b\n1,2\n", "mine.csv"};
  EXPECT_EQ(file.message_of([&] { (void)read_operators(file.path()); }),
            "mine.csv: has not the columns of a table of kernels; docs/formats.md lists those that "
            "are known");
}

// An A100 has 40 MiB of L2: 41.9 MB. 4096 x 8192 weights of 2 B are 67 MB, 2048 x 4096 16.8 MB,
// 512 x 1024 1.05 MB, less than 1/32 of it.
TEST(OperatorTable, KnowsWhatTimesTheCache) {
  const InputFile file{"system,dtype,m,n,k,latency_us\n"
                       "a100,bfloat16,1,4096,8192,50\n"
                       "a100,bfloat16,1,2048,4096,9\n"
                       "a100,bfloat16,1,512,1024,5\n",
                       "mine.csv"};
  const auto rows = read_operators(file.path());
  const auto gpu = find_gpu("a100-sxm4-80g", "");
  EXPECT_TRUE(tells_about_memory(rows[0], gpu));
  EXPECT_FALSE(tells_about_memory(rows[1], gpu));
  EXPECT_TRUE(tells_about_memory(rows[2], gpu));
}

// 67.1 MB at 2039 GB/s are 32.9 us.
TEST(ValidateOperators, ComparesWithRooflineToo) {
  const InputFile file{"system,dtype,m,n,k,latency_us\n"
                       "a100,bfloat16,1,4096,8192,50\n"
                       "abacus,bfloat16,1,4096,8192,50\n",
                       "mine.csv"};
  const auto report = validate_operators(file.path());
  ASSERT_EQ(report.rows.size(), 2u);
  EXPECT_EQ(report.rows[0].group, "a100-sxm4-80g gemm, rows 1-16");
  EXPECT_NEAR(*report.rows[0].bandwidth_only, 32.9, 0.05);
  EXPECT_NEAR(*report.rows[0].roofline, 32.9, 0.05);
  EXPECT_GT(*report.rows[0].simulated, 38.0);
  EXPECT_FALSE(report.rows[0].fitted);
  EXPECT_EQ(report.rows[1].status, CaseStatus::not_supported);
  EXPECT_EQ(report.rows[1].reason, "no GPU preset is known as \"abacus\"");
}

TEST(CalibrateKernels, ReproducesTheFilesThatAreThere) {
  for (const auto& file : calibrate_kernels()) {
    EXPECT_EQ(file.text, read_text(data_root() / file.path)) << file.path;
  }
}

} // namespace
} // namespace decodesim
