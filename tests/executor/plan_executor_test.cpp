#include "sim/error.hpp"
#include "sim/plan/expert_loads.hpp"
#include "strategies/build_plan.hpp"
#include "strategies/layout_spec.hpp"
#include "tests/executor/recording_device.hpp"
#include "tests/support/tiny_model.hpp"
#include "validation/executor/plan_executor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

using namespace decodesim;
using namespace decodesim::testing;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace {

Model model(bool with_moe) {
  auto made = tiny_model();
  made.layers = 4;
  return with_moe ? with_experts(made, 4, 2, 8) : made;
}

/// 5 sequences, 3 prompt tokens, 3 decode steps.
Plan plan_of(const Model& of, const std::string& spec) {
  return build_plan(of, parse_layout_spec(spec, 8, "test"), workload(5, 3, 4));
}

std::vector<std::string>
played(const Plan& plan, const Model& of, int rank, ExecutorOptions options = {}) {
  RecordingDevice device;
  PlanExecutor executor{plan, of, rank, device, std::move(options)};
  executor.prepare();
  (void)executor.run();
  return device.lines;
}

std::string number(double value) { return std::to_string(std::llround(value)); }

std::string text(const Gemm& gemm, StepContext) {
  return "product " + std::to_string(gemm.m) + "x" + std::to_string(gemm.n) + "x" +
         std::to_string(gemm.k);
}

std::string text(const Attention& one, StepContext at) {
  return "attention " + std::to_string(one.sequences) + " of " +
         std::to_string(one.context_at(at)) + ", " + std::to_string(one.heads) + "/" +
         std::to_string(one.kv_heads) + " heads";
}

std::string text(const RowKernel& row, StepContext) { return "rows " + std::to_string(row.rows); }

std::string text(const GroupedGemm& gemm, StepContext at) {
  return "grouped " + std::to_string(at.routed.pairs) + "x" + std::to_string(gemm.n) + "x" +
         std::to_string(gemm.k) + " of " + std::to_string(at.routed.experts_hit);
}

std::string text(const RoutedRowKernel& row, StepContext at) {
  return row.returned_columns > 0 ? "returned " + std::to_string(at.routed.returned)
         : row.function == RowFunction::weighted_sum ? "sums " + std::to_string(at.routed.pairs)
                                                     : "rows " + std::to_string(at.routed.pairs);
}

/// What the plan says that a rank enqueues, in the words of RecordingDevice.
class Expected {
public:
  Expected(const Plan& plan, int rank) : plan_{plan}, rank_{rank} {
    part(Part::prologue, 0);
    for (int step = 0; step < plan.decode_steps; ++step) {
      part(Part::body, step);
    }
    part(Part::epilogue, 0);
  }

  std::vector<std::string> lines;

private:
  const Plan& plan_;
  int rank_;
  std::vector<bool> recorded_ = std::vector<bool>(64, false);

  void part(Part which, int step) {
    const auto& program = plan_.program(rank_);
    for (const auto& op : program.part(which)) {
      const auto on = program.streams[static_cast<std::size_t>(op.stream)] + ": ";
      for (const auto event : op.waits) {
        if (recorded_[static_cast<std::size_t>(event)]) {
          lines.push_back(on + "wait " + std::to_string(event));
        }
      }
      if (const auto* kernel = as_kernel(op)) {
        const auto at = plan_.context(rank_, op, *kernel, which, step);
        lines.push_back(on + std::visit([&at](const auto& one) { return text(one, at); }, *kernel));
      } else if (const auto* collective = as_collective(op)) {
        const auto members = plan_.group(collective->axis, rank_).size();
        const bool all = collective->kind == CollectiveKind::all_reduce;
        lines.push_back(on + std::string{to_string(collective->kind)} + " " +
                        group(collective->axis) + " " +
                        number(std::ceil(collective->total_bytes.value() /
                                         (all ? 1.0 : static_cast<double>(members)))));
      } else if (const auto* messages = as_point_to_point(op)) {
        lines.emplace_back("group");
        for (const auto& one : messages->messages) {
          const int peer = plan_.group(one.axis, rank_)[static_cast<std::size_t>(one.peer)];
          const bool sends = one.direction == Message::Direction::send;
          lines.push_back(on + (sends ? "send " : "receive ") + one.axis + "." + one.channel + "[" +
                          std::to_string(sends ? rank_ : peer) + ">" +
                          std::to_string(sends ? peer : rank_) + "]" +
                          (sends ? " to 1 " : " from 0 ") + number(one.bytes.value()));
        }
        lines.emplace_back("end of group");
      } else {
        exchange(op, *as_exchange(op), which, step, on);
      }
      for (const auto event : op.records) {
        lines.push_back(on + "record " + std::to_string(event));
        recorded_[static_cast<std::size_t>(event)] = true;
      }
    }
  }

  std::string group(const std::string& axis) const {
    std::string list;
    for (const int member : plan_.group(axis, rank_)) {
      list += (list.empty() ? "" : ",") + std::to_string(member);
    }
    return axis + "[" + list + "]";
  }

  void
  exchange(const Operation& op, const Exchange& one, Part which, int step, const std::string& on) {
    const auto rows = plan_.rows_exchanged(rank_, op, one, which, step);
    const int me = plan_.expert_loads->member_of(rank_);
    lines.emplace_back("group");
    for (int peer = 0; peer < plan_.expert_loads->grid().members(); ++peer) {
      for (const auto& sent : rows) {
        if (sent.from == me && sent.to == peer) {
          lines.push_back(on + "send " + group(one.axis) + " to " + std::to_string(peer) + " " +
                          number(static_cast<double>(sent.rows) * one.row_bytes.value()));
        }
      }
      for (const auto& sent : rows) {
        if (sent.to == me && sent.from == peer) {
          lines.push_back(on + "receive " + group(one.axis) + " from " + std::to_string(peer) +
                          " " + number(static_cast<double>(sent.rows) * one.row_bytes.value()));
        }
      }
    }
    lines.emplace_back("end of group");
  }
};

/// Without what the executor adds: rows packed for a dispatch, and the events that start and end
/// all streams with the compute stream (those have numbers beyond the plan's).
std::vector<std::string> of_the_plan(const std::vector<std::string>& lines, int events) {
  std::vector<std::string> kept;
  for (const auto& line : lines) {
    const auto at = std::min(line.find("record "), line.find("wait "));
    const bool is_own =
        at != std::string::npos && std::stoi(line.substr(line.find(' ', at) + 1)) >= events;
    if (!is_own && line.find("pack ") == std::string::npos) {
      kept.push_back(line);
    }
  }
  return kept;
}

struct Case {
  std::string layout;
  bool with_moe = false;
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.layout; }

class EveryPlan : public ::testing::TestWithParam<Case> {};

} // namespace

