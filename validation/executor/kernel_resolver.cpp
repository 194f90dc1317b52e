#include "validation/executor/kernel_resolver.hpp"

#include "sim/error.hpp"
#include "validation/executor/weight_pieces.hpp"

#include <algorithm>
#include <utility>

namespace decodesim {

KernelResolver::KernelResolver(const Model& model, RankPlace place, std::vector<Array> arrays)
    : model_{model}, place_{std::move(place)}, arrays_{std::move(arrays)} {
  const auto& program = place_.program();
  for (std::size_t id = 0; id < program.buffers.size(); ++id) {
    by_name_[program.buffers[id].name] = static_cast<BufferId>(id);
  }
  for (const auto part : {Part::prologue, Part::body}) {
    for (const auto& op : program.part(part)) {
      const auto* collective = as_collective(op);
      if (collective != nullptr && collective->kind == CollectiveKind::all_gather) {
        column_parts_[op.writes.front()] =
            static_cast<std::int64_t>(place_.plan.group(collective->axis, place_.rank).size());
      }
    }
  }
}

const Buffer& KernelResolver::buffer(BufferId id) const {
  return place_.program().buffers[static_cast<std::size_t>(id)];
}

std::optional<Array> KernelResolver::array_named(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? std::nullopt : std::optional{array(found->second)};
}

std::optional<Array> KernelResolver::bias_of(BufferId weights) const {
  auto bias = array_named(buffer(weights).name + ".bias");
  if (!bias) {
    throw SimulationError{"the plan has no bias beside " + buffer(weights).name};
  }
  return bias;
}

/// All rows, but where a prefill goes on with the last token of each sequence alone.
RowChoice KernelResolver::chosen_rows(BufferId x, std::int64_t rows, Part part) const {
  const auto held = buffer(x).shape.front();
  const auto step = place_.new_tokens(part);
  if (held < rows) {
    throw SimulationError{buffer(x).name + " has " + std::to_string(held) + " rows, a kernel of " +
                          std::to_string(rows) + " reads it"};
  }
  return held >= rows * step && step > 1 ? RowChoice{.first = step - 1, .step = step} : RowChoice{};
}

std::int64_t KernelResolver::first_position(Part part, int step) const {
  return part == Part::prologue ? 0 : place_.plan.prompt_tokens + step;
}

CachePlace KernelResolver::cache_place(BufferId cache, int micro_batch) const {
  const auto& shape = buffer(cache).shape; // [2, sequences, tokens, KV heads, head size]
  return {.cache = array(cache),
          .sequences = shape[1],
          .tokens = shape[2],
          .first_sequence = place_.first_of(micro_batch)};
}

KernelCall KernelResolver::gemm(const Operation& op, const Gemm& gemm, Part part) const {
  return ProductCall{.m = gemm.m,
                     .n = gemm.n,
                     .k = gemm.k,
                     .x = array(op.reads[0]),
                     .rows = chosen_rows(op.reads[0], gemm.m, part),
                     .w = array(op.reads[1]),
                     .bias = gemm.bias ? bias_of(op.reads[1]) : std::nullopt,
                     .y = array(op.writes.front()),
                     .largest_weight = largest_weight(op.reads[1])};
}

/// Of a shard that is cut along its inputs, it follows from the inputs of all shards.
float KernelResolver::largest_weight(BufferId weights) const {
  const auto& of = buffer(weights);
  if (of.type != DataType::int8) {
    return 0;
  }
  const auto pieces = weight_pieces(of, model_, place_);
  return pieces.empty() ? 0 : pieces.front().spread;
}

KernelCall
KernelResolver::attention(const Operation& op, const Attention& attention, int step) const {
  return AttentionCall{.sequences = attention.sequences,
                       .query_tokens = attention.query_tokens,
                       .context_tokens = attention.context_at({.step = step}),
                       .heads = attention.heads,
                       .kv_heads = attention.kv_heads,
                       .head_size = attention.head_size,
                       .qkv = array(op.reads[0]),
                       .from = cache_place(op.reads[1], op.micro_batch),
                       .out = array(op.writes.front())};
}

KernelCall KernelResolver::norm(const Operation& op, const RowKernel& row, Part part) const {
  // reads: x, what is added to it if anything, weights; writes: y, the sum if it is kept
  return NormCall{.rows = row.rows,
                  .columns = model_.hidden_size,
                  .kind = model_.norm,
                  .x = array(op.reads.front()),
                  .added = op.reads.size() == 3 ? std::optional{array(op.reads[1])} : std::nullopt,
                  .chosen = chosen_rows(op.reads.front(), row.rows, part),
                  .weight = array(op.reads.back()),
                  .y = array(op.writes.front()),
                  .sum = op.writes.size() == 2 ? std::optional{array(op.writes[1])} : std::nullopt};
}

KernelCall
KernelResolver::cache_write(const Operation& op, const RowKernel& row, Part part, int step) const {
  const auto cache = op.writes.back();
  return CacheWriteCall{.rows = row.rows,
                        .query_tokens = place_.new_tokens(part),
                        .first_position = first_position(part, step),
                        .heads = model_.heads / place_.tp,
                        .kv_heads = static_cast<int>(buffer(cache).shape[3]),
                        .head_size = model_.head_size,
                        .rotates = row.function == RowFunction::rotary,
                        .qkv = array(op.reads.front()),
                        .to = cache_place(cache, op.micro_batch)};
}

KernelCall
KernelResolver::embedding(const Operation& op, const RowKernel& row, Part part, int step) const {
  const auto rows = buffer(op.reads[1]).shape.front();
  const bool is_part = rows < model_.vocabulary_size;
  const bool learned = op.reads.size() == 3;
  return EmbeddingCall{.rows = row.rows,
                       .columns = model_.hidden_size,
                       .first_token = is_part ? place_.tp_index * rows : 0,
                       .table_rows = rows,
                       .tokens = array(op.reads[0]),
                       .table = array(op.reads[1]),
                       .positions = learned && (!is_part || place_.tp_index == 0)
                                        ? std::optional{array(op.reads[2])}
                                        : std::nullopt,
                       .query_tokens = place_.new_tokens(part),
                       .first_position = first_position(part, step) + model_.extra_positions,
                       .out = array(op.writes.front())};
}

SamplingCall KernelResolver::sampling(const Operation& op) const {
  const auto logits = op.reads.front();
  const auto& shape = buffer(logits).shape;
  const auto parts = column_parts_.contains(logits) ? column_parts_.at(logits) : 1;
  const auto rows = place_.micro_batches()[static_cast<std::size_t>(op.micro_batch)];
  // Without a pipeline nobody sends the tokens: they go where the embedding reads them.
  const auto tokens = "tokens.m" + std::to_string(op.micro_batch) + "." + std::to_string(rows);
  const bool alone = place_.plan.group("pp", place_.rank).size() == 1;
  return {.rows = rows,
          .vocabulary = model_.vocabulary_size,
          .parts = parts,
          .part_columns = shape.back() / parts,
          .logits = array(logits),
          .sampled = array(op.writes.front()),
          .next_tokens = alone ? array_named(tokens) : std::nullopt};
}

/// Of a buffer the part that the plan says: what was gathered, the context of the mean step.
CopyCall KernelResolver::copy(const Operation& op, const RowKernel& row) const {
  auto whole = array(op.writes.front());
  const auto held = static_cast<double>(whole.elements) * element_bytes(whole.type);
  whole.type = row.type;
  whole.elements = std::min(row.rows * row.write_columns,
                            static_cast<std::int64_t>(held / element_bytes(row.type)));
  return {.array = whole};
}

KernelCall KernelResolver::row(const Operation& op,
                               const RowKernel& row,
                               Part part,
                               int step,
                               const std::shared_ptr<const ExpertTables>& tables) const {
  switch (row.function) {
  case RowFunction::norm:
    return norm(op, row, part);
  case RowFunction::qk_norm: {
    const int kv_heads = std::max(1, model_.kv_heads / place_.tp);
    return HeadNormCall{.rows = row.rows,
                        .heads = model_.heads / place_.tp + kv_heads,
                        .query_heads = model_.heads / place_.tp,
                        .head_size = model_.head_size,
                        .row_columns = buffer(op.reads.front()).shape.back(),
                        .per_head = model_.qk_norm_per_head,
                        .qkv = array(op.reads.front()),
                        .weight = array(op.reads.back())};
  }
  case RowFunction::rotary:
  case RowFunction::cache_write:
    return cache_write(op, row, part, step);
  case RowFunction::gated_activation:
  case RowFunction::activation:
    return ActivationCall{.rows = row.rows,
                          .columns = row.write_columns,
                          .gated = row.function == RowFunction::gated_activation,
                          .in = array(op.reads.front()),
                          .out = array(op.writes.front())};
  case RowFunction::residual_add:
  case RowFunction::weighted_sum:
    return SumCall{.rows = row.rows,
                   .columns = row.write_columns,
                   .in = {array(op.reads[0]), array(op.reads[1])},
                   .gate = op.reads.size() == 3 ? std::optional{array(op.reads[2])} : std::nullopt,
                   .out = array(op.writes.front())};
  case RowFunction::top_k:
    return TopKCall{.rows = row.rows,
                    .experts = static_cast<int>(row.read_columns),
                    .k = static_cast<int>(row.write_columns / 2),
                    .logits = array(op.reads.front()),
                    .out = array(op.writes.front()),
                    .tables = tables};
  case RowFunction::embedding:
    return embedding(op, row, part, step);
  case RowFunction::sampling:
    return sampling(op);
  case RowFunction::copy:
    return copy(op, row);
  }
  throw SimulationError{"\"" + op.name + "\" is no row-wise kernel of an executor"};
}

KernelCall KernelResolver::grouped(const Operation& op,
                                   const GroupedGemm& gemm,
                                   const std::shared_ptr<const ExpertTables>& tables) const {
  const bool second = op.name == "expert_down_proj";
  const bool has_own =
      second || place_.micro_batches()[static_cast<std::size_t>(op.micro_batch)] > 0;
  // reads of a first product: own rows and their experts if any, received rows if any, weights
  const auto received = op.reads.size() - 2;
  const bool has_received = !second && op.reads.size() > (has_own ? 3U : 1U);
  return GroupedProductCall{.n = gemm.n,
                            .k = gemm.k,
                            .second = second,
                            .own = has_own ? std::optional{array(op.reads.front())} : std::nullopt,
                            .received = has_received ? std::optional{array(op.reads[received])}
                                                     : std::nullopt,
                            .w = array(op.reads.back()),
                            .bias = gemm.bias ? bias_of(op.reads.back()) : std::nullopt,
                            .y = array(op.writes.front()),
                            .largest_weight = largest_weight(op.reads.back()),
                            .tables = tables};
}

KernelCall KernelResolver::routed(const Operation& op,
                                  const RoutedRowKernel& row,
                                  const std::shared_ptr<const ExpertTables>& tables) const {
  if (row.function != RowFunction::weighted_sum) {
    const auto out = op.writes.front();
    return ActivationCall{.rows = static_cast<std::int64_t>(tables->rows.sources.size()),
                          .columns = buffer(out).shape.back(),
                          .gated = row.function == RowFunction::gated_activation,
                          .in = array(op.reads.front()),
                          .out = array(out)};
  }
  const auto columns = std::int64_t{model_.hidden_size};
  if (op.name == "combine_sum") {
    return CombineSumCall{.columns = columns,
                          .returned = array(op.reads.front()),
                          .sums = array(op.writes.front()),
                          .tables = tables};
  }
  const bool has_own = place_.micro_batches()[static_cast<std::size_t>(op.micro_batch)] > 0;
  const bool has_received = op.writes.size() > (has_own ? 1U : 0U);
  return ExpertSumCall{.columns = columns,
                       .k = model_.moe->experts_per_token,
                       .rows = array(op.reads.front()),
                       .own = has_own ? std::optional{array(op.writes.back())} : std::nullopt,
                       .received =
                           has_received ? std::optional{array(op.writes.front())} : std::nullopt,
                       .tables = tables};
}

KernelCall KernelResolver::call(const Operation& op,
                                Part part,
                                int step,
                                const std::shared_ptr<const ExpertTables>& tables) const {
  const auto& kernel = *as_kernel(op);
  if (const auto* product = std::get_if<Gemm>(&kernel)) {
    return gemm(op, *product, part);
  }
  if (const auto* attended = std::get_if<Attention>(&kernel)) {
    return attention(op, *attended, step);
  }
  if (const auto* rows = std::get_if<RowKernel>(&kernel)) {
    return row(op, *rows, part, step, tables);
  }
  if (const auto* product = std::get_if<GroupedGemm>(&kernel)) {
    return grouped(op, *product, tables);
  }
  return routed(op, std::get<RoutedRowKernel>(kernel), tables);
}

} // namespace decodesim
