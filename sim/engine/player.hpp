#pragma once

#include "sim/engine/gpu_clock.hpp"
#include "sim/engine/host_schedule.hpp"
#include "sim/engine/kernel_timing.hpp"
#include "sim/engine/platform.hpp"
#include "sim/engine/prepared_transfers.hpp"
#include "sim/engine/sampled_steps.hpp"
#include "sim/engine/simulate.hpp"
#include "sim/host/launch_jitter.hpp"
#include "sim/plan/program_index.hpp"

#include <simgrid/s4u.hpp>

#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace decodesim {

/// Plays a plan on a platform: one SimGrid actor per stream of a rank.
///
/// A rank with one stream cannot compute and communicate at once, so nothing can slow its kernels:
/// its actor adds up their times without sleeping and meets SimGrid's clock when it next meets
/// another rank (the last to arrive at a collective sleeps until the latest arrival). A rank with
/// several streams really sleeps through its kernels, and plays those that run beside a transfer of
/// its GPU as flows over the GPU's memory. Ranks that share a GPU play all kernels as flows over
/// its throughput.
class Player {
public:
  Player(const Plan& plan,
         const Machine& machine,
         const std::vector<int>& gpu_of_rank,
         const SimulationOptions& options,
         SampledSteps steps);
  ~Player();

  SimulationResult play();

  /// How far the windows of steps that were played are from one another's predictions.
  [[nodiscard]] double worst_prediction() const { return worst_prediction_; }

  /// How far single steps of the windows that were played are from the mean of their window.
  [[nodiscard]] double spread() const { return spread_; }

private:
  struct Rank;

  /// One stream of one rank.
  struct Stream {
    Rank* rank = nullptr;
    StreamId id = 0;
    const std::array<std::vector<IndexedOperation>, 3>* operations = nullptr;
    simgrid::s4u::ActorPtr actor;
    bool blocked = false;
    double now = 0; ///< simulated seconds since the start; may run ahead of SimGrid's clock
    Part part = Part::prologue;
    int step = 0; ///< place in the list of played steps
    const IndexedOperation* current = nullptr;
    bool finished = false;
    int messages_open = 0;
    double messages_end = 0;
  };

  struct EventState {
    int count = 0;
    std::vector<std::pair<int, Stream*>> waiting; ///< (count needed, who)
  };

  struct Rank {
    int number = 0;
    int gpu = 0;
    const Program* program = nullptr;
    const ProgramIndex* index = nullptr;
    const KernelTimings* timings = nullptr;
    const HostSchedule* host = nullptr;
    const std::vector<CommunicatorEnd>* collectives = nullptr; ///< by ProgramIndex::collectives
    const std::vector<ChannelEnd>* messages = nullptr;         ///< by ProgramIndex::messages
    bool overlaps = false;    ///< several streams, or a GPU that ranks share
    StreamId step_stream = 0; ///< the stream whose end of a step is the rank's
    /// When the host could begin to launch the prefill and each step that was reached: when what
    /// comes before is done on the step stream.
    std::vector<double> host_began = {0.0};
    std::vector<std::pair<std::size_t, Stream*>> awaiting_host; ///< (entry of host_began, who)
    RouteId kernel_route = 0;                                   ///< when it overlaps
    GpuClock clock;
    std::vector<EventState> events;
    std::vector<std::unique_ptr<Stream>> streams;
    int transfers = 0; ///< of this GPU, that move bytes now
    bool kernel_asleep = false;
    simgrid::s4u::SemaphorePtr interrupt = simgrid::s4u::Semaphore::create(0);
  };

  struct Arrival {
    Stream* stream = nullptr;
    double at = 0;
    double ready = 0; ///< when its part of the work starts, and that of all that it stands for
    SpanKind meanwhile = SpanKind::waiting; ///< what the stream does until the transfer starts
  };

  struct Channel {
    std::deque<Arrival> senders;
    std::deque<Arrival> receivers;
    const std::vector<std::pair<int, int>>* pairs = nullptr; ///< (from, to) that it stands for
  };

  using Links = std::shared_ptr<const std::vector<LinkDirection>>;

  struct PieceRecord {
    Links links;
    Bytes bytes;
    double start = 0;
    double end = 0;
  };

  [[nodiscard]] double clock() const;
  void sleep_until(double instant) const;
  void block(Stream& stream);
  void unblock(Stream& stream);