TEST_P(EveryPlan, IsPlayedOperationByOperation) {
  const auto of = model(GetParam().with_moe);
  const auto plan = plan_of(of, GetParam().layout);
  check(plan);
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    const auto& program = plan.program(rank);
    ASSERT_LE(program.event_count, 64);
    EXPECT_EQ(of_the_plan(played(plan, of, rank), program.event_count),
              (Expected{plan, rank}.lines))
        << "rank " << rank;
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts,
                         EveryPlan,
                         ::testing::Values(Case{"single"},
                                           Case{"tp2"},
                                           Case{"sp2"},
                                           Case{"dp2"},
                                           Case{"zero3x3"},
                                           Case{"zero3x2-prefetch"},
                                           Case{"tp2zero3x2"},
                                           Case{"pp2-naive"},
                                           Case{"pp2-gpipe"},
                                           Case{"pp4-1f1b"},
                                           Case{"pp2-interleaved"},
                                           Case{"tp2pp2dp2-1f1b"},
                                           Case{"ep4", true},
                                           Case{"tp2ep4", true},
                                           Case{"pp2ep4-gpipe", true}));

// tp2pp2, ranks 0 and 1 on stage 0: one communicator for the tensor-parallel group, one for each
// direction and channel between stages; joined in the order of their names by all.
TEST(Communicators, AreOnePerGroupAndPerDirectionAndChannel) {
  const auto of = model(false);
  const auto plan = plan_of(of, "tp2pp2-1f1b");
  RecordingDevice device;
  PlanExecutor executor{plan, of, 1, device, {}};
  executor.prepare();
  EXPECT_THAT(device.joined, ElementsAre("pp.hidden[1>3]", "pp.tokens[3>1]", "tp[0,1]"));
}

// Kernels, waits and records are what is left of the plan of rank 2 of tp2pp2.
TEST(ShardMode, LeavesOutTheCommunicationAlone) {
  const auto of = model(false);
  const auto plan = plan_of(of, "tp2pp2-1f1b");
  const int events = plan.program(2).event_count;
  const auto all = of_the_plan(played(plan, of, 2), events);
  const auto alone = of_the_plan(played(plan, of, 2, {.communicates = false}), events);
  std::vector<std::string> kernels;
  for (const auto& line : all) {
    if (line.find("group") == std::string::npos && line.find("send ") == std::string::npos &&
        line.find("receive ") == std::string::npos &&
        line.find("all_reduce") == std::string::npos &&
        line.find("all_gather") == std::string::npos) {
      kernels.push_back(line);
    }
  }
  EXPECT_LT(kernels.size(), all.size());
  EXPECT_EQ(alone, kernels);
}

