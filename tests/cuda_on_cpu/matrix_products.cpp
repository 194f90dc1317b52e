#include "tests/cuda_on_cpu/emulation.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <cublasLt.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <map>

using namespace cuda_on_cpu;

// cuBLASLt of products D = A^T B of column-major matrices, and what its documentation
// (cublasLtMatmul, tables of types and alignments) asks of them.

namespace cuda_on_cpu {

namespace {

/// Calls `use` with an element of the type.
template <class Use> auto with_element(cudaDataType_t type, Use use) {
  switch (type) {
  case CUDA_R_32F:
    return use(float{});
  case CUDA_R_16BF:
    return use(__nv_bfloat16{});
  case CUDA_R_16F:
    return use(__half{});
  case CUDA_R_8F_E4M3:
    return use(__nv_fp8_e4m3{});
  case CUDA_R_8I:
    return use(std::int8_t{});
  case CUDA_R_32I:
    return use(std::int32_t{});
  default:
    breach("computes in a type that is not emulated");
  }
}

} // namespace

std::size_t size_of(cudaDataType_t type) {
  return with_element(type, [](auto one) { return sizeof one; });
}

float element(const void* array, cudaDataType_t type, std::size_t index) {
  return with_element(type, [&](auto one) {
    return static_cast<float>(static_cast<const decltype(one)*>(array)[index]);
  });
}

void set_element(void* array, cudaDataType_t type, std::size_t index, float value) {
  with_element(type, [&](auto one) {
    static_cast<decltype(one)*>(array)[index] = static_cast<decltype(one)>(value);
  });
}

namespace {

constexpr std::size_t workspace_used = 1 << 20;
constexpr std::uint64_t least_int8_rows = 16; // the real one has no algorithm for few rows, either

// What handles point to: the library's are of its own size, and nobody looks into them.
template <class Own, class Handle> Own& own(Handle handle) {
  return *reinterpret_cast<Own*>(handle);
}

/// Attributes of an operation or a preference, as bytes.
class Attributes {
public:
  cublasStatus_t set(int attribute, const void* value, std::size_t bytes) {
    values_[attribute] = std::string{static_cast<const char*>(value), bytes};
    return CUBLAS_STATUS_SUCCESS;
  }

  template <class Value> [[nodiscard]] Value get(int attribute, Value otherwise) const {
    const auto found = values_.find(attribute);
    if (found != values_.end()) {
      breach_unless(found->second.size() == sizeof otherwise, "sets an attribute of another size");
      std::memcpy(&otherwise, found->second.data(), sizeof otherwise);
    }
    return otherwise;
  }

private:
  std::map<int, std::string> values_;
};

struct Operation {
  cublasComputeType_t compute;
  cudaDataType_t scale;
  Attributes attributes;

  [[nodiscard]] bool has_bias() const {
    return attributes.get(CUBLASLT_MATMUL_DESC_EPILOGUE, 0) == CUBLASLT_EPILOGUE_BIAS;
  }

  [[nodiscard]] cudaDataType_t bias_type() const {
    return attributes.get(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_64F);
  }
};

struct Matrix {
  cudaDataType_t type;
  std::uint64_t rows;
  std::uint64_t columns;
  std::uint64_t step; ///< elements from column to column

  [[nodiscard]] std::size_t bytes() const { return ((columns - 1) * step + rows) * size_of(type); }

