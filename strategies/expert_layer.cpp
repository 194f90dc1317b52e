#include "strategies/expert_layer.hpp"

#include "sim/error.hpp"

#include <algorithm>
#include <utility>

namespace decodesim {

namespace {

/// One rank's part of a layer with experts.
struct ExpertShard {
  std::int64_t ffn = 0;    ///< columns of each expert
  std::int64_t shared = 0; ///< columns of the shared experts together
  std::int64_t into = 0;   ///< outputs of an expert's first matrix
  int slots = 0;           ///< experts that it has room for

  explicit ExpertShard(const ProgramBuilder& builder) {
    const auto& model = builder.model();
    const auto& loads = *builder.expert_loads();
    ffn = model.moe->expert_ffn_size / loads.grid().shards();
    shared = model.moe->shared_ffn_size / builder.layout().tp;
    into = (model.gated_ffn ? 2 : 1) * ffn;
    slots = expert_slots(model.moe->experts, std::max(1, loads.grid().ep), loads.settings().copies);
  }
};

GroupedGemm grouped_gemm(const ProgramBuilder& builder, std::int64_t n, std::int64_t k) {
  return {.n = n,
          .k = k,
          .weights = builder.precision().expert_weights(),
          .activations = builder.precision().activations(),
          .bias = builder.model().moe->expert_bias};
}

RoutedRowKernel routed_rows(const ProgramBuilder& builder,
                            RowFunction function,
                            std::int64_t pair_columns,
                            std::int64_t token_columns = 0,
                            std::int64_t returned_columns = 0) {
  return {.function = function,
          .pair_columns = pair_columns,
          .token_columns = token_columns,
          .returned_columns = returned_columns,
          .type = builder.precision().activations()};
}

/// Writes the operations of one layer of one pass.
class ExpertBlock {
public:
  ExpertBlock(ProgramBuilder& builder, const Pass& pass, int layer, const WeightBuffer& weights)
      : builder_{builder}, pass_{pass}, layer_{layer}, weights_{weights}, model_{builder.model()},
        hidden_{model_.hidden_size}, shard_{builder}, most_{builder.expert_loads()->most(
                                                          pass.part)},
        gathers_{builder.expert_loads()->settings().exchange == MoeExchange::all_gather} {}

  bool write() {
    const bool exchanges = exchanges_tokens(builder_);
    std::vector<BufferId> tokens;
    if (pass_.sequences > 0) {
      normed_ = norm_kernel(builder_, pass_, "ffn_norm", layer_, weight("ffn_norm"));
      choose_experts();
      builder_.hidden = hidden_states(builder_, pass_);
      tokens = {normed_, chosen_};
    }
    if (exchanges) {
      tokens.push_back(gathers_ ? gather(tokens) : dispatch(tokens));
    }
    const auto sums = experts(tokens, exchanges);
    if (pass_.sequences > 0 && shard_.shared > 0) {
      shared_experts();
    }
    if (exchanges && gathers_) {
      scatter(sums);
      return false;
    }
    if (exchanges) {
      combine(sums);
    }
    return true;
  }

private:
  ProgramBuilder& builder_;
  const Pass& pass_;
  int layer_;
  const WeightBuffer& weights_;
  const Model& model_;
  std::int64_t hidden_;
  ExpertShard shard_;
  RoutedWork most_; ///< of any rank in any step: what buffers must hold
  bool gathers_;
  BufferId normed_ = -1;
  BufferId chosen_ = -1;

  [[nodiscard]] BufferId weight(const char* name) const {
    return weights_(layer_name(layer_, name));
  }

  [[nodiscard]] Bytes row_bytes() const {
    return static_cast<double>(hidden_) * element_bytes(builder_.precision().activations());
  }

  void kernel(const char* name,
              Kernel kernel,
              std::vector<BufferId> reads,
              std::vector<BufferId> writes) {
    builder_.kernel(
        name, kernel, {.layer = layer_, .reads = std::move(reads), .writes = std::move(writes)});
  }

  void choose_experts() {
    const auto tokens = pass_.tokens();
    const int experts = model_.moe->experts;
    const int k = model_.moe->experts_per_token;
    auto router = gemm(builder_, tokens, experts, hidden_, model_.moe->router_bias);
    router.weights = builder_.precision().activations(); // routers are not quantised
    const auto logits = activation(builder_, "router_logits", tokens, experts);
    chosen_ = activation(builder_, "chosen_experts", tokens, 2 * std::int64_t{k});
    kernel("router", router, {normed_, weight("router")}, {logits});
    kernel("top_k",
           row_kernel(builder_, RowFunction::top_k, tokens, experts, 2 * std::int64_t{k}),
           {logits},
           {chosen_});
  }

  BufferId dispatch(const std::vector<BufferId>& tokens) {
    const auto received = activation(builder_, "received_tokens", most_.received, hidden_);
    builder_.exchange(
        "dispatch",
        {.direction = Exchange::Direction::dispatch, .axis = "ep", .row_bytes = row_bytes()},
        {.layer = layer_, .reads = tokens, .writes = {received}});
    return received;
  }