// The recording device's clock goes on by 1 us with each line. Each operation has two timed events,
// so that spans of a stream are in order and do not overlap.
TEST(Spans, AreOnePerOperationInTheOrderOfTheStream) {
  const auto of = model(false);
  const auto plan = plan_of(of, "pp2-1f1b");
  RecordingDevice device;
  PlanExecutor executor{plan, of, 0, device, {}};
  executor.prepare();
  const auto times = executor.run();
  const auto& program = plan.program(0);
  const auto operations =
      program.prologue.size() + 3 * program.body.size() + program.epilogue.size();
  ASSERT_EQ(times.spans.size(), operations);
  // start, end of prologue, of 3 steps and of all, and two an operation
  EXPECT_EQ(device.timed_records, static_cast<int>(2 * operations + 6));
  double end = 0;
  for (const auto& span : times.spans) {
    EXPECT_LE(end, span.start_s);
    EXPECT_LT(span.start_s, span.end_s);
    end = span.end_s;
    const auto& op = program.part(span.part)[static_cast<std::size_t>(span.operation)];
    EXPECT_EQ(span.stream, op.stream);
    EXPECT_EQ(span.kind, as_kernel(op) != nullptr ? SpanKind::compute : SpanKind::transfer);
  }
  EXPECT_EQ(times.step_end_s.size(), 3u);
  EXPECT_GE(times.end_s, times.step_end_s.back());
}

TEST(Totals, NeedEventsAroundStepsAlone) {
  const auto of = model(false);
  const auto plan = plan_of(of, "pp2-1f1b");
  RecordingDevice device;
  PlanExecutor executor{plan, of, 0, device, {.spans = false}};
  executor.prepare();
  EXPECT_THAT(executor.run().spans, IsEmpty());
  EXPECT_EQ(device.timed_records, 6);
}

// A matrix with k inputs has weights up to sqrt(3 / k): k is that of the whole matrix, also on a
// rank that has half of them (output and down projections).
TEST(Int8Weights, HaveTheLargestOfTheWholeMatrix) {
  auto of = model(false);
  of.ffn_size = 3 * of.hidden_size;
  auto with = workload(5, 3, 4);
  with.precision.weights = DataType::int8;
  const auto plan = build_plan(of, parse_layout_spec("tp2", 8, "test"), with);
  RecordingDevice device;
  PlanExecutor executor{plan, of, 1, device, {}};
  executor.prepare();
  std::set<std::int64_t> inputs;
  for (const auto& call : device.prepared) {
    const auto* product = std::get_if<ProductCall>(&call);
    if (product != nullptr && product->w.type == DataType::int8) {
      const auto whole = product->k == of.hidden_size ? product->k : 2 * product->k;
      EXPECT_FLOAT_EQ(product->largest_weight, std::sqrt(3.0F / static_cast<float>(whole)));
      inputs.insert(whole);
    }
  }
  EXPECT_EQ(inputs, (std::set<std::int64_t>{of.hidden_size, of.ffn_size}));
}

// Work of 3 steps is captured before the run, which launches graphs between prologue and epilogue.
TEST(Graphs, AreCapturedOncePerStepAndLaunchedInOrder) {
  const auto of = model(false);
  const auto plan = plan_of(of, "tp2");
  const auto lines = played(plan, of, 0, {.graph = true});
  std::vector<std::string> about_graphs;
  int attentions = 0;
  for (const auto& line : lines) {
    if (line.find("graph") != std::string::npos || line.find("capture") != std::string::npos) {
      about_graphs.push_back(line);
    }
    attentions += line.find("attention") != std::string::npos ? 1 : 0;
  }
  EXPECT_THAT(about_graphs,
              ElementsAre("compute: capture",
                          "compute: graph 0",
                          "compute: capture",
                          "compute: graph 1",
                          "compute: capture",
                          "compute: graph 2",
                          "compute: launch graph 0",
                          "compute: launch graph 1",
                          "compute: launch graph 2"));
  EXPECT_EQ(attentions, 4 * (3 + 1)) << "4 layers: 3 captured steps and the prologue";
}

