#include "strategies/build_plan.hpp"

#include "sim/error.hpp"
#include "strategies/expert_shard.hpp"
#include "strategies/registry.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>

namespace decodesim {

namespace {

/// A plan takes about 0.5 kB for each of its operations.
constexpr double most_operations = 5e6;

/// `whole` things over `parts`, as equal as possible, the first ones larger.
std::vector<int> split(int whole, int parts) {
  std::vector<int> sizes(static_cast<std::size_t>(parts), whole / parts);
  for (int i = 0; i < whole % parts; ++i) {
    ++sizes[static_cast<std::size_t>(i)];
  }
  return sizes;
}

[[noreturn]] void refuse(const std::string& why) { throw LayoutError{why}; }

/// Layers of every chunk of every stage, in the order in which they are passed.
/// @param head_counts  whether the LM head is cut with them as one more layer, of the last stage
std::vector<int>
stage_layers(const Model& model, const Layout& layout, int chunks, bool head_counts) {
  const int count = layout.pp * chunks;
  const auto needed = "pp = " + std::to_string(layout.pp) + " stages" +
                      (chunks > 1 ? " of " + std::to_string(chunks) + " chunks" : std::string{});
  if (layout.stage_layers.empty()) {
    if (count > model.layers) {
      refuse(needed + " are more than the " + std::to_string(model.layers) + " layers of " +
             model.name);
    }
    if (head_counts && count > 1 && count <= model.layers) {
      auto layers = split(model.layers + 1, count);
      --layers.back();
      return layers;
    }
    return split(model.layers, count);
  }
  const auto& given = layout.stage_layers;
  const int sum = std::accumulate(given.begin(), given.end(), 0);
  if (static_cast<int>(given.size()) != count || sum != model.layers ||
      *std::min_element(given.begin(), given.end()) < 1) {
    refuse("stage layers name " + std::to_string(given.size()) + " stages with " +
           std::to_string(sum) + " layers; " + needed + " of " + model.name + " need " +
           std::to_string(model.layers) + ", at least 1 each");
  }
  return given;
}

/// One tp x pp grid of ranks after another: rank = (dp index x pp + stage) x tp + tp index.
int rank_at(const Layout& layout, int dp, int stage, int tp) {
  return (dp * layout.pp + stage) * layout.tp + tp;
}

std::vector<GroupAxis> group_axes(const Layout& layout) {
  std::vector<std::vector<int>> tp_groups;
  std::vector<std::vector<int>> pp_groups;
  std::vector<std::vector<int>> dp_groups;
  for (int d = 0; d < layout.dp; ++d) {
    for (int s = 0; s < layout.pp; ++s) {
      auto& group = tp_groups.emplace_back();
      for (int t = 0; t < layout.tp; ++t) {
        group.push_back(rank_at(layout, d, s, t));
      }
    }
    for (int t = 0; t < layout.tp; ++t) {
      auto& group = pp_groups.emplace_back();
      for (int s = 0; s < layout.pp; ++s) {
        group.push_back(rank_at(layout, d, s, t));
      }
    }
  }
  for (int s = 0; s < layout.pp; ++s) {
    for (int t = 0; t < layout.tp; ++t) {
      auto& group = dp_groups.emplace_back();
      for (int d = 0; d < layout.dp; ++d) {
        group.push_back(rank_at(layout, d, s, t));
      }
    }
  }
  std::vector<std::vector<int>> world(1,
                                      std::vector<int>(static_cast<std::size_t>(layout.ranks())));
  std::iota(world.front().begin(), world.front().end(), 0);
  const int ranks = layout.ranks();
  std::vector<GroupAxis> axes{GroupAxis{"tp", tp_groups, ranks},
                              GroupAxis{"pp", pp_groups, ranks},
                              GroupAxis{"dp", dp_groups, ranks},
                              GroupAxis{"world", world, ranks}};
  if (layout.ep > 0) {
    std::vector<std::vector<int>> ep_groups;
    for (int s = 0; s < layout.pp; ++s) {
      auto& group = ep_groups.emplace_back();
      for (int d = 0; d < layout.dp; ++d) {
        for (int t = 0; t < layout.tp; ++t) {
          group.push_back(rank_at(layout, d, s, t));
        }
      }
    }
    axes.emplace_back("ep", ep_groups, ranks);
  }
  return axes;
}

/// Writes the program of one role: a stage of a replica with a given number of sequences.
class RoleWriter {
public:
  RoleWriter(const Model& model,
             const Layout& layout,
             const Workload& workload,
             const LayerStrategy& strategy,
             const PipelineOrder& order,
             const std::vector<std::vector<Stage>>& chunks_of_stage,
             const ExpertLoads* expert_loads)
      : model_{model}, layout_{layout}, workload_{workload}, strategy_{strategy}, order_{order},
        chunks_of_stage_{chunks_of_stage}, expert_loads_{expert_loads} {}

