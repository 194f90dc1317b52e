#include "validation/cuda/device_buffer.hpp"
#include "validation/cuda/kernels/plan_kernels.cuh"
#include "validation/cuda/kernels/random_fill.cuh"
#include "validation/cuda/probes/device_timer.hpp"
#include "validation/cuda/probes/probe_list.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace decodesim {

namespace {

constexpr std::int64_t element_size = 2;    ///< bf16
constexpr std::int64_t vocabulary = 128256; ///< Llama 3's
constexpr int head_size = 128;
constexpr std::int64_t past_tokens = 511; ///< that a rotated token comes after

/// A row-wise kernel of a plan at one shape: columns that it reads and writes of each row.
struct RowShape {
  std::string function;
  std::int64_t rows = 0;
  std::int64_t read_columns = 0;
  std::int64_t write_columns = 0;
};

/// Arrays of bf16 in memory that is set aside for one shape.
class Arrays {
public:
  explicit Arrays(cudaStream_t stream) : stream_{stream} {}

  /// With random numbers in [-1, 1).
  Array filled(std::int64_t elements) {
    const auto array = empty(elements);
    fill_random(array.data, elements, DataType::bf16, 1.0f, memory_.size(), stream_);
    return array;
  }

  Array empty(std::int64_t elements) {
    memory_.emplace_back(static_cast<std::size_t>(elements * element_size));
    return {.data = memory_.back().at(), .type = DataType::bf16, .elements = elements};
  }

  /// Token ids, spread over the vocabulary.
  Array tokens(std::int64_t count) {
    std::vector<std::int32_t> ids;
    for (std::int64_t i = 0; i < count; ++i) {
      ids.push_back(static_cast<std::int32_t>(i * 7919 % vocabulary));
    }
    auto array = empty(2 * count);
    check(cudaMemcpy(
              array.data, ids.data(), ids.size() * sizeof(std::int32_t), cudaMemcpyHostToDevice),
          "copy token ids to the device");
    array.type = DataType::fp32; // of as many bytes
    array.elements = count;
    return array;
  }

private:
  cudaStream_t stream_;
  std::vector<DeviceBuffer> memory_;
};

/// Queries of all but a fifth of the columns, keys and values: groups of eight heads.
CacheWriteCall rotary(const RowShape& shape, Arrays& arrays) {
  const auto kv_heads = static_cast<int>(shape.read_columns / head_size / 10);
  const auto sequences = std::min<std::int64_t>(shape.rows, 64);
  const auto tokens = shape.rows / sequences;
  const auto room = past_tokens + tokens;
  return {.rows = shape.rows,
          .query_tokens = tokens,
          .first_position = past_tokens,
          .heads = 8 * kv_heads,
          .kv_heads = kv_heads,
          .head_size = head_size,
          .rotates = true,
          .qkv = arrays.filled(shape.rows * shape.read_columns),
          .to = {.cache = arrays.empty(2 * sequences * room * kv_heads * head_size),
                 .sequences = sequences,
                 .tokens = room}};
}

KernelCall call_of(const RowShape& shape, Arrays& arrays) {
  const auto read = shape.rows * shape.read_columns;
  const auto written = shape.rows * shape.write_columns;
  if (shape.function == "norm") { // the residual is added, and the sum kept
    return NormCall{.rows = shape.rows,
                    .columns = shape.write_columns / 2,
                    .x = arrays.filled(read / 2),
                    .added = arrays.filled(read / 2),
                    .weight = arrays.filled(shape.write_columns / 2),
                    .y = arrays.empty(written / 2),
                    .sum = arrays.empty(written / 2)};
  }
  if (shape.function == "residual_add") {
    return SumCall{.rows = shape.rows,
                   .columns = shape.write_columns,
                   .in = {arrays.filled(written), arrays.filled(written)},
                   .out = arrays.empty(written)};
  }
  if (shape.function == "gated_activation") {
    return ActivationCall{.rows = shape.rows,
                          .columns = shape.write_columns,
                          .in = arrays.filled(read),
                          .out = arrays.empty(written)};
  }
  if (shape.function == "rotary") {
    return rotary(shape, arrays);
  }
  if (shape.function == "embedding") {
    return EmbeddingCall{.rows = shape.rows,
                         .columns = shape.write_columns,
                         .table_rows = vocabulary,
                         .tokens = arrays.tokens(shape.rows),
                         .table = arrays.filled(vocabulary * shape.read_columns),
                         .out = arrays.empty(written)};
  }
  return SamplingCall{.rows = shape.rows,
                      .vocabulary = shape.read_columns,
                      .part_columns = shape.read_columns,
                      .logits = arrays.filled(read),
                      .sampled = arrays.tokens(shape.rows)};
}

void launch_row_kernel(const KernelCall& call, cudaStream_t stream) {
  std::visit(
      [stream](const auto& one) {
        if constexpr (requires { launch(one, stream); }) {
          launch(one, stream);
        }
      },
      call);
  check(cudaGetLastError(), "launch the row-wise kernel");
}

/// One set of operands, used again and again: in a model too, a row-wise kernel finds in the L2
/// cache what the kernel before it has written.
void measure(const RowShape& shape, DeviceTimer& timer, ProbeResult& point) {
  Arrays arrays{timer.stream()};
  const auto call = call_of(shape, arrays);
  timer.time(point, 1, [&](int) { launch_row_kernel(call, timer.stream()); });
}

} // namespace

void probe_row_kernels(ProbeSession& session) {
  DeviceTimer timer{session.limits().rule};
  const auto point = [&](const RowShape& shape) {
    const auto bytes = shape.rows * (shape.read_columns + shape.write_columns) * element_size;
    session.point({.parameters = {{"function", shape.function},
                                  {"rows", shape.rows},
                                  {"read_columns", shape.read_columns},
                                  {"write_columns", shape.write_columns},
                                  {"dtype", "bf16"}},
                   .bytes = bytes},
                  [&](ProbeResult& result) { measure(shape, timer, result); });
  };
  for (const std::int64_t rows : {1, 4, 16, 64, 256, 1024, 8192}) {
    for (const std::int64_t hidden : {4096, 8192}) {
      point({"norm", rows, 2 * hidden, 2 * hidden});
      point({"residual_add", rows, 2 * hidden, hidden});
      point({"rotary", rows, hidden + hidden / 4, hidden + hidden / 4});
      point({"embedding", rows, hidden, hidden});
    }
    for (const std::int64_t ffn : {3584, 14336, 28672}) {
      point({"gated_activation", rows, 2 * ffn, ffn});
    }
    for (const auto columns : {vocabulary / 8, vocabulary}) {
      point({"sampling", rows, columns, 1});
    }
  }
}

} // namespace decodesim
