#include "validation/cuda/device_buffer.hpp"
#include "validation/cuda/kernels/matrix_product.hpp"
#include "validation/cuda/kernels/random_fill.cuh"
#include "validation/cuda/probes/device_timer.hpp"
#include "validation/cuda/probes/probe_list.hpp"

#include <array>
#include <vector>

namespace decodesim {

namespace {

/// Rows and columns of weights.
struct WeightShape {
  std::int64_t n = 0;
  std::int64_t k = 0;
};

/// Layers of Llama 3 8B and 70B and their shards at tp 2, 4 and 8: qkv, output, gate and up, down;
/// and the shards of the 70B's LM head.
constexpr std::array model_shapes{
    WeightShape{6144, 4096},  WeightShape{4096, 4096},  WeightShape{28672, 4096},
    WeightShape{4096, 14336}, WeightShape{10240, 8192}, WeightShape{8192, 8192},
    WeightShape{57344, 8192}, WeightShape{8192, 28672}, WeightShape{768, 4096},
    WeightShape{4096, 512},   WeightShape{3584, 4096},  WeightShape{4096, 1792},
    WeightShape{1280, 8192},  WeightShape{8192, 1024},  WeightShape{7168, 8192},
    WeightShape{8192, 3584},  WeightShape{2560, 8192},  WeightShape{14336, 8192},
    WeightShape{8192, 7168},  WeightShape{16032, 8192}, WeightShape{128256, 4096}};

/// A part of them that spans the range, for the other types.
constexpr std::array some_shapes{WeightShape{6144, 4096},
                                 WeightShape{4096, 14336},
                                 WeightShape{57344, 8192},
                                 WeightShape{8192, 28672},
                                 WeightShape{1280, 8192},
                                 WeightShape{8192, 1024},
                                 WeightShape{7168, 8192}};

struct Shape {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  DataType weights = DataType::bf16;

  /// Quantised weights meet activations in bf16, which are quantised before the product.
  [[nodiscard]] DataType activations() const {
    return weights == DataType::fp16 ? DataType::fp16 : DataType::bf16;
  }
};

/// Memory for all points: weights to rotate over, inputs and outputs.
class Operands {
public:
  explicit Operands(cudaStream_t stream)
      : stream_{stream}, weights_{weight_bytes}, inputs_{input_bytes}, outputs_{output_bytes} {}

  /// Random numbers in weights of this type and their inputs.
  void fill(const Shape& shape) {
    const auto fill_with = [&](const DeviceBuffer& buffer, DataType type, std::uint64_t seed) {
      const float scale = type == DataType::int8 ? 100.0f : 1.0f;
      const auto size = static_cast<std::size_t>(element_bytes(type).value());
      const auto elements = static_cast<std::int64_t>(buffer.bytes() / size);
      fill_random(buffer.at(), elements, type, scale, seed, stream_);
    };
    fill_with(weights_, shape.weights, 1);
    fill_with(inputs_, shape.activations(), 2);
  }

  /// @param weights_at  bytes from the start of all weights
  [[nodiscard]] ProductCall call(const Shape& shape, std::size_t weights_at) const {
    const auto [m, n, k, type] = shape;
    return {.m = m,
            .n = n,
            .k = k,
            .x = {.data = inputs_.at(), .type = shape.activations(), .elements = m * k},
            .w = {.data = weights_.at(weights_at), .type = type, .elements = n * k},
            .y = {.data = outputs_.at(), .type = shape.activations(), .elements = m * n},
            .largest_weight = 1.0f};
  }

  /// Throws where a product does not fit.
  static void check_fit(std::size_t weights, std::size_t inputs, std::size_t outputs) {
    if (weights > weight_bytes || inputs > input_bytes || outputs > output_bytes) {
      throw DeviceError{"the operands do not fit into what is set aside for them"};
    }
  }

private:
  static constexpr std::size_t weight_bytes = std::size_t{4} << 30;
  static constexpr std::size_t input_bytes = std::size_t{256} << 20;
  static constexpr std::size_t output_bytes = std::size_t{2} << 30;

  cudaStream_t stream_;
  DeviceBuffer weights_;
  DeviceBuffer inputs_;
  DeviceBuffer outputs_;
};

void measure(const Shape& shape,
             MatrixProducts& products,
             const Operands& operands,
             DeviceTimer& timer,
             ProbeResult& point) {
  const auto weights = bytes_of(shape.n * shape.k, shape.weights);
  const auto inputs = bytes_of(shape.m * shape.k, shape.activations());
  const auto outputs = bytes_of(shape.m * shape.n, shape.activations());
  // Copies start at multiples of 256 bytes, as allocations do.
  const auto stride = (weights + 255) / 256 * 256;
  const int copies = timer.copies_that_flush(weights);
  Operands::check_fit(static_cast<std::size_t>(copies) * stride, inputs, outputs);
  point.bytes = static_cast<std::int64_t>(weights + inputs + outputs);
  point.flop = 2 * shape.m * shape.n * shape.k;
  products.prepare(operands.call(shape, 0));
  timer.time(point, copies, [&](int i) {
    products.run(operands.call(shape, static_cast<std::size_t>(i % copies) * stride),
                 timer.stream());
  });
}

} // namespace

void probe_gemm(ProbeSession& session) {
  DeviceTimer timer{session.limits().rule};
  MatrixProducts products;
  Operands operands{timer.stream()};
  const auto sweep = [&](DataType type, auto shapes, const std::vector<std::int64_t>& rows) {
    operands.fill({.weights = type});
    for (const auto& [n, k] : shapes) {
      for (const auto m : rows) {
        session.point({.parameters = {{"m", m}, {"n", n}, {"k", k}, {"dtype", to_string(type)}},
                       .l2 = "flushed"},
                      [&](ProbeResult& point) {
                        measure({m, n, k, type}, products, operands, timer, point);
                      });
      }
    }
  };
  sweep(DataType::bf16, model_shapes, {1, 4, 16, 64, 256});
  sweep(DataType::fp8, some_shapes, {1, 16, 64, 256});
  sweep(DataType::bf16, some_shapes, {2, 8, 32, 128, 1024, 4096});
  sweep(DataType::fp8, some_shapes, {4, 1024});
  sweep(DataType::fp16, some_shapes, {1, 16, 256});
  sweep(DataType::int8, some_shapes, {1, 16, 256});
}

} // namespace decodesim
