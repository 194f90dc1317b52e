#include "sim/error.hpp"
#include "strategies/registry.hpp"
#include "strategies/tensor_parallel.hpp"

#include <algorithm>
#include <cmath>

namespace decodesim {

namespace {

/// ZeRO stage 3 at inference: data parallel ranks that each hold 1/dp of every layer. Before a
/// layer (and before embedding and LM head) its weights are gathered from all ranks, then used for
/// the rank's own sequences, then discarded. A rank without a sequence still takes part in the
/// gathers.
///
/// The gather has a stream and a buffer of its own. Without prefetch there is one buffer, so that a
/// gather waits until the layer before has been computed; with prefetch there are two, and the next
/// layer is gathered meanwhile. With tp > 1 what is gathered is the rank's tensor-parallel shard.
///
/// Frameworks that cut each parameter over the ranks copy what was gathered once more, into the
/// shapes of the parameters (ProgramTraits::copies_gathered_weights).
///
/// Bytes gathered in one pass: all weights of the stage (embedding and head included); received per
/// rank (dp - 1) / dp of that. A table that embedding and head share is kept once, and gathered
/// again in front of the head, together with the final norm.
/// Reference: Rajbhandari et al., ZeRO, arXiv 1910.02054, stage 3.
class Zero3 final : public TensorParallel {
public:
  void validate(const Model& model, const Layout& layout) const override {
    TensorParallel::validate(model, layout);
    if (layout.ep > 0) {
      throw LayoutError{"zero3 gathers all experts of a layer on every rank; it takes no ep = " +
                        std::to_string(layout.ep)};
    }
  }

  void declare_memory(ProgramBuilder& builder,
                      std::int64_t sequences,
                      std::int64_t tokens) const override {
    if (builder.layout().dp == 1) {
      TensorParallel::declare_memory(builder, sequences, tokens);
      return;
    }
    declare_cache(builder, shard_of(builder), sequences, tokens);
    const auto units = unit_bytes(builder);
    Bytes largest = builder.stage().last() ? gathered_head_bytes(builder) : Bytes{};
    for (const auto& [name, bytes] : units) {
      builder.weights(name + ".shard",
                      {static_cast<std::int64_t>(std::ceil(bytes.value() / builder.layout().dp))},
                      DataType::int8);
      largest = std::max(largest, bytes);
    }
    const auto& stage = builder.stage();
    for (int layer = stage.first_layer; layer < stage.first_layer + stage.layers; ++layer) {
      const auto count = layer_parameters(builder.model(), layer, shard_of(builder));
      builder.program().expert_weights +=
          weight_bytes({.linear = 0, .experts = count.experts}, builder.precision()) /
          builder.layout().dp;
    }
    for (int slot = 0; slot < slots(builder); ++slot) {
      builder.gather_buffer(slot_name(slot), largest);
    }
    declare_parts(builder);
  }

  void embedding(ProgramBuilder& builder, const Pass& pass) const override {
    gathered(builder,
             {.number = 0, .shards = {"embedding"}, .what = "embedding"},
             embedding_bytes(builder),
             [&] { TensorParallel::embedding(builder, pass); });
  }

  void layer(ProgramBuilder& builder, const Pass& pass, int layer) const override {
    const auto& stage = builder.stage();
    const int number = layer - stage.first_layer + (stage.first() ? 1 : 0);
    gathered(builder,
             {.number = number,
              .shards = {"L" + std::to_string(layer)},
              .what = "layer",
              .layer = layer},
             layer_bytes(builder, layer),
             [&] { TensorParallel::layer(builder, pass, layer); });
  }

  void head(ProgramBuilder& builder, const Pass& pass) const override {
    const auto& stage = builder.stage();
    Unit unit{.number = stage.layers + (stage.first() ? 1 : 0), .shards = {"head"}, .what = "head"};
    if (shares_table(builder)) {
      unit.shards.emplace_back("embedding");
    }
    gathered(
        builder, unit, gathered_head_bytes(builder), [&] { TensorParallel::head(builder, pass); });
  }

protected:
  /// Every matrix lies in the slot that its unit is gathered into. A shared table is the head's
  /// where it is gathered for the head.
  [[nodiscard]] WeightBuffer weight_buffer(const ProgramBuilder& builder) const override {
    if (builder.layout().dp == 1) {
      return TensorParallel::weight_buffer(builder);
    }
    return [&builder](const std::string& name) {
      const bool of_head = name == "embedding" && builder.gathers_head;
      const auto part = of_head ? std::string{"lm_head"} : name;
      return builder.buffer(builder.has_buffer(part) ? part : builder.gathered_into);
    };
  }

private:
  /// What is gathered at once.
  struct Unit {
    int number = 0;                  ///< in the pass
    std::vector<std::string> shards; ///< in the order in which they lie in the gather buffer
    std::string what;
    int layer = -1;
  };

  /// Whether embedding and head of this stage have one table.
  static bool shares_table(const ProgramBuilder& builder) {
    return builder.model().tied_embeddings && builder.stage().first() && builder.stage().last();
  }