  /// This rank's experts on its rows: sums of the own tokens, then those for others.
  std::vector<BufferId> experts(std::vector<BufferId> tokens, bool exchanges) {
    const bool gated = model_.gated_ffn;
    const char* up = gated ? "expert_gate_up_proj" : "expert_up_proj";
    const auto raised = activation(builder_, up, most_.pairs, shard_.into);
    const auto activated = activation(builder_, "expert_activated", most_.pairs, shard_.ffn);
    const auto rows = activation(builder_, "expert_rows", most_.pairs, hidden_);
    tokens.push_back(weight(up));
    kernel(up, grouped_gemm(builder_, shard_.into, hidden_), std::move(tokens), {raised});
    kernel("expert_activation",
           routed_rows(builder_,
                       gated ? RowFunction::gated_activation : RowFunction::activation,
                       shard_.into + shard_.ffn),
           {raised},
           {activated});
    kernel("expert_down_proj",
           grouped_gemm(builder_, hidden_, shard_.ffn),
           {activated, weight("expert_down_proj")},
           {rows});
    std::vector<BufferId> sums;
    if (exchanges) {
      sums.push_back(gathers_ ? activation(builder_, "gathered_sums", gathered_rows(), hidden_)
                              : activation(builder_, "sums_of_others", most_.received, hidden_));
    }
    if (pass_.sequences > 0) {
      sums.push_back(builder_.hidden);
    }
    kernel("expert_sum",
           routed_rows(builder_, RowFunction::weighted_sum, hidden_, hidden_),
           {rows},
           sums);
    return sums;
  }

  /// A dense network of the shared experts' width, added to the experts' sums. Partial sums over
  /// tp.
  void shared_experts() {
    const auto tokens = pass_.tokens();
    const auto into = (model_.gated_ffn ? 2 : 1) * shard_.shared;
    const char* up = model_.gated_ffn ? "shared_gate_up_proj" : "shared_up_proj";
    const auto raised = activation(builder_, up, tokens, into);
    const auto activated = activation(builder_, "shared_activated", tokens, shard_.shared);
    const auto output = activation(builder_, "shared_output", tokens, hidden_);
    kernel(up, gemm(builder_, tokens, into, hidden_, false), {normed_, weight(up)}, {raised});
    kernel("shared_activation",
           row_kernel(builder_,
                      model_.gated_ffn ? RowFunction::gated_activation : RowFunction::activation,
                      tokens,
                      into,
                      shard_.shared),
           {raised},
           {activated});
    kernel("shared_down_proj",
           gemm(builder_, tokens, hidden_, shard_.shared, false),
           {activated, weight("shared_down_proj")},
           {output});
    std::vector<BufferId> reads{output, builder_.hidden};
    std::int64_t scales = 0;
    if (model_.moe->shared_expert_gate) {
      const auto gate = activation(builder_, "shared_gate", tokens, 1);
      auto product = gemm(builder_, tokens, 1, hidden_, false);
      product.weights = builder_.precision().activations();
      kernel("shared_gate", product, {normed_, weight("shared_gate")}, {gate});
      reads.push_back(gate);
      scales = 1;
    }
    kernel("shared_add",
           row_kernel(builder_, RowFunction::weighted_sum, tokens, 2 * hidden_ + scales, hidden_),
           std::move(reads),
           {builder_.hidden});
  }

  void combine(const std::vector<BufferId>& sums) {
    const auto returned = activation(builder_, "returned_sums", most_.returned, hidden_);
    builder_.exchange(
        "combine",
        {.direction = Exchange::Direction::combine, .axis = "ep", .row_bytes = row_bytes()},
        {.layer = layer_, .reads = sums, .writes = {returned}});
    if (pass_.sequences > 0) {
      // A returned row is read and added to one that is read and written.
      kernel("combine_sum",
             routed_rows(builder_, RowFunction::weighted_sum, 0, 0, 3 * hidden_),
             {returned, builder_.hidden},
             {builder_.hidden});
    }
  }

  /// Longest slice of any rank's tokens: collectives pad all to it.
  [[nodiscard]] std::int64_t slice_rows() const {
    const auto& grid = builder_.expert_loads()->grid();
    std::int64_t most = 0;
    for (const auto& sequences : grid.sequences) {
      const auto tokens =
          sequences[static_cast<std::size_t>(pass_.micro_batch)] * pass_.query_tokens;
      most = std::max(most, (tokens + grid.tp - 1) / grid.tp);
    }
    return most;
  }

  [[nodiscard]] std::int64_t gathered_rows() const {
    return slice_rows() * builder_.expert_loads()->grid().members();
  }

  void collective(const char* name,
                  CollectiveKind kind,
                  const char* axis,
                  std::int64_t rows,
                  std::vector<BufferId> reads,
                  BufferId write) {
    builder_.collective(
        0,
        name,
        {.kind = kind, .axis = axis, .total_bytes = static_cast<double>(rows) * row_bytes()},
        {.layer = layer_, .reads = std::move(reads), .writes = {write}});
  }

