#include "validation/cuda/device_buffer.hpp"
#include "validation/cuda/kernels/attention_decode.cuh"
#include "validation/cuda/kernels/random_fill.cuh"
#include "validation/cuda/probes/device_timer.hpp"
#include "validation/cuda/probes/probe_list.hpp"

#include <cmath>
#include <utility>

namespace decodesim {

namespace {

constexpr int head_size = 128;
constexpr std::size_t element = 2; ///< bytes of bf16
/// Keys and values each; larger points are not asked for.
constexpr std::size_t half_cache_bytes = std::size_t{6} << 30;
constexpr std::size_t ends_bytes = std::size_t{64} << 20;

/// Random keys, values and queries for all points.
struct Cache {
  explicit Cache(cudaStream_t stream) {
    const auto count = [](std::size_t bytes) { return static_cast<std::int64_t>(bytes / element); };
    fill_random(keys.at(), count(half_cache_bytes), DataType::bf16, 1.0f, 1, stream);
    fill_random(values.at(), count(half_cache_bytes), DataType::bf16, 1.0f, 2, stream);
    fill_random(queries.at(), count(ends_bytes), DataType::bf16, 1.0f, 3, stream);
  }

  DeviceBuffer keys{half_cache_bytes};
  DeviceBuffer values{half_cache_bytes};
  DeviceBuffer queries{ends_bytes};
  DeviceBuffer output{ends_bytes};
};

/// Keys, or values, of one copy.
std::size_t half_bytes(int batch, int context, int kv_heads) {
  return static_cast<std::size_t>(batch) * static_cast<std::size_t>(context) *
         static_cast<std::size_t>(kv_heads) * head_size * element;
}

void measure(const Cache& cache,
             AttentionDecode attention,
             DeviceTimer& timer,
             ProbeResult& point) {
  const auto half = half_bytes(attention.sequences, attention.context, attention.kv_heads);
  const int copies = timer.copies_that_flush(2 * half);
  if (static_cast<std::size_t>(copies) * half > half_cache_bytes) {
    throw DeviceError{"the cache does not fit into what is set aside for it"};
  }
  // One sequence after the other, of each its KV heads, of each its tokens.
  attention.token_stride = head_size;
  attention.head_stride = static_cast<std::int64_t>(attention.context) * head_size;
  attention.sequence_stride = attention.head_stride * attention.kv_heads;
  attention.query_stride = static_cast<std::int64_t>(attention.heads) * head_size;
  attention.scale = 1.0f / std::sqrt(static_cast<float>(head_size));
  attention.queries = cache.queries.at();
  attention.output = cache.output.at();
  attention.splits = attention_decode_splits(attention, timer.sm_count());
  const DeviceBuffer workspace{attention_decode_workspace_bytes(attention)};
  attention.workspace = workspace.at<float>();
  const auto ends = 2 * static_cast<std::int64_t>(attention.sequences) * attention.heads *
                    head_size * static_cast<std::int64_t>(element);
  point.parameters["splits"] = attention.splits;
  point.bytes = static_cast<std::int64_t>(2 * half) + ends;
  point.flop = 4ll * attention.sequences * attention.heads * head_size * attention.context;
  timer.time(point, copies, [&](int i) {
    const auto at = static_cast<std::size_t>(i % copies) * half;
    attention.keys = cache.keys.at(at);
    attention.values = cache.values.at(at);
    attention_decode(attention, timer.stream());
  });
}

} // namespace

void probe_attention_decode(ProbeSession& session) {
  DeviceTimer timer{session.limits().rule};
  const Cache cache{timer.stream()};
  // Llama 3 70B at tp 8, 2 and 1; Llama 3 8B whole; a model with a KV head per query head.
  const std::pair<int, int> heads_and_kv_heads[] = {{8, 1}, {32, 8}, {64, 8}, {32, 4}, {32, 32}};
  for (const auto& [heads, kv_heads] : heads_and_kv_heads) {
    for (const int batch : {1, 4, 16, 64, 256}) {
      for (const int context : {128, 512, 2048, 8192, 32768}) {
        const AttentionDecode attention{.sequences = batch,
                                        .heads = heads,
                                        .kv_heads = kv_heads,
                                        .head_size = head_size,
                                        .context = context};
        if (half_bytes(batch, context, kv_heads) > half_cache_bytes / 3) {
          continue;
        }
        session.point({.parameters = {{"batch", batch},
                                      {"context", context},
                                      {"heads", heads},
                                      {"kv_heads", kv_heads},
                                      {"head_size", head_size},
                                      {"dtype", "bf16"}},
                       .l2 = "flushed"},
                      [&](ProbeResult& point) { measure(cache, attention, timer, point); });
      }
    }
  }
}

} // namespace decodesim