  /// @param chunks  of the stage, in the order in which the layers are passed
  Program write(const std::vector<Stage>& chunks, int sequences, int micro_batches) const {
    ProgramBuilder builder{model_, layout_, workload_.precision, chunks.front(), expert_loads_};
    builder.traits = workload_.traits;
    for (const auto& chunk : chunks) {
      builder.enter(chunk);
      strategy_.declare_memory(
          builder, sequences, workload_.input_tokens + workload_.output_tokens);
    }
    auto& program = builder.program();
    program.role = "stage " + std::to_string(chunks.front().index) + " of " +
                   std::to_string(layout_.pp) + ", " + std::to_string(sequences) +
                   (sequences == 1 ? " sequence" : " sequences");
    program.sequences = sequences;
    const auto sizes = split(sequences, micro_batches);
    for (const auto part : {Part::prologue, Part::body, Part::epilogue}) {
      const auto& blocks = part == Part::prologue ? order_.prologue
                           : part == Part::body   ? order_.body
                                                  : order_.epilogue;
      for (const auto& block : blocks) {
        const bool prefill = part == Part::prologue;
        const Pass pass{.part = part,
                        .micro_batch = block.micro_batch,
                        .sequences = sizes[static_cast<std::size_t>(block.micro_batch)],
                        .query_tokens = prefill ? workload_.input_tokens : 1,
                        .context_tokens = workload_.input_tokens + (prefill ? 0 : 1),
                        .mean_context_tokens =
                            workload_.input_tokens + (workload_.output_tokens + 1) / 2};
        builder.begin(pass);
        if (block.kind == ScheduleBlock::Kind::forward) {
          builder.enter(chunks[static_cast<std::size_t>(block.chunk)]);
          forward(builder, pass);
        } else {
          builder.enter(chunks.front());
          receive_tokens(builder, pass);
        }
      }
    }
    return std::move(program);
  }

private:
  const Model& model_;
  const Layout& layout_;
  const Workload& workload_;
  const LayerStrategy& strategy_;
  const PipelineOrder& order_;
  const std::vector<std::vector<Stage>>& chunks_of_stage_;
  const ExpertLoads* expert_loads_;

  /// @param stage  any chunk of the peer's, counted over all stages
  Message message(Message::Direction direction, int stage, const char* channel, Bytes bytes) const {
    return {.direction = direction,
            .axis = "pp",
            .peer = stage % layout_.pp,
            .channel = channel,
            .bytes = bytes};
  }

  /// Sampled token ids, 4 bytes each, from the last stage to the first.
  static Bytes token_bytes(const Pass& pass) { return Bytes{4.0 * pass.sequences}; }

  Bytes hidden_bytes(const Pass& pass) const {
    return static_cast<double>(strategy_.rows_between_stages(layout_, pass)) * model_.hidden_size *
           element_bytes(workload_.precision.activations());
  }

