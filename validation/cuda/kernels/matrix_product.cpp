#include "validation/cuda/kernels/matrix_product.hpp"

#include "validation/cuda/device_error.hpp"
#include "validation/cuda/kernels/plan_kernels.cuh"

#include <bit>
#include <initializer_list>

namespace decodesim {

namespace {

/// What NVIDIA recommends for Hopper (cuBLAS documentation, cublasSetWorkspace).
constexpr std::size_t workspace_bytes = std::size_t{32} << 20;

cudaDataType_t cuda_type(DataType type) {
  switch (type) {
  case DataType::fp32:
    return CUDA_R_32F;
  case DataType::bf16:
    return CUDA_R_16BF;
  case DataType::fp16:
    return CUDA_R_16F;
  case DataType::fp8:
    return CUDA_R_8F_E4M3;
  case DataType::int8:
    return CUDA_R_8I;
  default:
    throw std::runtime_error{"cuBLASLt multiplies no matrices of " + to_string(type)};
  }
}

bool is_one_byte(DataType type) { return type == DataType::fp8 || type == DataType::int8; }

/// Whether the product's own epilogue adds the bias; that of int8 is added with the scale.
bool adds_bias(const ProductCall& call) { return call.bias && call.w.type != DataType::int8; }

template <class Value>
void set(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t attribute, Value value) {
  check(cublasLtMatmulDescSetAttribute(operation, attribute, &value, sizeof value),
        "describe a matrix product");
}

/// Largest power of two, at most 256, that all addresses are multiples of.
std::uint32_t alignment_of(std::initializer_list<const void*> addresses) {
  std::uintptr_t bits = 256;
  for (const auto* address : addresses) {
    bits |= reinterpret_cast<std::uintptr_t>(address);
  }
  return std::uint32_t{1} << static_cast<unsigned>(std::countr_zero(bits));
}

/// One expert's product: `rows` rows from row `first` of both x and y.
ProductCall of_expert(const GroupedProductCall& call,
                      const Array& x,
                      std::size_t slot,
                      std::int64_t first,
                      std::int64_t rows) {
  const auto number = static_cast<std::int64_t>(slot);
  ProductCall one{
      .m = rows,
      .n = call.n,
      .k = call.k,
      .x = {.data = address_in(x, first * call.k), .type = x.type, .elements = rows * call.k},
      .w = {.data = address_in(call.w, number * call.n * call.k),
            .type = call.w.type,
            .elements = call.n * call.k},
      .y = {.data = address_in(call.y, first * call.n),
            .type = call.y.type,
            .elements = rows * call.n},
      .largest_weight = call.largest_weight};
  if (call.bias) {
    one.bias = Array{.data = address_in(*call.bias, number * call.n),
                     .type = call.bias->type,
                     .elements = call.n};
  }
  return one;
}

} // namespace

MatrixProducts::MatrixProducts() {
  check(cublasLtCreate(&handle_), "start cuBLASLt");
  workspace_.reserve(workspace_bytes);
}

MatrixProducts::~MatrixProducts() {
  for (const auto& [shape, one] : products_) {
    destroy(one);
  }
  cublasLtDestroy(handle_);
}

void MatrixProducts::destroy(const Product& one) {
  cublasLtMatrixLayoutDestroy(one.outputs);
  cublasLtMatrixLayoutDestroy(one.inputs);
  cublasLtMatrixLayoutDestroy(one.weights);
  cublasLtMatmulDescDestroy(one.operation);
}

/// Describes inputs and outputs of `rows` rows. @returns whether there is an algorithm
bool MatrixProducts::find_algorithm(Product& one, const Shape& shape, std::int64_t rows) {
  const auto m = static_cast<std::uint64_t>(rows);
  const auto n = static_cast<std::uint64_t>(shape.n);
  const auto k = static_cast<std::uint64_t>(shape.k);
  const auto output = shape.weights == DataType::int8 ? CUDA_R_32I : cuda_type(shape.outputs);
  cublasLtMatrixLayoutDestroy(one.outputs);
  cublasLtMatrixLayoutDestroy(one.inputs);
  one.rows = rows;
  check(cublasLtMatrixLayoutCreate(&one.inputs, cuda_type(shape.weights), k, m, shape.row_step),
        "describe inputs");
  check(cublasLtMatrixLayoutCreate(&one.outputs, output, n, m, shape.n), "describe outputs");
  cublasLtMatmulPreference_t preference = nullptr;
  check(cublasLtMatmulPreferenceCreate(&preference), "describe a matrix product");
  check(cublasLtMatmulPreferenceSetAttribute(preference,
                                             CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                             &workspace_bytes,
                                             sizeof workspace_bytes),
        "limit the workspace");
  for (const auto attribute : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                               CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                               CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                               CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    check(cublasLtMatmulPreferenceSetAttribute(
              preference, attribute, &shape.alignment, sizeof shape.alignment),
          "say how matrices are aligned");
  }
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  const auto result = cublasLtMatmulAlgoGetHeuristic(handle_,
                                                     one.operation,
                                                     one.weights,
                                                     one.inputs,
                                                     one.outputs,
                                                     one.outputs,
                                                     preference,
                                                     1,
                                                     &found,
                                                     &count);
  cublasLtMatmulPreferenceDestroy(preference);
  one.algorithm = found.algo;
  return result == CUBLAS_STATUS_SUCCESS && count > 0 && found.state == CUBLAS_STATUS_SUCCESS;
}

MatrixProducts::Product& MatrixProducts::product(const ProductCall& call) {
  const bool quantises = is_one_byte(call.w.type);
  const auto stride = quantises ? call.k : call.rows.step * call.k;
  const bool whole = call.w.type == DataType::int8;
  // Memory of our own is aligned as much as is asked for.
  const void* x = quantises ? nullptr : address_in(call.x, call.rows.first * call.k);
  const void* y = whole ? nullptr : call.y.data;
  const Shape shape{.m = call.m,
                    .n = call.n,
                    .k = call.k,
                    .row_step = stride,
                    .weights = call.w.type,
                    .outputs = call.y.type,
                    .bias = adds_bias(call),
                    .alignment = alignment_of({call.w.data, x, y})};
  const auto [entry, is_new] = products_.try_emplace(shape);
  auto& one = entry->second;
  if (!is_new) {
    return one;
  }
  check(cublasLtMatmulDescCreate(&one.operation,
                                 whole ? CUBLAS_COMPUTE_32I : CUBLAS_COMPUTE_32F,
                                 whole ? CUDA_R_32I : CUDA_R_32F),
        "describe a matrix product");
  // cuBLASLt's matrices are column-major: row-major y is y^T = W x^T, and W is stored as k x n.
  set(one.operation, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  set(one.operation, CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
  if (call.w.type == DataType::fp8) {
    set(one.operation, CUBLASLT_MATMUL_DESC_FAST_ACCUM, std::int8_t{1});
  }
  if (adds_bias(call)) {
    set(one.operation, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    set(one.operation, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, cuda_type(call.bias->type));
  }
  check(cublasLtMatrixLayoutCreate(&one.weights,
                                   cuda_type(call.w.type),
                                   static_cast<std::uint64_t>(call.k),
                                   static_cast<std::uint64_t>(call.n),
                                   call.k),
        "describe weights");
  // The library has no int8 products of few rows: more are multiplied in memory of our own.
  if (!find_algorithm(one, shape, call.m) &&
      !(whole && find_algorithm(one, shape, (call.m + 31) / 32 * 32))) {
    destroy(one);
    products_.erase(entry); // asked again, it fails again
    throw std::runtime_error{"cuBLASLt has no algorithm for a product of " +
                             std::to_string(call.m) + "x" + std::to_string(call.n) + "x" +
                             std::to_string(call.k) + " in " + to_string(call.w.type)};
  }
  return one;
}

void MatrixProducts::prepare(const ProductCall& call) {
  if (call.m == 0) {
    return;
  }
  const auto rows = product(call).rows;
  if (is_one_byte(call.w.type)) {
    inputs_.reserve(bytes_of(rows * call.k, call.w.type));
  }
  if (call.w.type == DataType::int8) {
    sums_.reserve(static_cast<std::size_t>(rows * call.n) * sizeof(std::int32_t));
  }
}

void MatrixProducts::run(const ProductCall& call, cudaStream_t stream) {
  if (call.m == 0) {
    return;
  }
  const auto& one = product(call);
  const void* x = address_in(call.x, call.rows.first * call.k);
  if (is_one_byte(call.w.type)) {
    // Plans choose rows in front of the LM head alone, whose table keeps 16 bits.
    if (call.rows.step != 1) {
      throw std::runtime_error{"rows are chosen in front of a quantised product"};
    }
    const Array to{.data = inputs_.data(), .type = call.w.type, .elements = call.m * call.k};
    launch_quantise(call.x, to, call.m * call.k, stream);
    x = inputs_.data();
  }
  if (adds_bias(call)) {
    set(one.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, call.bias->data);
  }
  const bool whole = call.w.type == DataType::int8;
  constexpr float one_real = 1.0F;
  constexpr float no_real = 0.0F;
  constexpr std::int32_t one_whole = 1;
  constexpr std::int32_t no_whole = 0;
  void* y = whole ? sums_.data() : call.y.data;
  check(cublasLtMatmul(handle_,
                       one.operation,
                       whole ? static_cast<const void*>(&one_whole) : &one_real,
                       call.w.data,
                       one.weights,
                       x,
                       one.inputs,
                       whole ? static_cast<const void*>(&no_whole) : &no_real,
                       y,
                       one.outputs,
                       y,
                       one.outputs,
                       &one.algorithm,
                       workspace_.data(),
                       workspace_bytes,
                       stream),
        "multiply matrices");
  if (whole) {
    const float scale = call.largest_weight / 127.0F;
    launch_dequantise(
        static_cast<const std::int32_t*>(y), call.y, call.m, call.n, scale, call.bias, stream);
  }
}

void MatrixProducts::prepare(const GroupedProductCall& call) {
  const auto& rows = call.tables->rows;
  gathered_.reserve(bytes_of(static_cast<std::int64_t>(rows.sources.size()) * call.k, call.y.type));
  const auto x =
      call.second ? call.own.value() : Array{.data = gathered_.data(), .type = call.y.type};
  std::int64_t first = 0;
  for (std::size_t slot = 0; slot < rows.slot_rows.size(); ++slot) {
    prepare(of_expert(call, x, slot, first, rows.slot_rows[slot]));
    first += rows.slot_rows[slot];
  }
}

void MatrixProducts::run(const GroupedProductCall& call, cudaStream_t stream) {
  const auto& rows = call.tables->rows;
  auto x = call.second ? call.own.value() : Array{.data = gathered_.data(), .type = call.y.type};
  if (!call.second) {
    launch_gather_pairs(call, x, stream);
  }
  std::int64_t first = 0;
  for (std::size_t slot = 0; slot < rows.slot_rows.size(); ++slot) {
    const auto count = rows.slot_rows[slot];
    run(of_expert(call, x, slot, first, count), stream);
    first += count;
  }
}

} // namespace decodesim
