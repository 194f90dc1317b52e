#pragma once

#include "sim/plan/expert_loads.hpp"
#include "sim/plan/plan.hpp"
#include "sim/plan/workload.hpp"
#include "strategies/layout.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace decodesim {

/// Layers that a pipeline stage passes at once: all that it holds, or one of its chunks. Stages and
/// chunks are counted in the order in which the layers are passed.
struct Stage {
  int index = 0;
  int count = 1;
  int first_layer = 0;
  int layers = 0;

  [[nodiscard]] bool first() const { return index == 0; }

  [[nodiscard]] bool last() const { return index == count - 1; }
};

/// One trip of a micro-batch through a stage.
struct Pass {
  Part part = Part::body;
  int micro_batch = 0;
  int sequences = 0;               ///< of this micro-batch; 0 = none, but gathers go on
  std::int64_t query_tokens = 1;   ///< new tokens per sequence: the prompt in prefill, 1 in decode
  std::int64_t context_tokens = 0; ///< per sequence at step 0, new tokens included
  /// The same in the mean decode step: size of what is copied whole in every step.
  std::int64_t mean_context_tokens = 0;

  [[nodiscard]] std::int64_t tokens() const { return sequences * query_tokens; }
};

/// Name of an activation that each micro-batch has its own of ("tokens.m0"): one that is sent or
/// received, since messages of a micro-batch run beside the computation of others.
[[nodiscard]] std::string per_micro_batch(const char* name, const Pass& pass);

/// Collects the program of one role in the order in which its host enqueues it.
class ProgramBuilder {
public:
  /// @param loads  of models with experts
  ProgramBuilder(const Model& model,
                 const Layout& layout,
                 Precision precision,
                 Stage stage,
                 const ExpertLoads* loads = nullptr);

  [[nodiscard]] const Model& model() const { return model_; }

  [[nodiscard]] const Layout& layout() const { return layout_; }

  [[nodiscard]] Precision precision() const { return precision_; }

  [[nodiscard]] const Stage& stage() const { return stage_; }

  /// Null when the model has no experts.
  [[nodiscard]] const ExpertLoads* expert_loads() const { return expert_loads_; }

  /// The stream of that name, made on first use. "compute" is stream 0.
  [[nodiscard]] StreamId stream(const std::string& name);
  /// The event of that name, made on first use.
  [[nodiscard]] EventId event(const std::string& name);

  /// Weights of this rank's shard: resident, which count towards Program::weights, or inside a
  /// gather_into().
  BufferId weights(const std::string& name, std::vector<std::int64_t> shape, DataType type);
  /// A buffer that several layers' gathered weights use in turn; declared again, it grows to the
  /// larger size.
  BufferId gather_buffer(const std::string& name, Bytes bytes);
  /// Weights that `declare` declares lie in a gather buffer, one after another from its beginning.
  void gather_into(BufferId buffer, const std::function<void()>& declare);
  /// Key and value cache of one layer for all sequences of the rank, at its longest: the model's
  /// latent, or a key and a value per KV head, of the layer's window alone if it has one.
  BufferId kv_cache(int layer, std::int64_t kv_heads, std::int64_t sequences, std::int64_t tokens);
  /// An activation; the same name and shape give the same buffer.
  BufferId activation(const std::string& name, std::vector<std::int64_t> shape, DataType type);
  /// The same as a decode step's, wherever it is declared: token ids that a prefill gives.
  BufferId
  decode_activation(const std::string& name, std::vector<std::int64_t> shape, DataType type);

  /// Finds a buffer declared before. @throws std::out_of_range
  [[nodiscard]] BufferId buffer(const std::string& name) const;

  [[nodiscard]] bool has_buffer(const std::string& name) const { return buffers_.contains(name); }

  /// Declarations and operations from here on belong to this chunk of the stage.
  void enter(const Stage& stage) { stage_ = stage; }

  /// Operations from here on belong to this pass.
  void begin(const Pass& pass);

  /// The next operation on the stream waits for the latest record of the event.
  void wait(StreamId stream, EventId event);
  /// The event is recorded when the latest operation of the stream is done; nothing is recorded on
  /// a stream that has none in this part yet.
  void record(StreamId stream, EventId event);

  struct Detail {
    int layer = -1;
    std::vector<BufferId> reads = {};
    std::vector<BufferId> writes = {};
    bool samples = false;
  };

  void kernel(const std::string& name, Kernel kernel, Detail detail);
  /// On the compute stream.
  void exchange(const std::string& name, Exchange exchange, Detail detail);
  void collective(StreamId stream, const std::string& name, Collective collective, Detail detail);
  void messages(StreamId stream, const std::string& name, PointToPoint messages, Detail detail);

  /// Hidden states of the pass: set by the embedding or a receive, replaced by every layer.
  BufferId hidden = -1;
  /// Ranks that the rows of the residual stream are cut over between the blocks; strategies that
  /// cut them set it.
  int row_shards = 1;
  /// What the serving framework does beside the kernels of a fused program.
  ProgramTraits traits;
  /// Name of the gather buffer that holds the weights in use; strategies that gather set it.
  std::string gathered_into;
  /// Whether those are the head's.
  bool gathers_head = false;

  [[nodiscard]] Program& program() { return program_; }

private:
  BufferId add_buffer(Buffer buffer);
  void add(Operation operation);

  const Model& model_;
  const Layout& layout_;
  Precision precision_;
  Stage stage_;
  const ExpertLoads* expert_loads_;
  Program program_;
  Pass pass_;
  std::map<std::string, EventId> events_;
  std::map<std::string, BufferId> buffers_;
  std::map<StreamId, std::vector<EventId>> pending_waits_;
  BufferId gathering_into_ = -1; ///< -1 = weights are resident
  Bytes gathered_;               ///< declared in it so far
};

} // namespace decodesim