  static int slots(const ProgramBuilder& builder) { return builder.layout().prefetch ? 2 : 1; }

  static std::string slot_name(int slot) { return "gathered." + std::to_string(slot); }

  static Bytes layer_bytes(const ProgramBuilder& builder, int layer) {
    return weight_bytes(layer_parameters(builder.model(), layer, shard_of(builder)),
                        builder.precision());
  }

  static Bytes embedding_bytes(const ProgramBuilder& builder) {
    const auto& model = builder.model();
    const auto table = std::int64_t{model.hidden_size} * model.vocabulary_size;
    const auto beside = embedding_parameters(model) - table;
    return weight_bytes(
        {.linear = 0, .tables = shard_of(builder).vocabulary * model.hidden_size, .other = beside},
        builder.precision());
  }

  static Bytes head_bytes(const ProgramBuilder& builder) {
    const auto& model = builder.model();
    return weight_bytes({.linear = 0,
                         .tables = shard_of(builder).vocabulary * model.hidden_size,
                         .other = final_norm_parameters(model)},
                        builder.precision());
  }

  /// With the final norm comes all that is kept with a shared table.
  static Bytes gathered_head_bytes(const ProgramBuilder& builder) {
    return shares_table(builder) ? final_norm_bytes(builder) + embedding_bytes(builder)
                                 : head_bytes(builder);
  }

  static Bytes final_norm_bytes(const ProgramBuilder& builder) {
    return weight_bytes({.linear = 0, .other = final_norm_parameters(builder.model())},
                        builder.precision());
  }

  static std::vector<std::pair<std::string, Bytes>> unit_bytes(const ProgramBuilder& builder) {
    const auto& stage = builder.stage();
    std::vector<std::pair<std::string, Bytes>> units;
    if (stage.first()) {
      units.emplace_back("embedding", embedding_bytes(builder));
    }
    for (int layer = stage.first_layer; layer < stage.first_layer + stage.layers; ++layer) {
      units.emplace_back("L" + std::to_string(layer), layer_bytes(builder, layer));
    }
    if (stage.last()) {
      units.emplace_back("head",
                         shares_table(builder) ? final_norm_bytes(builder) : head_bytes(builder));
    }
    return units;
  }

  /// Where each tensor of a unit lies once it is gathered.
  static void declare_parts(ProgramBuilder& builder) {
    const auto shard = shard_of(builder);
    const auto& stage = builder.stage();
    int unit = 0;
    const auto next_slot = [&] { return builder.buffer(slot_name(unit++ % slots(builder))); };
    if (stage.first()) {
      builder.gather_into(next_slot(), [&] { declare_embedding(builder, shard); });
    }
    for (int layer = stage.first_layer; layer < stage.first_layer + stage.layers; ++layer) {
      builder.gather_into(next_slot(), [&] { declare_layer(builder, layer, shard); });
    }
    if (stage.last()) {
      builder.gather_into(next_slot(), [&] { declare_head(builder, shard, true); });
    }
  }

  /// Gathers a unit, runs `compute` with it, and frees its buffer.
  template <class Compute>
  static void gathered(ProgramBuilder& builder, const Unit& unit, Bytes bytes, Compute compute) {
    if (builder.layout().dp == 1) {
      compute(); // all weights are here already
      return;
    }
    const int slot = unit.number % slots(builder);
    const auto buffer = builder.buffer(slot_name(slot));
    const auto gather = builder.stream("gather");
    const auto free = builder.event(slot_name(slot) + ".free");
    const auto full = builder.event(slot_name(slot) + ".full");
    std::vector<BufferId> shards;
    for (const auto& name : unit.shards) {
      shards.push_back(builder.buffer(name + ".shard"));
    }
    builder.wait(gather, free);
    builder.collective(gather,
                       "all_gather." + unit.what,
                       {.kind = CollectiveKind::all_gather, .axis = "dp", .total_bytes = bytes},
                       {.layer = unit.layer, .reads = shards, .writes = {buffer}});
    builder.record(gather, full);
    builder.wait(0, full);
    builder.gathered_into = slot_name(slot);
    builder.gathers_head = unit.what == "head";
    if (builder.traits.copies_gathered_weights) {
      const auto type = builder.precision().activations();
      const auto elements = static_cast<std::int64_t>(bytes.value() / element_bytes(type).value());
      builder.kernel("copy." + unit.what,
                     RowKernel{.function = RowFunction::copy,
                               .rows = 1,
                               .read_columns = elements,
                               .write_columns = elements,
                               .type = type},
                     {.layer = unit.layer, .reads = {buffer}, .writes = {buffer}});
    }
    compute();
    builder.record(0, free);
  }
};

const RegisterLayerStrategy registration{
    {.name = "zero3",
     .summary =
         "ZeRO-3: ranks with their own sequences gather each layer's weights, use them, discard",
     .reference = "Rajbhandari et al., ZeRO, arXiv 1910.02054, stage 3",
     .splits_batch = true,
     .make = []() -> std::unique_ptr<LayerStrategy> { return std::make_unique<Zero3>(); }}};

} // namespace

} // namespace decodesim