  /// Where tokens go beside hidden states over the same pair of ranks, each has its own
  /// communicator: they would wait for each other in one.
  std::string token_stream(const char* direction, const Stage& stage) const {
    return std::string{direction} + (stage.count > layout_.pp ? ".tokens" : "");
  }

  void receive_tokens(ProgramBuilder& builder, const Pass& pass) const {
    const auto& stage = builder.stage();
    if (stage.count == 1 || !stage.first() || pass.sequences == 0) {
      return;
    }
    const auto stream = builder.stream(token_stream("receive", stage));
    const auto tokens = builder.decode_activation(
        per_micro_batch("tokens", pass), {pass.sequences}, DataType::fp32);
    builder.messages(
        stream,
        "receive.tokens",
        {{message(Message::Direction::receive, stage.count - 1, "tokens", token_bytes(pass))}},
        {.writes = {tokens}});
    const auto arrived = builder.event("tokens.arrived");
    if (workload_.traits.returns_cache) {
      for (int peer = 1; peer < stage.count; ++peer) {
        receive_cache(builder, pass, stream, peer, peer);
      }
    }
    builder.record(stream, arrived);
    builder.wait(0, arrived);
  }

  /// Element-wise kernels that a fused engine does not have: each reads and writes the hidden
  /// states once.
  void unfused_kernels(ProgramBuilder& builder, const Pass& pass, int layer) const {
    if (pass.sequences == 0) {
      return;
    }
    const auto rows = (pass.tokens() + builder.row_shards - 1) / builder.row_shards;
    for (int i = 0; i < workload_.traits.unfused_kernels; ++i) {
      builder.kernel("unfused",
                     RowKernel{.function = RowFunction::copy,
                               .rows = rows,
                               .read_columns = model_.hidden_size,
                               .write_columns = model_.hidden_size,
                               .type = workload_.precision.activations()},
                     {.layer = layer, .reads = {builder.hidden}, .writes = {builder.hidden}});
    }
  }

  /// Keys and values of one stage's layers, as long as in the mean decode step.
  BufferId cache_of(ProgramBuilder& builder, const Pass& pass, int stage) const {
    const auto layers = chunks_of_stage_[static_cast<std::size_t>(stage)].front().layers;
    const auto columns = pass.mean_context_tokens * layers * cached_columns();
    return builder.activation(per_micro_batch("cache", pass) + "." + std::to_string(stage),
                              {pass.sequences, columns},
                              workload_.precision.kv_cache);
  }

  void receive_cache(
      ProgramBuilder& builder, const Pass& pass, StreamId stream, int peer, int owner) const {
    const auto cache = cache_of(builder, pass, owner);
    builder.messages(stream,
                     "receive.cache",
                     {{message(Message::Direction::receive,
                               peer,
                               "cache",
                               builder.program().buffers[static_cast<std::size_t>(cache)].bytes)}},
                     {.writes = {cache}});
  }

  void send_cache(
      ProgramBuilder& builder, const Pass& pass, StreamId stream, int peer, int owner) const {
    const auto cache = cache_of(builder, pass, owner);
    builder.messages(stream,
                     "send.cache",
                     {{message(Message::Direction::send,
                               peer,
                               "cache",
                               builder.program().buffers[static_cast<std::size_t>(cache)].bytes)}},
                     {.reads = {cache}});
  }

  void forward(ProgramBuilder& builder, const Pass& pass) const {
    const auto& stage = builder.stage();
    const bool talks = stage.count > 1 && pass.sequences > 0;
    if (stage.first()) {
      strategy_.embedding(builder, pass);
    } else if (talks) {
      receive_hidden(builder, pass);
    }
    for (int layer = stage.first_layer; layer < stage.first_layer + stage.layers; ++layer) {
      strategy_.layer(builder, pass, layer);
      unfused_kernels(builder, pass, layer);
    }
    if (stage.last()) {
      strategy_.head(builder, pass);
    } else {
      strategy_.leave_stage(builder, pass);
    }
    if (talks) {
      send_result(builder, pass);
    }
  }

