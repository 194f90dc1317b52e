#include "validation/cuda/kernels/element_type.cuh"
#include "validation/cuda/kernels/plan_kernels.cuh"

namespace decodesim {

namespace {

constexpr float rotary_base = 10'000.0F; ///< as the CPU's

template <class T> struct CacheWriteArguments {
  T* qkv;
  T* cache;
  std::int64_t query_tokens;
  std::int64_t first_position;
  std::int64_t sequences;
  std::int64_t tokens;
  std::int64_t first_sequence;
  int heads;
  int kv_heads;
  int head_size;
  bool rotates;
};

/// A block for each row and head of queries, keys and values; a thread for each pair of elements
/// that is rotated together.
template <class T> __global__ void cache_write_kernel(CacheWriteArguments<T> in) {
  const int head = static_cast<int>(blockIdx.y) + (in.rotates ? 0 : in.heads);
  const int half = in.head_size / 2;
  const auto row = static_cast<std::int64_t>(blockIdx.x);
  const auto position = in.first_position + row % in.query_tokens;
  const auto width = std::int64_t{in.heads + 2 * in.kv_heads} * in.head_size;
  T* values = in.qkv + row * width + std::int64_t{head} * in.head_size;
  const bool is_query = head < in.heads;
  const bool is_value = head >= in.heads + in.kv_heads;
  T* to = nullptr;
  if (!is_query) {
    const int kv_head = (head - in.heads) % in.kv_heads;
    const auto sequence = (is_value ? in.sequences : 0) + in.first_sequence + row / in.query_tokens;
    to = in.cache + ((sequence * in.tokens + position) * in.kv_heads + kv_head) * in.head_size;
  }
  for (int i = static_cast<int>(threadIdx.x); i < half; i += static_cast<int>(blockDim.x)) {
    float a = to_float(values[i]);
    float b = to_float(values[half + i]);
    if (in.rotates && !is_value) {
      const float angle =
          static_cast<float>(position) *
          powf(rotary_base, -2.0F * static_cast<float>(i) / static_cast<float>(in.head_size));
      const float cosine = cosf(angle);
      const float sine = sinf(angle);
      const float rotated = a * cosine - b * sine;
      b = b * cosine + a * sine;
      a = rotated;
      values[i] = from_float<T>(a);
      values[half + i] = from_float<T>(b);
    }
    if (to != nullptr) {
      to[i] = from_float<T>(a);
      to[half + i] = from_float<T>(b);
    }
  }
}

} // namespace

void launch(const CacheWriteCall& call, cudaStream_t stream) {
  if (call.rows == 0) {
    return;
  }
  with_activation_type(call.qkv.type, [&](auto element) {
    using T = decltype(element);
    const int heads = (call.rotates ? call.heads : 0) + 2 * call.kv_heads;
    cache_write_kernel<T>
        <<<dim3{static_cast<unsigned>(call.rows), static_cast<unsigned>(heads)}, 64, 0, stream>>>(
            CacheWriteArguments<T>{.qkv = static_cast<T*>(call.qkv.data),
                                   .cache = static_cast<T*>(call.to.cache.data),
                                   .query_tokens = call.query_tokens,
                                   .first_position = call.first_position,
                                   .sequences = call.to.sequences,
                                   .tokens = call.to.tokens,
                                   .first_sequence = call.to.first_sequence,
                                   .heads = call.heads,
                                   .kv_heads = call.kv_heads,
                                   .head_size = call.head_size,
                                   .rotates = call.rotates});
  });
}

} // namespace decodesim