// A run without graphs comes first, in which a device loads what it needs.
TEST(Graphs, MayFollowARunWithoutThem) {
  const auto of = model(false);
  const auto plan = plan_of(of, "tp2");
  RecordingDevice device;
  PlanExecutor executor{plan, of, 0, device, {}};
  executor.prepare();
  (void)executor.run();
  executor.use_graphs();
  EXPECT_EQ(executor.run().step_end_s.size(), 3U);
  int launches = 0;
  for (const auto& line : device.lines) {
    launches += line.find("launch graph") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(launches, 3);
}

// Events around operations are captured with them; a second run records the same ones anew.
TEST(Graphs, HaveSpansWhenTheyAreCapturedWithThem) {
  const auto of = model(false);
  const auto plan = plan_of(of, "tp2");
  RecordingDevice device;
  PlanExecutor executor{plan, of, 0, device, {.spans = false, .graph = true}};
  executor.prepare();
  EXPECT_THAT(executor.run().spans, IsEmpty());
  executor.record_spans(true);
  const auto& program = plan.program(0);
  EXPECT_EQ(executor.run().spans.size(), program.prologue.size() + 3 * program.body.size());
  EXPECT_EQ(executor.run().spans.size(), program.prologue.size() + 3 * program.body.size());
}

// The host waits for the device where logits are read: without events around operations, what it is
// about is all that is known.
TEST(Watchdog, KnowsWhatTheHostIsAbout) {
  const auto of = model(false);
  const auto plan = plan_of(of, "single");
  RecordingDevice device;
  std::vector<std::string> waiting;
  PlanExecutor* known = nullptr;
  ExecutorOptions options{.spans = false};
  options.on_logits = [&](Part part, int, int, const SamplingCall&) {
    if (part == Part::prologue) {
      waiting = known->waiting_operations();
    }
  };
  PlanExecutor executor{plan, of, 0, device, options};
  known = &executor;
  executor.prepare();
  (void)executor.run();
  EXPECT_THAT(waiting, ElementsAre("sampling m0 of the prologue on stream compute"));
  EXPECT_THAT(executor.waiting_operations(), IsEmpty());
}

// Rank 1 of pp2 hears nothing from rank 0: its first receive, and the first layer that needs it.
TEST(Watchdog, EndsAHangingRunWithTheOperationsThatWait) {
  const auto of = model(false);
  const auto plan = plan_of(of, "pp2-naive");
  RecordingDevice device;
  device.silent_communicator = "pp.hidden[0>1]";
  PlanExecutor executor{plan, of, 1, device, {.patience = std::chrono::milliseconds{5}}};
  executor.prepare();
  try {
    (void)executor.run();
    FAIL() << "a run without an end ended";
  } catch (const SimulationError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("rank 1 of pp2"),
                      HasSubstr("receive.hidden m0 of the prologue on stream receive"),
                      HasSubstr("attention_norm L2 m0 of the prologue on stream compute"),
                      HasSubstr("send.tokens m0 of the prologue on stream send")));
  }
}

TEST(Watchdog, NamesTheStepWithoutEventsAroundOperations) {
  const auto of = model(false);
  const auto plan = plan_of(of, "pp2-naive");
  RecordingDevice device;
  device.silent_communicator = "pp.tokens[1>0]";
  PlanExecutor executor{
      plan, of, 0, device, {.spans = false, .patience = std::chrono::milliseconds{5}}};
  executor.prepare();
  try {
    (void)executor.run();
    FAIL() << "a run without an end ended";
  } catch (const SimulationError& error) {
    EXPECT_THAT(error.what(), HasSubstr("hangs: step 0"));
  }
}

TEST(Execution, RefusesWhatItCannotRunWithOneMessage) {
  const auto refusal = [](const Model& of, const std::string& spec, DataType type) {
    auto load = workload(2, 3, 4);
    load.precision.weights = type;
    const auto plan = build_plan(of, parse_layout_spec(spec, 8, "test"), load);
    RecordingDevice device;
    try {
      PlanExecutor executor{plan, of, 0, device, {}};
    } catch (const InputError& error) {
      return std::string{error.what()};
    }
    return std::string{"executed"};
  };
  auto tied = model(false);
  tied.tied_embeddings = true;
  auto alibi = model(false);
  alibi.position = PositionKind::alibi;
  auto windowed = model(false);
  windowed.sliding_window = 4;
  EXPECT_THAT(refusal(model(false), "tp2", DataType::int4),
              AllOf(HasSubstr("int4"), HasSubstr("use one of fp32, bf16, fp16, fp8, int8")));
  EXPECT_THAT(refusal(model(false), "tp2", DataType::mxfp4), HasSubstr("mxfp4"));
  EXPECT_THAT(refusal(model(false), "tp2", DataType::q4_k_m), HasSubstr("q4_k_m"));
  EXPECT_THAT(refusal(tied, "zero3x3", DataType::bf16), HasSubstr("embedding and LM head share"));
  EXPECT_THAT(refusal(alibi, "single", DataType::bf16), HasSubstr("ALiBi"));
  EXPECT_THAT(refusal(windowed, "single", DataType::bf16), HasSubstr("window of 4 tokens"));
  EXPECT_EQ(refusal(model(false), "tp2", DataType::bf16), "executed");
}