  void receive_hidden(ProgramBuilder& builder, const Pass& pass) const {
    const auto stream = builder.stream("receive");
    const auto type = workload_.precision.activations();
    builder.hidden =
        builder.activation(per_micro_batch("received", pass),
                           {strategy_.rows_between_stages(layout_, pass), model_.hidden_size},
                           type);
    builder.messages(
        stream,
        "receive.hidden",
        {{message(
            Message::Direction::receive, builder.stage().index - 1, "hidden", hidden_bytes(pass))}},
        {.writes = {builder.hidden}});
    if (workload_.traits.returns_cache && pass.part == Part::body) {
      receive_cache(builder, pass, stream, 0, builder.stage().index);
    }
    const auto arrived = builder.event("hidden.arrived");
    builder.record(stream, arrived);
    builder.wait(0, arrived);
  }

  /// Hidden states to the next stage, or from the last stage its tokens back to the first.
  void send_result(ProgramBuilder& builder, const Pass& pass) const {
    const auto& stage = builder.stage();
    const auto stream =
        builder.stream(stage.last() ? token_stream("send", stage) : std::string{"send"});
    const auto done = builder.event("pass.done");
    builder.record(0, done);
    builder.wait(stream, done);
    if (stage.last()) {
      const auto sampled =
          builder.activation(per_micro_batch("sampled", pass), {pass.sequences}, DataType::fp32);
      builder.messages(stream,
                       "send.tokens",
                       {{message(Message::Direction::send, 0, "tokens", token_bytes(pass))}},
                       {.reads = {sampled}});
    } else {
      builder.messages(
          stream,
          "send.hidden",
          {{message(Message::Direction::send, stage.index + 1, "hidden", hidden_bytes(pass))}},
          {.reads = {builder.hidden}});
    }
    if (!workload_.traits.returns_cache) {
      return;
    }
    if (!stage.first()) {
      send_cache(builder, pass, stream, 0, stage.index);
    } else if (pass.part == Part::body) {
      for (int peer = 1; peer < stage.count; ++peer) {
        send_cache(builder, pass, stream, peer, peer);
      }
    }
  }