  BufferId gather(std::vector<BufferId> tokens) {
    const auto gathered = activation(builder_, "gathered_tokens", gathered_rows(), hidden_);
    collective("all_gather.experts",
               CollectiveKind::all_gather,
               "ep",
               gathered_rows(),
               std::move(tokens),
               gathered);
    return gathered;
  }

  /// The shared experts' partial sums are in those of the own tokens, so that this sums them, too.
  void scatter(const std::vector<BufferId>& sums) {
    const int tp = builder_.layout().tp;
    const bool whole = tp == 1 && pass_.sequences > 0; // the slice is all tokens
    const auto slice =
        whole ? builder_.hidden : activation(builder_, "summed_slice", slice_rows(), hidden_);
    collective("reduce_scatter.experts",
               CollectiveKind::reduce_scatter,
               "ep",
               gathered_rows(),
               sums,
               slice);
    if (pass_.sequences > 0 && tp > 1) {
      collective("all_gather.ffn",
                 CollectiveKind::all_gather,
                 "tp",
                 tp * slice_rows(),
                 {slice},
                 builder_.hidden);
    }
  }
};

} // namespace

void validate_experts(const Model& model, const Layout& layout, const ExpertSettings& settings) {
  if (!model.moe) {
    if (layout.ep > 0) {
      throw LayoutError{model.name + " has no experts to put on ep = " + std::to_string(layout.ep) +
                        " GPUs"};
    }
    return;
  }
  if (model.parallel_block) {
    throw LayoutError{model.name + " has experts in parallel blocks, which are not planned"};
  }
  const auto& moe = *model.moe;
  const int stage = layout.tp * layout.dp;
  if (layout.ep > 0 && stage % layout.ep != 0) {
    throw LayoutError{"ep = " + std::to_string(layout.ep) + " does not divide the tp x dp = " +
                      std::to_string(layout.tp) + " x " + std::to_string(layout.dp) + " = " +
                      std::to_string(stage) + " GPUs of a stage"};
  }
  const auto require = [&](std::int64_t value, const char* what, int by, const std::string& name) {
    if (value % by != 0) {
      throw LayoutError{model.name + " has " + std::to_string(value) + " " + what + ", which " +
                        name + " = " + std::to_string(by) + " does not divide"};
    }
  };
  const auto grid = expert_grid(layout, {});
  require(moe.experts, "experts", std::max(1, layout.ep), "ep");
  require(moe.expert_ffn_size,
          "columns in each expert",
          grid.shards(),
          layout.ep > 0 ? "tp x dp / ep" : "tp");
  require(moe.shared_ffn_size, "columns in its shared experts", layout.tp, "tp");
  if (settings.copies > moe.experts) {
    throw LayoutError{std::to_string(settings.copies) + " hot experts are to be copied, but " +
                      model.name + " has " + std::to_string(moe.experts)};
  }
}

ExpertGrid expert_grid(const Layout& layout, std::vector<std::vector<int>> sequences) {
  return {.tp = layout.tp,
          .pp = layout.pp,
          .dp = layout.dp,
          .ep = layout.ep,
          .sequences = std::move(sequences)};
}

void declare_experts(ProgramBuilder& builder, int layer) {
  declare_ffn_norms(builder, layer);
  const auto& model = builder.model();
  const auto& moe = *model.moe;
  const ExpertShard shard{builder};
  const auto& precision = builder.precision();
  const auto other = precision.activations();
  const std::int64_t hidden = model.hidden_size;
  const std::int64_t slots = shard.slots;
  const auto declare =
      [&](const char* name, std::vector<std::int64_t> shape, DataType type, std::int64_t biases) {
        builder.weights(layer_name(layer, name), std::move(shape), type);
        if (biases > 0) {
          builder.weights(layer_name(layer, name) + ".bias", {biases}, other);
        }
      };
  declare("router", {moe.experts, hidden}, other, moe.router_bias ? moe.experts : 0);
  const auto beside = builder.program().weights;
  declare(model.gated_ffn ? "expert_gate_up_proj" : "expert_up_proj",
          {slots, shard.into, hidden},
          precision.expert_weights(),
          moe.expert_bias ? slots * shard.into : 0);
  declare("expert_down_proj",
          {slots, hidden, shard.ffn},
          precision.expert_weights(),
          moe.expert_bias ? slots * hidden : 0);
  builder.program().expert_weights += builder.program().weights - beside;
  if (shard.shared > 0) {
    const auto into = (model.gated_ffn ? 2 : 1) * shard.shared;
    declare(model.gated_ffn ? "shared_gate_up_proj" : "shared_up_proj",
            {into, hidden},
            precision.weights,
            0);
    declare("shared_down_proj", {hidden, shard.shared}, precision.weights, 0);
    if (moe.shared_expert_gate) {
      declare("shared_gate", {hidden}, other, 0);
    }
  }
}

bool exchanges_tokens(const ProgramBuilder& builder) {
  return builder.layout().ep > 0 && builder.layout().dp > 1;
}

bool expert_kernels(ProgramBuilder& builder,
                    const Pass& pass,
                    int layer,
                    const WeightBuffer& weights) {
  return ExpertBlock{builder, pass, layer, weights}.write();
}

} // namespace decodesim
