#include "strategies/registry.hpp"

#include <algorithm>

namespace decodesim {

namespace {

/// No flush: a micro-batch starts its next token as soon as the last one is back. It is the steady
/// state of 1F1B with the backward passes left out. With m micro-batches, p equal stages of time t
/// and sends of time s a step lasts max(m t, p (t + s)); with free sends the bubble is 1 - min(m,
/// p) / p. Reference: Narayanan et al., PipeDream, arXiv 1806.03377 (1F1B), applied to decoding.
class OneForwardOneBackward final : public PipelineSchedule {
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
      order.body.push_back({Kind::forward, m});
      order.epilogue.push_back({Kind::receive_tokens, m});
    }
    return order;
  }
};

const RegisterPipelineSchedule registration{
    {.name = "1f1b",
     .summary = "No flush: a micro-batch starts its next token as soon as the last one is back",
     .reference = "Narayanan et al., PipeDream, arXiv 1806.03377",
     .make = []() -> std::unique_ptr<PipelineSchedule> {
       return std::make_unique<OneForwardOneBackward>();
     }}};

} // namespace

} // namespace decodesim
