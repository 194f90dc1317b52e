#include "strategies/block_kernels.hpp"

#include "sim/model/parameters.hpp"

#include <string_view>
#include <utility>

namespace decodesim {

std::string layer_name(int layer, const char* what) {
  return "L" + std::to_string(layer) + "." + what;
}

Gemm gemm(
    const ProgramBuilder& builder, std::int64_t m, std::int64_t n, std::int64_t k, bool bias) {
  return {.m = m,
          .n = n,
          .k = k,
          .weights = builder.precision().weights,
          .activations = builder.precision().activations(),
          .bias = bias};
}

RowKernel row_kernel(const ProgramBuilder& builder,
                     RowFunction function,
                     std::int64_t rows,
                     std::int64_t read_columns,
                     std::int64_t write_columns) {
  return {.function = function,
          .rows = rows,
          .read_columns = read_columns,
          .write_columns = write_columns,
          .type = builder.precision().activations()};
}

BufferId
activation(ProgramBuilder& builder, const char* name, std::int64_t rows, std::int64_t columns) {
  return builder.activation(name, {rows, columns}, builder.precision().activations());
}

std::int64_t stream_rows(const ProgramBuilder& builder, const Pass& pass) {
  return (pass.tokens() + builder.row_shards - 1) / builder.row_shards;
}

BufferId
gather_rows(ProgramBuilder& builder, const Pass& pass, const char* name, int layer, BufferId part) {
  if (builder.row_shards == 1) {
    return part;
  }
  const std::int64_t hidden = builder.model().hidden_size;
  const auto rows = stream_rows(builder, pass) * builder.row_shards;
  const auto whole = activation(builder, "gathered_rows", rows, hidden);
  const auto bytes =
      static_cast<double>(rows * hidden) * element_bytes(builder.precision().activations());
  builder.collective(0,
                     std::string{"all_gather."} + name,
                     {.kind = CollectiveKind::all_gather, .axis = "tp", .total_bytes = bytes},
                     {.layer = layer, .reads = {part}, .writes = {whole}});
  return whole;
}

BufferId hidden_states(ProgramBuilder& builder, const Pass& pass) {
  return builder.activation(per_micro_batch("hidden", pass),
                            {pass.tokens(), builder.model().hidden_size},
                            builder.precision().activations());
}

void declare_matrix(ProgramBuilder& builder,
                    int layer,
                    const char* name,
                    std::int64_t n,
                    std::int64_t k,
                    bool bias) {
  builder.weights(layer_name(layer, name), {n, k}, builder.precision().weights);
  if (bias) {
    builder.weights(layer_name(layer, name) + ".bias", {n}, builder.precision().activations());
  }
}

void declare_norm(ProgramBuilder& builder, int layer, const char* name) {
  builder.weights(layer_name(layer, name),
                  {norm_parameters(builder.model(), builder.model().hidden_size)},
                  builder.precision().activations());
}

BufferId norm_kernel(
    ProgramBuilder& builder, const Pass& pass, const char* name, int layer, BufferId weights) {
  const std::int64_t hidden = builder.model().hidden_size;
  const auto rows = stream_rows(builder, pass);
  const auto residual = activation(builder, "residual", rows, hidden);
  const auto normed = activation(builder, "normed", rows, hidden);
  const bool starts =
      layer == builder.stage().first_layer && std::string_view{name} == "attention_norm";
  auto reads = starts ? std::vector{builder.hidden, weights}
                      : std::vector{builder.hidden, residual, weights};
  builder.kernel(
      name,
      row_kernel(builder, RowFunction::norm, rows, (starts ? 1 : 2) * hidden, 2 * hidden),
      {.layer = layer, .reads = std::move(reads), .writes = {normed, residual}});
  return gather_rows(builder, pass, name, layer, normed);
}

void post_norm_kernel(ProgramBuilder& builder,
                      const Pass& pass,
                      const char* name,
                      int layer,
                      const WeightBuffer& weights) {
  if (!builder.model().post_norms) {
    return;
  }
  const std::int64_t hidden = builder.model().hidden_size;
  builder.kernel(name,
                 row_kernel(builder, RowFunction::norm, stream_rows(builder, pass), hidden, hidden),
                 {.layer = layer,
                  .reads = {builder.hidden, weights(layer_name(layer, name))},
                  .writes = {builder.hidden}});
}

} // namespace decodesim