  /// Elements that a token adds to the cache of one layer of a rank.
  std::int64_t cached_columns() const {
    return model_.latent
               ? model_.latent->cache_size()
               : std::int64_t{2} * std::max(1, model_.kv_heads / layout_.tp) * model_.head_size;
  }
};

} // namespace

Plan build_plan(const Model& model, const Layout& layout, const Workload& workload) {
  for (const auto& [degree, name] :
       {std::pair{layout.tp, "tp"}, std::pair{layout.pp, "pp"}, std::pair{layout.dp, "dp"}}) {
    if (degree < 1) {
      refuse(std::string{name} + " = " + std::to_string(degree) + "; at least 1 is needed");
    }
  }
  if (layout.ep < 0) {
    refuse("ep = " + std::to_string(layout.ep) +
           "; at least 1 is needed, or 0 for no experts apart");
  }
  for (const auto& [count, what] :
       {std::pair<std::int64_t, const char*>{workload.batch_size, "sequences"},
        {workload.input_tokens, "input tokens"},
        {workload.output_tokens, "output tokens"}}) {
    if (count < 1) {
      refuse("the workload has " + std::to_string(count) + " " + what + "; at least 1 is needed");
    }
  }
  if (layout.micro_batches < 0) {
    refuse("micro-batches = " + std::to_string(layout.micro_batches) +
           "; at least 1 is needed, or 0 for the schedule's default");
  }
  const auto strategy = layer_strategy_named(layout.strategy, "strategy").make();
  const auto schedule = pipeline_schedule_named(layout.schedule, "schedule").make();
  strategy->validate(model, layout);
  if (workload.traits.returns_cache && layout.pp > 1 && layout.schedule != "naive") {
    refuse("the framework keeps the cache of all stages on the first between steps, which the "
           "schedule " +
           layout.schedule + " does not allow; use naive");
  }
  validate_experts(model, layout, workload.experts);
  const int chunks = layout.virtual_stages > 0 ? layout.virtual_stages
                     : layout.pp == 1          ? 1
                                               : schedule->default_chunks();
  if (chunks > 1 && schedule->default_chunks() == 1) {
    refuse("virtual-stages = " + std::to_string(chunks) + ", but the schedule " + layout.schedule +
           " passes each stage once; \"interleaved\" passes it several times");
  }
  const auto layers = stage_layers(model, layout, chunks, workload.traits.head_counts_as_layer);
  const auto sequences = split(workload.batch_size, layout.dp); // of each replica
  const int most = sequences.front();
  const int micro_batches = layout.micro_batches > 0 ? layout.micro_batches
                            : layout.pp == 1         ? 1
                                             : schedule->default_micro_batches(layout.pp, most);
  if (micro_batches > most) {
    refuse("micro-batches = " + std::to_string(micro_batches) + ", but a replica has only " +
           std::to_string(most) + (most == 1 ? " sequence" : " sequences"));
  }
  // About ten operations a layer, in the prefill and in the body.
  const double operations = 20.0 * model.layers * micro_batches;
  if (operations > most_operations) {
    refuse("micro-batches = " + std::to_string(micro_batches) + " make a plan of about " +
           std::to_string(static_cast<long long>(operations)) + " operations; at most " +
           std::to_string(static_cast<long long>(most_operations)) + " are planned");
  }
  if (model.position == PositionKind::learned && model.max_positions > 0 &&
      workload.input_tokens + workload.output_tokens > model.max_positions) {
    refuse("isl + osl = " + std::to_string(workload.input_tokens + workload.output_tokens) +
           " tokens, but " + model.name + " has " + std::to_string(model.max_positions) +
           " learned positions");
  }

  Plan plan;
  plan.layout = layout.tag();
  plan.axes = group_axes(layout);
  plan.decode_steps = workload.decode_steps();
  plan.prompt_tokens = workload.input_tokens;
  plan.program_of_rank.resize(static_cast<std::size_t>(layout.ranks()));

  std::vector<std::vector<Stage>> chunks_of_stage(static_cast<std::size_t>(layout.pp));
  int first_layer = 0;
  for (int i = 0; i < layout.pp * chunks; ++i) {
    const int count = layers[static_cast<std::size_t>(i)];
    chunks_of_stage[static_cast<std::size_t>(i % layout.pp)].push_back(
        {.index = i, .count = layout.pp * chunks, .first_layer = first_layer, .layers = count});
    first_layer += count;
  }
  const auto order =
      schedule->order({.stages = layout.pp, .chunks = chunks, .micro_batches = micro_batches});
  if (model.moe) {
    std::vector<std::vector<int>> sizes;
    for (const int count : sequences) {
      sizes.push_back(split(count, micro_batches));
    }
    plan.expert_loads =
        std::make_shared<ExpertLoads>(model, expert_grid(layout, std::move(sizes)), workload);
  }
  const RoleWriter writer{
      model, layout, workload, *strategy, order, chunks_of_stage, plan.expert_loads.get()};
  std::map<std::pair<int, int>, int> role_of; // (stage, sequences) -> program
  for (int d = 0; d < layout.dp; ++d) {
    for (int s = 0; s < layout.pp; ++s) {
      const int count = sequences[static_cast<std::size_t>(d)];
      const auto [role, added] =
          role_of.try_emplace({s, count}, static_cast<int>(plan.programs.size()));
      if (added) {
        plan.programs.push_back(
            writer.write(chunks_of_stage[static_cast<std::size_t>(s)], count, micro_batches));
      }
      for (int t = 0; t < layout.tp; ++t) {
        plan.program_of_rank[static_cast<std::size_t>(rank_at(layout, d, s, t))] = role->second;
      }
    }
  }
  return plan;
}

} // namespace decodesim
