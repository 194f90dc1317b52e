#pragma once

#include <vector>

namespace decodesim {

/// One entry of a stage's order: a pass of a micro-batch through one of the stage's chunks of
/// layers, or (first stage only) the arrival of the tokens that the last stage sampled for a
/// micro-batch. A pass waits for all arrivals listed before it.
struct ScheduleBlock {
  enum class Kind { forward, receive_tokens };
  Kind kind = Kind::forward;
  int micro_batch = 0;
  int chunk = 0; ///< of a forward

  bool operator==(const ScheduleBlock&) const = default;
};

/// The first stage's order. The other stages run the micro-batches in the order of the forwards.
struct PipelineOrder {
  std::vector<ScheduleBlock> prologue; ///< prefill
  std::vector<ScheduleBlock> body;     ///< one decode step
  std::vector<ScheduleBlock> epilogue; ///< arrivals that are left
};

/// What a schedule orders.
struct PipelineShape {
  int stages = 1;
  int chunks = 1; ///< of layers per stage: chunk c of stage s comes after c x stages + s others
  int micro_batches = 1;
};

/// In which order a pipeline handles micro-batches.
///
/// Contract: in prologue and body each micro-batch has one forward through each chunk, in chunk
/// order; the arrivals of prologue, bodies and epilogue together are those of every forward through
/// the last chunk, in the order of these.
class PipelineSchedule {
public:
  virtual ~PipelineSchedule() = default;

  /// Micro-batches when the user names none.
  /// @param sequences  of one replica, at least 1
  [[nodiscard]] virtual int default_micro_batches(int stages, int sequences) const = 0;

  /// Chunks per stage when the user names none; 1 also means that the schedule knows no others.
  [[nodiscard]] virtual int default_chunks() const { return 1; }

  [[nodiscard]] virtual PipelineOrder order(const PipelineShape& shape) const = 0;
};

} // namespace decodesim
