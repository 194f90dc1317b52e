#include "strategies/registry.hpp"

#include <algorithm>

namespace decodesim {

namespace {

/// All micro-batches of a step, then a flush: the next step begins when every token is back. With m
/// micro-batches and p equal stages of time t and free sends a step lasts (m + p - 1) t, and the
/// bubble is (p - 1) / (m + p - 1).
/// Reference: Huang et al., GPipe, arXiv 1811.06965, section 2.3, applied to decoding.
class GPipe final : public PipelineSchedule {
public:
  [[nodiscard]] int default_micro_batches(int stages, int sequences) const override {
    return std::min(stages, sequences);
  }

  [[nodiscard]] PipelineOrder order(const PipelineShape& shape) const override {
    using Kind = ScheduleBlock::Kind;
    PipelineOrder order;
    for (int m = 0; m < shape.micro_batches; ++m) {
      order.prologue.push_back({Kind::forward, m});
      order.body.push_back({Kind::receive_tokens, m});
      order.epilogue.push_back({Kind::receive_tokens, m});
    }
    for (int m = 0; m < shape.micro_batches; ++m) {
      order.body.push_back({Kind::forward, m});
    }
    return order;
  }
};

const RegisterPipelineSchedule registration{
    {.name = "gpipe",
     .summary = "All micro-batches, then a flush: a step begins when every token is back",
     .reference = "Huang et al., GPipe, arXiv 1811.06965",
     .make = []() -> std::unique_ptr<PipelineSchedule> { return std::make_unique<GPipe>(); }}};

} // namespace

} // namespace decodesim
