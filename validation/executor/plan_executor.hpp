#pragma once

#include "sim/engine/timeline.hpp"
#include "validation/executor/device.hpp"
#include "validation/executor/expert_table_store.hpp"
#include "validation/executor/kernel_resolver.hpp"
#include "validation/executor/memory_places.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace decodesim {

struct ExecutorOptions {
  /// False: the rank's kernels alone; collectives, exchanges and messages are left out.
  bool communicates = true;
  /// Events around every operation; else only where steps end.
  bool spans = true;
  /// Each decode step is one graph, captured before the run. Steps do not overlap then.
  bool graph = false;
  /// Called with the logits of every pass, at its sampling operation. The host waits for the device
  /// there, so times mean nothing then.
  std::function<void(Part part, int step, int micro_batch, const SamplingCall& logits)> on_logits =
      {};
  /// A run with nothing new done for so long hangs.
  std::chrono::milliseconds patience{60'000};
};

/// Times of one run of one rank, from the start of its prologue on its compute stream.
struct RankTimes {
  double prologue_s = 0;          ///< until the prologue's work on the compute stream is done
  std::vector<double> step_end_s; ///< of each decode step, likewise
  double end_s = 0;               ///< until all streams are done
  std::vector<Span> spans;        ///< compute and transfer; empty without spans
};

/// Plays one rank's part of a plan on a device: the operations of prologue, body (once per decode
/// step) and epilogue in their order, each on its stream, after its events, on buffers of the
/// plan's sizes and lifetimes.
class PlanExecutor {
public:
  /// Plan, model and device must outlive the executor.
  PlanExecutor(
      const Plan& plan, const Model& model, int rank, Device& device, ExecutorOptions options);

  /// Allocates and fills the memory, joins the communicators, makes streams and events, uploads
  /// prompts and routing tables.
  /// @throws InputError when the memory does not suffice
  void prepare();

  /// Turns events around operations on or off; graphs are captured again.
  void record_spans(bool spans);

  /// Makes each decode step one graph from here on.
  void use_graphs();

  /// Plays the plan once and waits for its end. May be called again: everything starts anew.
  /// @throws SimulationError naming the operations that wait when the run hangs
  RankTimes run();

  /// Operations that are enqueued and not done, the first of each stream: "send.hidden m0 of step 3
  /// on stream send". When none is known, what the host is about: an operation that it enqueues, a
  /// communicator that it joins. May be called from another thread while `run` is under way.
  [[nodiscard]] std::vector<std::string> waiting_operations() const;

private:
  /// An operation of the run with the events around it.
  struct Enqueued {
    const Operation* op = nullptr;
    Part part = Part::body;
    int step = -1;
    int index = 0;
    EventHandle begin = -1; ///< -1 = none
    EventHandle end = -1;
    bool is_recorded = false; ///< whether `end` means something
  };

  void allocate();
  void join_communicators();
  void say_joining(const std::string& name);

  void play(Part part, int step);
  void enqueue(const Operation& op, Part part, int step, int index);
  void work(const Operation& op, Part part, int step);
  void collect(const Operation& op, const Collective& collective);
  void exchange(const Operation& op,
                const Exchange& exchange,
                const std::shared_ptr<const ExpertTables>& tables);
  void message(const Operation& op, const PointToPoint& messages);
  void prepare_kernels();
  void capture(int step);
  void capture_steps();
  void fork();
  void join();
  void finish();
  [[nodiscard]] RankTimes times();
  [[nodiscard]] std::string name_of(const Enqueued& entry) const;
  [[nodiscard]] std::vector<std::string> operations_not_done() const;

  [[nodiscard]] StreamHandle stream(StreamId id) const {
    return streams_[static_cast<std::size_t>(id)];
  }

  [[nodiscard]] const Array& array(BufferId id) const { return resolver_->array(id); }

  [[nodiscard]] EventHandle next_event();

  const Plan& plan_;
  const Model& model_;
  RankPlace place_;
  Device& device_;
  ExecutorOptions options_;
  ExpertTableStore expert_tables_;
  const Program& program_;
  MemoryPlaces memory_;
  std::optional<KernelResolver> resolver_;
  std::vector<StreamHandle> streams_;
  std::vector<EventHandle> events_; ///< of the plan
  std::vector<bool> recorded_;      ///< whether a wait for one means anything
  std::map<std::string, CommunicatorHandle> communicators_;
  Array packed_;                    ///< rows on their way to other ranks
  std::vector<GraphHandle> graphs_; ///< by step
  std::vector<EventHandle> pool_;   ///< timed events of the run, in order
  std::size_t used_events_ = 0;
  EventHandle start_ = -1;
  std::vector<EventHandle> marks_;     ///< end of prologue, of each step, of the run on each stream
  mutable std::recursive_mutex mutex_; ///< guards what waiting_operations reads
  std::vector<Enqueued> enqueued_;     ///< those of graphs first
  bool enqueues_ = false;              ///< the host is about the latest of them
  std::string joining_;                ///< communicator whose members are waited for
  std::size_t captured_ = 0;           ///< how many are in graphs
  std::size_t captured_events_ = 0;    ///< of pool_ are in graphs
};

} // namespace decodesim
