// A program outside the repository: it registers what it adds and hands the rest to decodesim.
#include "sim/cli/command_line.hpp"
#include "strategies/registry.hpp"
#include "strategies/tensor_parallel.hpp"

#include <cstdlib>

namespace {

using namespace decodesim;

const RegisterLayerStrategy same_as_tp{{.name = "mine",
                                        .summary = "Tensor parallel under another name",
                                        .reference = "this test",
                                        .make = []() -> std::unique_ptr<LayerStrategy> {
                                          return std::make_unique<TensorParallel>();
                                        }}};

/// Waits for tokens before it has sent anything that could yield them.
class Stuck final : public PipelineSchedule {
public:
  [[nodiscard]] int default_micro_batches(int, int) const override { return 1; }

  [[nodiscard]] PipelineOrder order(const PipelineShape&) const override {
    using Kind = ScheduleBlock::Kind;
    return {.prologue = {{Kind::receive_tokens, 0}, {Kind::forward, 0}},
            .body = {{Kind::receive_tokens, 0}, {Kind::forward, 0}},
            .epilogue = {}};
  }
};

/// Stops the process that asks it for anything.
class Crash final : public PipelineSchedule {
public:
  [[nodiscard]] int default_micro_batches(int, int) const override { std::abort(); }

  [[nodiscard]] PipelineOrder order(const PipelineShape&) const override { std::abort(); }
};

const RegisterPipelineSchedule stuck{
    {.name = "stuck",
     .summary = "Never starts",
     .reference = "this test",
     .make = []() -> std::unique_ptr<PipelineSchedule> { return std::make_unique<Stuck>(); }}};

const RegisterPipelineSchedule crash{
    {.name = "crash",
     .summary = "Aborts",
     .reference = "this test",
     .make = []() -> std::unique_ptr<PipelineSchedule> { return std::make_unique<Crash>(); }}};

} // namespace

int main(int argc, char** argv) { return decodesim::command_line(argc, argv); }
