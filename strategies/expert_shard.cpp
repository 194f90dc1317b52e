#include "strategies/expert_shard.hpp"

#include "sim/error.hpp"
#include "strategies/ffn_block.hpp"

#include <algorithm>
#include <utility>

namespace decodesim {

ExpertShard::ExpertShard(const ProgramBuilder& builder) {
  const auto& model = builder.model();
  const auto& loads = *builder.expert_loads();
  ffn = model.moe->expert_ffn_size / loads.grid().shards();
  shared = model.moe->shared_ffn_size / builder.layout().tp;
  into = (model.gated_ffn ? 2 : 1) * ffn;
  slots = expert_slots(model.moe->experts, std::max(1, loads.grid().ep), loads.settings().copies);
}

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

} // namespace decodesim