  [[nodiscard]] std::vector<float> values(const void* data) const {
    std::vector<float> all;
    for (std::uint64_t i = 0; i < rows * columns; ++i) {
      all.push_back(element(data, type, i / rows * step + i % rows));
    }
    return all;
  }
};

/// What an algorithm was found for, inside of cublasLtMatmulAlgo_t.
struct Algorithm {
  std::array<std::uint64_t, 3> sizes;
  std::array<std::uint32_t, 4> alignment; ///< of A, B, C, D
};

bool is_multiple(std::uint64_t of, std::initializer_list<std::uint64_t> all) {
  return std::all_of(all.begin(), all.end(), [of](auto one) { return one % of == 0; });
}

/// Why the library has no such product; "" if it has.
std::string problem(const Operation& o, const Matrix& a, const Matrix& b, const Matrix& d) {
  if (o.attributes.get(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_N) != CUBLAS_OP_T ||
      o.attributes.get(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N) != CUBLAS_OP_N) {
    return "only A is transposed here";
  }
  if (a.type != b.type || a.rows != b.rows || d.rows != a.columns || d.columns != b.columns ||
      a.rows * a.columns * b.columns == 0 || a.step < a.rows || b.step < b.rows ||
      d.step < d.rows) {
    return "the matrices do not fit";
  }
  const bool is_int8 = a.type == CUDA_R_8I;
  if (o.compute != (is_int8 ? CUBLAS_COMPUTE_32I : CUBLAS_COMPUTE_32F) ||
      o.scale != (is_int8 ? CUDA_R_32I : CUDA_R_32F)) {
    return "it computes in another type";
  }
  if (is_int8) {
    return d.type != CUDA_R_32I || o.has_bias()                          ? "int8 gives int32 alone"
           : b.columns < least_int8_rows                                 ? "few rows of int8"
           : is_multiple(4, {a.step, b.step, d.step, a.rows, a.columns}) ? ""
                                                                         : "int8 of odd sizes";
  }
  if (a.type == CUDA_R_8F_E4M3) {
    return size_of(d.type) == 1 ? "fp8 gives larger types alone"
           : o.has_bias() && o.bias_type() != (d.type == CUDA_R_32F ? CUDA_R_16BF : d.type)
               ? "fp8 with a bias of another type"
           : is_multiple(16, {a.step, b.step, d.step * size_of(d.type), a.rows, a.columns})
               ? ""
               : "fp8 of odd sizes";
  }
  return d.type != a.type || (o.has_bias() && o.bias_type() != d.type) ? "types differ" : "";
}

cublasStatus_t unsupported(const std::string& why) {
  say("cuBLASLt has no such product: " + why);
  return CUBLAS_STATUS_NOT_SUPPORTED;
}

template <class Own, class Handle> cublasStatus_t destroy(Handle handle) {
  delete reinterpret_cast<Own*>(handle);
  return CUBLAS_STATUS_SUCCESS;
}

} // namespace

} // namespace cuda_on_cpu

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  const Call call;
  breach_unless(!is_capturing(), "starts cuBLASLt during a capture");
  *handle = reinterpret_cast<cublasLtHandle_t>(new char);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) { return destroy<char>(handle); }

const char* cublasLtGetStatusString(cublasStatus_t) { return "a product is refused"; }

