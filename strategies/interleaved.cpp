#include "strategies/registry.hpp"

#include <algorithm>

namespace decodesim {

namespace {

/// Every GPU holds several chunks of layers, so that a micro-batch passes it several times, each
/// time for a shorter stretch; then a flush. Micro-batches go in groups of as many as there are
/// stages: a group through the first chunks, through the second ones, and so on, then the next
/// group. With m micro-batches (a multiple of p), p stages of v equal chunks and time t in all, and
/// free sends, a step lasts (v m + p - 1) t / v, and the bubble is (p - 1) / (v m + p - 1).
/// Reference: Narayanan et al., Efficient Large-Scale Language Model Training on GPU Clusters,
/// arXiv 2104.04473, section 2.2.2, with the backward passes left out.
class Interleaved final : public PipelineSchedule {
public:
  [[nodiscard]] int default_micro_batches(int stages, int sequences) const override {
    return std::min(stages, sequences);
  }

  [[nodiscard]] int default_chunks() const override { return 2; }

  [[nodiscard]] PipelineOrder order(const PipelineShape& shape) const override {
    using Kind = ScheduleBlock::Kind;
    PipelineOrder order;
    for (int m = 0; m < shape.micro_batches; ++m) {
      order.body.push_back({Kind::receive_tokens, m});
      order.epilogue.push_back({Kind::receive_tokens, m});
    }
    for (int first = 0; first < shape.micro_batches; first += shape.stages) {
      const int end = std::min(first + shape.stages, shape.micro_batches);
      for (int chunk = 0; chunk < shape.chunks; ++chunk) {
        for (int m = first; m < end; ++m) {
          order.prologue.push_back({Kind::forward, m, chunk});
          order.body.push_back({Kind::forward, m, chunk});
        }
      }
    }
    return order;
  }
};

const RegisterPipelineSchedule registration{
    {.name = "interleaved",
     .summary = "GPipe with several chunks of layers per GPU: shorter passes, a smaller bubble",
     .reference = "Narayanan et al., Megatron-LM, arXiv 2104.04473",
     .make = []() -> std::unique_ptr<PipelineSchedule> {
       return std::make_unique<Interleaved>();
     }}};

} // namespace

} // namespace decodesim
