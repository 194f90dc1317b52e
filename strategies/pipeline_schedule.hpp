#pragma once

#include <vector>

namespace decodesim {

/// One entry of a stage's order: a pass of a micro-batch, or (first stage only) the arrival of the
/// tokens that the last stage sampled for a micro-batch. A pass waits for all arrivals listed
/// before it.
struct ScheduleBlock {
  enum class Kind { forward, receive_tokens };
  Kind kind = Kind::forward;
  int micro_batch = 0;

  bool operator==(const ScheduleBlock&) const = default;
};

/// The first stage's order. The other stages run the micro-batches in the order of the forwards.
struct PipelineOrder {
  std::vector<ScheduleBlock> prologue; ///< prefill
  std::vector<ScheduleBlock> body;     ///< one decode step
  std::vector<ScheduleBlock> epilogue; ///< arrivals that are left
};

/// In which order a pipeline handles micro-batches.
///
/// Contract: in prologue and body each micro-batch has one forward; the arrivals of prologue,
/// bodies and epilogue together are those of every forward, in the order of the forwards.
class PipelineSchedule {
public:
  virtual ~PipelineSchedule() = default;

  /// Micro-batches when the user names none.
  /// @param sequences  of one replica, at least 1
  [[nodiscard]] virtual int default_micro_batches(int stages, int sequences) const = 0;

  [[nodiscard]] virtual PipelineOrder order(int micro_batches) const = 0;
};

} // namespace decodesim