  void run_stream(Stream& stream);
  void play_part(Stream& stream, Part part, int step);
  void wait_for_events(Stream& stream, const IndexedOperation& entry);
  [[nodiscard]] double host_ready(Stream& stream, const IndexedOperation& entry);
  void wait_for_host(Stream& stream, const IndexedOperation& entry);
  void await_host_step(Stream& stream);
  [[nodiscard]] double open_pass(Stream& stream, const IndexedOperation& entry, double busy);
  [[nodiscard]] bool is_eager(const Stream& stream) const;
  [[nodiscard]] double& host_began(const Stream& stream);
  void begin_host_step(Stream& stream);
  void finish(Stream& stream, const IndexedOperation& entry);
  void end_step(Stream& stream, int step);

  /// Plays a kernel, or all up to the next one that needs or gives an event; returns how many.
  std::size_t
  play_kernels(Stream& stream, const std::vector<IndexedOperation>& operations, std::size_t first);
  std::size_t play_overlapping_kernels(Stream& stream,
                                       const std::vector<IndexedOperation>& operations,
                                       std::size_t first);
  void play_beside_transfer(Stream& stream, const KernelTiming& timing, double share);
  void play_on_shared_gpu(Stream& stream, const KernelTiming& timing);

  /// Arrives at work of a whole group; the last member drives its transfer.
  template <class TransferOf>
  void meet(Stream& stream, std::size_t communicator, double delay, TransferOf transfer_of);
  /// Seconds from the arrival at a group's work until the host of the rank, or of the last of those
  /// in the group that it stands for, has launched it.
  [[nodiscard]] double
  delay_of(const Stream& stream, const IndexedOperation& entry, const std::string& axis);
  void play_collective(Stream& stream, const IndexedOperation& entry);
  void play_exchange(Stream& stream, const IndexedOperation& entry);
  void play_messages(Stream& stream, const IndexedOperation& entry);
  void run_message(const Arrival& sender,
                   const Arrival& receiver,
                   const ChannelEnd& end,
                   const Stream* driver);
  /// Returns when it is through. Called by one actor for all that take part.
  double transfer(const PreparedTransfer& transfer, const std::vector<Arrival>& parties, Part part);
  void move(const PreparedTransfer& transfer, double start, Part part);
  void account(const PreparedPiece& piece, double start, double end, Part part);

  void record_span(const Stream& stream, SpanKind kind, double start, double end);
  void keep_first_error();
  void report_hanging() const;
  [[nodiscard]] std::string describe(const Stream& stream) const;

  /// Decode step that the stream is in.
  [[nodiscard]] int step_of(const Stream& stream) const {
    return steps_.played()[static_cast<std::size_t>(stream.step)];
  }

  /// Place of the stream's part in Rank::host_began.
  [[nodiscard]] std::size_t host_step(const Stream& stream) const;

  void make_ranks();
  [[nodiscard]] GpuTime window_of(const Rank& rank) const;
  void fill_steps();
  void fill_links();
  void repeat_for_folded_ranks();
  void fill_link_samples();

  const Plan& plan_;
  const Machine& machine_;
  const std::vector<int>& gpu_of_rank_;
  const SimulationOptions& options_;
  SampledSteps steps_;
  int plays_ = 0; ///< of the body
  double worst_prediction_ = 0;
  double spread_ = 0;
  Platform platform_;
  std::vector<ProgramIndex> indices_;
  HostCosts costs_;
  LaunchJitter jitter_;
  std::vector<KernelTimings> timings_;
  std::vector<HostSchedule> hosts_;          ///< by program
  std::vector<std::unique_ptr<Rank>> ranks_; ///< that are played
  Communication communication_;
  std::unique_ptr<PreparedTransfers> transfers_;
  std::vector<std::vector<Arrival>> communicators_;
  std::vector<Channel> channels_;

  struct DecodeUse {
    Links links;
    double bytes = 0;
  };

  std::vector<DecodeUse> decode_use_; ///< by PreparedPiece::id
  std::vector<PieceRecord> piece_records_;
  std::exception_ptr first_error_;
  double origin_ = 0; ///< SimGrid's clock at the start
  int reporter_ = -1; ///< rank whose steps are reported as progress
  SimulationResult result_;
};

} // namespace decodesim
