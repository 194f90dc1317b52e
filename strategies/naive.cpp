#include "strategies/registry.hpp"

namespace decodesim {

namespace {

/// One micro-batch at a time goes through the whole pipeline; the next one enters when its tokens
/// are out. With p equal stages one of them works at any time: bubble (p - 1) / p.
class Naive final : public PipelineSchedule {
public:
  [[nodiscard]] int default_micro_batches(int, int) const override { return 1; }

  [[nodiscard]] PipelineOrder order(const PipelineShape& shape) const override {
    using Kind = ScheduleBlock::Kind;
    PipelineOrder order;
    order.body.push_back({Kind::receive_tokens, shape.micro_batches - 1});
    for (int m = 0; m < shape.micro_batches; ++m) {
      for (auto* blocks : {&order.prologue, &order.body}) {
        if (m > 0) {
          blocks->push_back({Kind::receive_tokens, m - 1});
        }
        blocks->push_back({Kind::forward, m});
      }
    }
    order.epilogue.push_back({Kind::receive_tokens, shape.micro_batches - 1});
    return order;
  }
};

const RegisterPipelineSchedule registration{
    {.name = "naive",
     .summary = "One micro-batch at a time through all stages",
     .reference = "Huang et al., GPipe, arXiv 1811.06965, figure 2(b)",
     .make = []() -> std::unique_ptr<PipelineSchedule> { return std::make_unique<Naive>(); }}};

} // namespace

} // namespace decodesim
