#include "validation/cuda/device_buffer.hpp"
#include "validation/cuda/kernels/attention_decode.cuh"
#include "validation/cuda/kernels/random_fill.cuh"
#include "validation/cuda/tests/any_device.hpp"

#include <algorithm>
#include <cmath>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <vector>

namespace decodesim {
namespace {

/// Copies values of a type to the host, as doubles.
template <class T> std::vector<double> on_host(const DeviceBuffer& buffer, std::size_t count) {
  std::vector<T> raw(count);
  check(cudaMemcpy(raw.data(), buffer.at(), count * sizeof(T), cudaMemcpyDeviceToHost), "copy");
  std::vector<double> values;
  for (const auto& one : raw) {
    values.push_back(static_cast<double>(static_cast<float>(one)));
  }
  return values;
}

struct Case {
  int sequences = 1;
  int heads = 1;
  int kv_heads = 1;
  int head_size = 64;
  std::vector<int> contexts;
  int splits = 1;
  int window = 0;
};

/// Relative distance |out - reference| / |reference| of the kernel from attention in double
/// precision.
template <class T> double error_of(const Case& shape, DataType type) {
  const int capacity = *std::max_element(shape.contexts.begin(), shape.contexts.end()) + 3;
  const auto row = static_cast<std::size_t>(shape.head_size);
  const auto cache = static_cast<std::size_t>(shape.sequences * shape.kv_heads * capacity) * row;
  const auto ends = static_cast<std::size_t>(shape.sequences * shape.heads) * row;
  const DeviceBuffer keys{cache * sizeof(T)};
  const DeviceBuffer values{cache * sizeof(T)};
  const DeviceBuffer queries{ends * sizeof(T)};
  const DeviceBuffer output{ends * sizeof(T)};
  const DeviceBuffer contexts{shape.contexts.size() * sizeof(int)};
  fill_random(keys.at(), static_cast<std::int64_t>(cache), type, 1.0f, 1, nullptr);
  fill_random(values.at(), static_cast<std::int64_t>(cache), type, 1.0f, 2, nullptr);
  fill_random(queries.at(), static_cast<std::int64_t>(ends), type, 4.0f, 3, nullptr);
  check(cudaMemset(output.at(), 0xff, output.bytes()), "poison the output");
  check(cudaMemcpy(contexts.at(),
                   shape.contexts.data(),
                   shape.contexts.size() * sizeof(int),
                   cudaMemcpyHostToDevice),
        "copy");
  AttentionDecode attention{.type = type,
                            .sequences = shape.sequences,
                            .heads = shape.heads,
                            .kv_heads = shape.kv_heads,
                            .head_size = shape.head_size,
                            .context = capacity - 3,
                            .contexts = contexts.at<int>(),
                            .window = shape.window,
                            .scale = 1.0f / std::sqrt(static_cast<float>(shape.head_size)),
                            .queries = queries.at(),
                            .query_stride = shape.heads * shape.head_size,
                            .keys = keys.at(),
                            .values = values.at(),
                            .sequence_stride = static_cast<std::int64_t>(shape.kv_heads) *
                                               capacity * shape.head_size,
                            .head_stride = static_cast<std::int64_t>(capacity) * shape.head_size,
                            .token_stride = shape.head_size,
                            .output = output.at(),
                            .splits = shape.splits};
  const DeviceBuffer workspace{attention_decode_workspace_bytes(attention)};
  attention.workspace = workspace.at<float>();
  attention_decode(attention, nullptr);
  check(cudaDeviceSynchronize(), "run attention");

  const auto k = on_host<T>(keys, cache);
  const auto v = on_host<T>(values, cache);
  const auto q = on_host<T>(queries, ends);
  const auto out = on_host<T>(output, ends);
  double difference = 0;
  double norm = 0;
  for (int s = 0; s < shape.sequences; ++s) {
    const int context = shape.contexts[static_cast<std::size_t>(s)];
    const int first = shape.window > 0 ? std::max(0, context - shape.window) : 0;
    for (int h = 0; h < shape.heads; ++h) {
      const int kv_head = h / (shape.heads / shape.kv_heads);
      const auto cache_at = [&](int token) {
        return (static_cast<std::size_t>(s * shape.kv_heads + kv_head) *
                    static_cast<std::size_t>(capacity) +
                static_cast<std::size_t>(token)) *
               row;
      };
      const auto own = static_cast<std::size_t>(s * shape.heads + h) * row;
      std::vector<double> weight;
      double total = 0;
      for (int t = first; t < context; ++t) {
        double dot = 0;
        for (std::size_t e = 0; e < row; ++e) {
          dot += q[own + e] * k[cache_at(t) + e];
        }
        weight.push_back(std::exp(dot / std::sqrt(static_cast<double>(shape.head_size))));
        total += weight.back();
      }
      for (std::size_t e = 0; e < row; ++e) {
        double expected = 0;
        for (int t = first; t < context; ++t) {
          expected += weight[static_cast<std::size_t>(t - first)] / total * v[cache_at(t) + e];
        }
        difference += (out[own + e] - expected) * (out[own + e] - expected);
        norm += expected * expected;
      }
    }
  }
  return std::sqrt(difference / norm);
}

class AttentionDecodeKernel : public OnDevice {};

// Rounding alone: 2^-24 a step in fp32, 2^-9 of the output in bf16, 2^-11 in fp16. NaN never
// passes.
constexpr double fp32_error = 1e-5;
constexpr double bf16_error = 4e-3;
constexpr double fp16_error = 1e-3;

TEST_F(AttentionDecodeKernel, EqualsAttentionInDoublePrecision) {
  for (const int head_size : {32, 64, 128, 256}) {
    for (const int kv_heads : {1, 2}) {
      for (const int group : {1, 2, 4, 7, 8, 16}) {
        const Case shape{.sequences = 2,
                         .heads = kv_heads * group,
                         .kv_heads = kv_heads,
                         .head_size = head_size,
                         .contexts = {1, 333}};
        EXPECT_LT(error_of<float>(shape, DataType::fp32), fp32_error) << head_size << " " << group;
        EXPECT_LT(error_of<__nv_bfloat16>(shape, DataType::bf16), bf16_error)
            << head_size << " " << group;
        EXPECT_LT(error_of<__half>(shape, DataType::fp16), fp16_error) << head_size << " " << group;
      }
    }
  }
}

// Of 5 tokens most of 16 splits get none.
TEST_F(AttentionDecodeKernel, SplitsGiveTheSame) {
  for (const int splits : {2, 3, 16}) {
    const Case shape{.sequences = 3,
                     .heads = 8,
                     .kv_heads = 2,
                     .head_size = 128,
                     .contexts = {5, 1000, 2047},
                     .splits = splits};
    EXPECT_LT(error_of<float>(shape, DataType::fp32), fp32_error) << splits;
    EXPECT_LT(error_of<__nv_bfloat16>(shape, DataType::bf16), bf16_error) << splits;
  }
}

TEST_F(AttentionDecodeKernel, AWindowHidesWhatIsBeforeIt) {
  const Case shape{.sequences = 2,
                   .heads = 4,
                   .kv_heads = 1,
                   .head_size = 64,
                   .contexts = {100, 700},
                   .splits = 2,
                   .window = 128};
  EXPECT_LT(error_of<float>(shape, DataType::fp32), fp32_error);
}

// The rest needs no device.

// 132 processors, four blocks each: 528. 8 sequences x 8 KV heads are 64 blocks: 9 splits, which
// 4096 tokens allow (32), 512 tokens do not (4).
TEST(AttentionDecodeSplits, FillTheProcessorsAsFarAsTheTokensGo) {
  AttentionDecode attention{
      .sequences = 8, .heads = 64, .kv_heads = 8, .head_size = 128, .context = 4096};
  EXPECT_EQ(attention_decode_splits(attention, 132), 9);
  attention.context = 512;
  EXPECT_EQ(attention_decode_splits(attention, 132), 4);
  attention.context = 100;
  EXPECT_EQ(attention_decode_splits(attention, 132), 1);
  // 16 query heads a KV head: two blocks a group, 128 in all: 5 splits.
  attention.context = 4096;
  attention.heads = 128;
  EXPECT_EQ(attention_decode_splits(attention, 132), 5);
  // 64 rows x 5 splits x (128 + 2) floats... of 8 sequences x 128 heads.
  attention.splits = 5;
  EXPECT_EQ(attention_decode_workspace_bytes(attention), 8u * 128u * 5u * 130u * 4u);
}

TEST(AttentionDecodeShapes, OthersAreRefused) {
  const AttentionDecode odd{
      .sequences = 1, .heads = 3, .kv_heads = 2, .head_size = 64, .context = 1};
  EXPECT_THROW(attention_decode(odd, nullptr), DeviceError);
  const AttentionDecode wide{
      .sequences = 1, .heads = 2, .kv_heads = 2, .head_size = 96, .context = 1};
  EXPECT_THROW(attention_decode(wide, nullptr), DeviceError);
}

} // namespace
} // namespace decodesim
