#include "validation/cuda/device_buffer.hpp"
#include "validation/cuda/kernels/cublaslt_gemm.hpp"
#include "validation/cuda/kernels/random_fill.cuh"
#include "validation/cuda/probes/device_timer.hpp"
#include "validation/cuda/probes/probe_list.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <type_traits>
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

struct HandleDeleter {
  void operator()(cublasLtHandle_t handle) const { cublasLtDestroy(handle); }
};

using Handle = std::unique_ptr<std::remove_pointer_t<cublasLtHandle_t>, HandleDeleter>;

Handle make_handle() {
  cublasLtHandle_t handle = nullptr;
  check(cublasLtCreate(&handle), "start cuBLASLt");
  return Handle{handle};
}

/// Memory for all points: weights to rotate over, inputs, outputs and workspace.
class Operands {
public:
  explicit Operands(cudaStream_t stream)
      : stream_{stream}, weights_{weight_bytes}, inputs_{input_bytes}, outputs_{output_bytes},
        workspace_{CublasLtGemm::workspace_bytes} {}

  /// Random numbers of a type in weights and inputs.
  void fill(DataType type) {
    const auto size = static_cast<std::int64_t>(element_bytes(type).value());
    const float scale = type == DataType::int8 ? 100.0f : 1.0f;
    fill_random(
        weights_.at(), static_cast<std::int64_t>(weight_bytes) / size, type, scale, 1, stream_);
    fill_random(
        inputs_.at(), static_cast<std::int64_t>(input_bytes) / size, type, scale, 2, stream_);
  }

  void run(const CublasLtGemm& gemm, std::size_t weights_at) const {
    gemm.run(inputs_.at(), weights_.at(weights_at), outputs_.at(), workspace_.at(), stream_);
  }

  /// Throws where a product does not fit.
  static void check_fit(std::size_t weights, std::size_t inputs, std::size_t outputs) {
    if (weights > weight_bytes || inputs > input_bytes || outputs > output_bytes) {
      throw DeviceError{"the operands do not fit into what is set aside for them"};
    }
  }

  static constexpr std::size_t weight_bytes = std::size_t{4} << 30;

private:
  static constexpr std::size_t input_bytes = std::size_t{256} << 20;
  static constexpr std::size_t output_bytes = std::size_t{2} << 30;

  cudaStream_t stream_;
  DeviceBuffer weights_;
  DeviceBuffer inputs_;
  DeviceBuffer outputs_;
  DeviceBuffer workspace_;
};

/// Index of the fastest algorithm, each timed over a few launches.
std::size_t
fastest_algorithm(CublasLtGemm& gemm, DeviceTimer& timer, const std::function<void(int)>& launch) {
  constexpr int launches = 10;
  std::size_t best = 0;
  double best_us = 0;
  for (std::size_t i = 0; i < gemm.algorithms(); ++i) {
    gemm.choose(i);
    launch(0);
    const double us = timer.elapsed_us([&] {
      for (int j = 0; j < launches; ++j) {
        launch(j);
      }
    });
    if (i == 0 || us < best_us) {
      best = i;
      best_us = us;
    }
  }
  return best;
}

void measure(const CublasLtGemm::Shape& shape,
             bool autotune,
             cublasLtHandle_t handle,
             const Operands& operands,
             DeviceTimer& timer,
             ProbeResult& point) {
  CublasLtGemm gemm{handle, shape};
  const auto element = static_cast<std::size_t>(element_bytes(shape.type).value());
  const auto weights = static_cast<std::size_t>(shape.n * shape.k) * element;
  const auto inputs = static_cast<std::size_t>(shape.m * shape.k) * element;
  const auto outputs = static_cast<std::size_t>(shape.m * shape.n) * gemm.output_element_bytes();
  // Copies start at multiples of 256 bytes, as allocations do.
  const auto stride = (weights + 255) / 256 * 256;
  const int copies = timer.copies_that_flush(weights);
  Operands::check_fit(static_cast<std::size_t>(copies) * stride, inputs, outputs);
  const auto launch = [&](int i) {
    operands.run(gemm, static_cast<std::size_t>(i % copies) * stride);
  };
  point.bytes = static_cast<std::int64_t>(weights + inputs + outputs);
  point.flop = 2 * shape.m * shape.n * shape.k;
  point.parameters["output"] = gemm.output_type();
  if (autotune) {
    const auto best = fastest_algorithm(gemm, timer, launch);
    gemm.choose(best);
    point.parameters["algorithm"] =
        "autotuned: " + std::to_string(best + 1) + " of " + std::to_string(gemm.algorithms());
  }
  timer.time(point, copies, launch);
}

} // namespace

void probe_gemm(ProbeSession& session) {
  DeviceTimer timer{session.limits().rule};
  const auto handle = make_handle();
  Operands operands{timer.stream()};
  const auto sweep = [&](DataType type, auto shapes, const std::vector<std::int64_t>& rows) {
    operands.fill(type);
    for (const auto& [n, k] : shapes) {
      for (const auto m : rows) {
        const CublasLtGemm::Shape shape{m, n, k, type};
        session.point({.parameters = {{"m", m},
                                      {"n", n},
                                      {"k", k},
                                      {"dtype", to_string(type)},
                                      {"algorithm", "heuristic"}},
                       .l2 = "flushed"},
                      [&](ProbeResult& point) {
                        measure(
                            shape, session.limits().autotune, handle.get(), operands, timer, point);
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