std::size_t cublasLtGetVersion() { return CUBLAS_VERSION; }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* operation,
                                        cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  *operation = reinterpret_cast<cublasLtMatmulDesc_t>(new Operation{compute, scale, {}});
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) {
  return destroy<Operation>(operation);
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value,
                                              std::size_t bytes) {
  return own<Operation>(operation).attributes.set(attribute, value, bytes);
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* matrix,
                                          cudaDataType type,
                                          std::uint64_t rows,
                                          std::uint64_t columns,
                                          std::int64_t step) {
  *matrix = reinterpret_cast<cublasLtMatrixLayout_t>(
      new Matrix{type, rows, columns, static_cast<std::uint64_t>(step)});
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t matrix) {
  return destroy<Matrix>(matrix);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = reinterpret_cast<cublasLtMatmulPreference_t>(new Attributes);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  return destroy<Attributes>(preference);
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value,
                                                    std::size_t bytes) {
  return own<Attributes>(preference).set(attribute, value, bytes);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t,
                                              cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a_handle,
                                              cublasLtMatrixLayout_t b_handle,
                                              cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t d_handle,
                                              cublasLtMatmulPreference_t preference,
                                              int wanted,
                                              cublasLtMatmulHeuristicResult_t* results,
                                              int* count) {
  const Call call;
  const auto& a = own<Matrix>(a_handle);
  const auto& b = own<Matrix>(b_handle);
  const auto& prefers = own<Attributes>(preference);
  const auto aligned = [&prefers](int attribute) { return prefers.get(attribute, 256U); };
  const Algorithm found{{a.columns, b.columns, a.rows},
                        {aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES),
                         aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES),
                         aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES),
                         aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES)}};
  const auto least = *std::min_element(found.alignment.begin(), found.alignment.end());
  const auto why =
      wanted < 1 || prefers.get(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, 0UL) < workspace_used
          ? "there is no workspace"
      : least < (a.type == CUDA_R_8F_E4M3 ? 16
                 : a.type == CUDA_R_8I    ? 4
                                          : size_of(a.type))
          ? "the matrices are not aligned"
          : problem(own<Operation>(operation), a, b, own<Matrix>(d_handle));
  *count = 0;
  if (!why.empty()) {
    return unsupported(why);
  }
  *results = {.workspaceSize = workspace_used, .state = CUBLAS_STATUS_SUCCESS};
  std::memcpy(&results->algo, &found, sizeof found);
  *count = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t,
                              cublasLtMatmulDesc_t handle,
                              const void* alpha,
                              const void* a_data,
                              cublasLtMatrixLayout_t a_handle,
                              const void* b_data,
                              cublasLtMatrixLayout_t b_handle,
                              const void* beta,
                              const void* c_data,
                              cublasLtMatrixLayout_t,
                              void* d_data,
                              cublasLtMatrixLayout_t d_handle,
                              const cublasLtMatmulAlgo_t* algorithm,
                              void* workspace,
                              std::size_t workspace_bytes,
                              cudaStream_t stream) {
  const Call call;
  const auto o = own<Operation>(handle);
  const auto a = own<Matrix>(a_handle);
  const auto b = own<Matrix>(b_handle);
  const auto d = own<Matrix>(d_handle);
  if (const auto why = problem(o, a, b, d); !why.empty()) {
    return unsupported(why);
  }
  Algorithm found{};
  std::memcpy(&found, algorithm, sizeof found);
  breach_unless(found.sizes == std::array{a.columns, b.columns, a.rows},
                "multiplies with the algorithm of another product");
  const std::array operands{a_data, b_data, c_data, static_cast<const void*>(d_data)};
  for (std::size_t i = 0; i < operands.size(); ++i) {
    breach_unless(reinterpret_cast<std::uintptr_t>(operands[i]) % found.alignment[i] == 0,
                  "multiplies matrices that are less aligned than it said");
  }
  const int one = o.scale == CUDA_R_32I ? 1 : std::bit_cast<int>(1.0F);
  breach_unless(*static_cast<const int*>(alpha) == one && *static_cast<const int*>(beta) == 0,
                "scales a product, which is not emulated");
  const auto* bias = o.attributes.get<const void*>(CUBLASLT_MATMUL_DESC_BIAS_POINTER, nullptr);
  breach_unless(is_on_device(a_data, a.bytes()) && is_on_device(b_data, b.bytes()) &&
                    is_on_device(d_data, d.bytes()) && workspace_bytes >= workspace_used &&
                    is_on_device(workspace, workspace_bytes) &&
                    (!o.has_bias() || is_on_device(bias, d.rows * size_of(o.bias_type()))),
                "multiplies what is not on the device");
  enqueue(stream, "a matrix product", without_waiting([=] {
            const auto weights = a.values(a_data);
            const auto inputs = b.values(b_data);
            for (std::uint64_t i = 0; i < d.rows * d.columns; ++i) {
              const auto row = i % d.rows;
              const auto column = i / d.rows;
              float sum = 0.0F;
              for (std::uint64_t k = 0; k < a.rows; ++k) {
                sum += weights[row * a.rows + k] * inputs[column * a.rows + k];
              }
              sum += o.has_bias() ? element(bias, o.bias_type(), row) : 0.0F;
              set_element(d_data, d.type, column * d.step + row, sum);
            }
          }));
  return CUBLAS_STATUS_SUCCESS;
}
}
