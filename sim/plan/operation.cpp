#include "sim/plan/operation.hpp"

#include <algorithm>

namespace decodesim {

namespace {

KernelWork work_of(const Gemm& gemm, StepContext) {
  const auto batch = static_cast<double>(gemm.batch);
  const auto m = static_cast<double>(gemm.m);
  const auto n = static_cast<double>(gemm.n);
  const auto k = static_cast<double>(gemm.k);
  const auto activation = element_bytes(gemm.activations);
  return {.kernel_class = KernelClass::gemm,
          .compute = compute_type(gemm.weights),
          .flop = Flop{2.0 * batch * m * n * k},
          .bytes = batch * (n * k * element_bytes(gemm.weights) +
                            (m * k + m * n + (gemm.bias ? n : 0.0)) * activation),
          .depth = k};
}

/// Sum of min(p, window) over the positions p = context - queries + 1 ... context: the tokens that
/// each new one attends to.
double attended_pairs(const Attention& attention, StepContext at) {
  const auto queries = attention.query_tokens;
  const auto context = attention.context_at(at);
  const auto window = attention.window > 0 ? attention.window : context;
  const auto first = context - queries + 1;
  // Queries whose window is not full yet; they see all tokens up to themselves.
  const auto open = std::clamp<std::int64_t>(window - first + 1, 0, queries);
  return static_cast<double>(open) * (static_cast<double>(2 * first + open - 1) / 2.0) +
         static_cast<double>(queries - open) * static_cast<double>(window);
}

KernelWork work_of(const Attention& attention, StepContext at) {
  const auto sequences = static_cast<double>(attention.sequences);
  const auto queries = static_cast<double>(attention.query_tokens);
  const auto key_size = static_cast<double>(attention.head_size);
  const auto value_size = static_cast<double>(attention.value_head_size());
  const double pairs = attended_pairs(attention, at);
  const auto cache = static_cast<double>(attention.tokens_read_at(at)) * attention.kv_heads *
                     (key_size + (attention.values_in_keys ? 0.0 : value_size)) *
                     element_bytes(attention.kv_cache);
  const auto ends =
      queries * attention.heads * (key_size + value_size) * element_bytes(attention.activations);
  return {.kernel_class = attention.query_tokens > 1 ? KernelClass::attention_prefill
                          : attention.values_in_keys ? KernelClass::attention_latent
                                                     : KernelClass::attention_decode,
          .compute = attention.activations,
          .flop = Flop{2.0 * attention.heads * (key_size + value_size) * pairs * sequences},
          .bytes = sequences * (cache + ends),
          .depth = static_cast<double>(attention.tokens_read_at(at)),
          .rows = sequences * queries * attention.heads,
          .unsplit = attention.query_tokens == 1 && attention.heads == attention.kv_heads,
          .cache_by_head = sequences * cache * attention.heads / attention.kv_heads};
}

KernelClass class_of(RowFunction function) {
  switch (function) {
  case RowFunction::norm:
  case RowFunction::qk_norm:
    return KernelClass::norm;
  case RowFunction::embedding:
    return KernelClass::embedding;
  case RowFunction::sampling:
    return KernelClass::sampling;
  case RowFunction::residual_add:
  case RowFunction::rotary:
  case RowFunction::cache_write:
  case RowFunction::gated_activation:
  case RowFunction::activation:
  case RowFunction::top_k:
  case RowFunction::weighted_sum:
  case RowFunction::copy:
    return KernelClass::elementwise;
  }
  return KernelClass::elementwise;
}

KernelWork work_of(const RowKernel& row, StepContext) {
  const auto elements =
      static_cast<double>(row.rows) * static_cast<double>(row.read_columns + row.write_columns);
  // One operation per element moved; memory is the roof on every GPU.
  return {.kernel_class = class_of(row.function),
          .compute = row.type,
          .flop = Flop{elements},
          .bytes = elements * element_bytes(row.type)};
}

KernelWork work_of(const GroupedGemm& gemm, StepContext at) {
  const auto rows = static_cast<double>(at.routed.pairs);
  const auto experts = static_cast<double>(at.routed.experts_hit);
  const auto n = static_cast<double>(gemm.n);
  const auto k = static_cast<double>(gemm.k);
  return {.kernel_class = KernelClass::grouped_gemm,
          .compute = compute_type(gemm.weights),
          .flop = Flop{2.0 * rows * n * k},
          .bytes =
              experts * n * k * element_bytes(gemm.weights) +
              (rows * (k + n) + (gemm.bias ? experts * n : 0.0)) * element_bytes(gemm.activations),
          .depth = k};
}

KernelWork work_of(const RoutedRowKernel& row, StepContext at) {
  const auto elements = static_cast<double>(at.routed.pairs * row.pair_columns +
                                            at.routed.tokens * row.token_columns +
                                            at.routed.returned * row.returned_columns);
  return {.kernel_class = class_of(row.function),
          .compute = row.type,
          .flop = Flop{elements},
          .bytes = elements * element_bytes(row.type)};
}

} // namespace

std::int64_t Attention::tokens_read_at(StepContext at) const {
  const auto context = context_at(at);
  return window > 0 ? std::min(context, window + query_tokens - 1) : context;
}

KernelWork kernel_work(const Kernel& kernel, StepContext at) {
  return std::visit([at](const auto& shape) { return work_of(shape, at); }, kernel);
}

} // namespace decodesim
