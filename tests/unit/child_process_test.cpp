#include "sim/error.hpp"
#include "sim/result/child_process.hpp"
#include "sim/result/result_transfer.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <thread>
#include <unistd.h>

namespace decodesim {
namespace {

using Report = std::function<void(int, int)>;

ChildTask task(std::string name, std::function<std::string(const Report&)> work) {
  return {.name = std::move(name), .work = std::move(work), .on_report = {}};
}

template <class Error> std::string failure_of(const std::vector<ChildTask>& tasks) {
  try {
    (void)run_in_children(tasks, 2);
  } catch (const Error& problem) {
    return problem.what();
  }
  return "no such error";
}

TEST(Children, ReturnTheirResultsInTheOrderOfTheTasks) {
  std::vector<ChildTask> tasks;
  for (int i = 0; i < 7; ++i) {
    tasks.push_back(task(std::to_string(i), [i](const Report&) {
      // The first ends last.
      std::this_thread::sleep_for(std::chrono::milliseconds{7 - i});
      return "result " + std::to_string(i);
    }));
  }
  const auto results = run_in_children(tasks, 3);
  ASSERT_EQ(results.size(), 7U);
  for (int i = 0; i < 7; ++i) {
    EXPECT_EQ(results[static_cast<std::size_t>(i)], "result " + std::to_string(i));
  }
}

TEST(Children, AreProcessesOfTheirOwn) {
  int changed = 0;
  const auto results = run_in_children({task("a",
                                             [&](const Report&) {
                                               changed = 1;
                                               return std::to_string(::getpid());
                                             })},
                                       1);
  EXPECT_NE(results.at(0), std::to_string(::getpid()));
  EXPECT_EQ(changed, 0);
}

TEST(Children, SendResultsLargerThanAPipe) {
  // A pipe holds 64 KiB; zero bytes are as good as others.
  const std::string large(1'000'003, '\0');
  const auto results = run_in_children({task("a", [&](const Report&) { return large; })}, 1);
  EXPECT_EQ(results.at(0), large);
}

TEST(Children, ReportToTheParent) {
  std::vector<std::pair<int, int>> seen;
  auto reporting = task("a", [](const Report& report) {
    report(1, 31);
    report(31, 31);
    return std::string{};
  });
  reporting.on_report = [&](int step, int steps) { seen.emplace_back(step, steps); };
  (void)run_in_children({reporting}, 1);
  EXPECT_EQ(seen, (std::vector<std::pair<int, int>>{{1, 31}, {31, 31}}));
}

TEST(Children, PassErrorsOnByKind) {
  EXPECT_EQ(failure_of<SimulationError>({task(
                "tp8", [](const Report&) -> std::string { throw SimulationError{"hangs"}; })}),
            "tp8: hangs");
  EXPECT_EQ(failure_of<InputError>(
                {task("tp8", [](const Report&) -> std::string { throw InputError{"bad"}; })}),
            "tp8: bad");
  EXPECT_EQ(failure_of<LayoutError>(
                {task("tp8", [](const Report&) -> std::string { throw LayoutError{"odd"}; })}),
            "tp8: odd");
  EXPECT_EQ(failure_of<std::runtime_error>(
                {task("tp8", [](const Report&) -> std::string { throw std::bad_alloc{}; })}),
            "tp8: std::bad_alloc");
}

TEST(Children, ThatCrashAreNamedWithTheSignal) {
  EXPECT_EQ(failure_of<std::runtime_error>({task("tp8",
                                                 [](const Report&) -> std::string {
                                                   std::signal(SIGSEGV, SIG_DFL);
                                                   std::raise(SIGSEGV);
                                                   return "";
                                                 })}),
            "tp8: its process was killed by signal 11 (Segmentation fault)");
  EXPECT_EQ(failure_of<std::runtime_error>(
                {task("tp8", [](const Report&) -> std::string { ::_exit(7); })}),
            "tp8: its process ended with code 7 and no result");
}

TEST(Children, AreStoppedWhenOneFails) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(
      failure_of<SimulationError>(
          {task("slow",
                [](const Report&) {
                  std::this_thread::sleep_for(std::chrono::seconds{60});
                  return std::string{};
                }),
           task("tp8", [](const Report&) -> std::string { throw SimulationError{"hangs"}; })}),
      "tp8: hangs");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds{30});
}

TEST(ResultTransfer, KeepsEveryNumberExactly) {
  const double third = 1.0 / 3.0;
  LayoutResult result{
      .layout = {.tp = 8},
      .tag = "tp8",
      .status = Status::does_not_fit,
      .reason = "bytes \xff that are no UTF-8",
      .gpus = 8,
      .memory = MemoryUse{.weights = Bytes{third},
                          .kv_cache = Bytes{1e300},
                          .activations = Bytes{2},
                          .buffers = Bytes{3},
                          .capacity = Bytes{4}},
      .ttft_s = third,
      .tpot_s = std::numeric_limits<double>::denorm_min(),
      .end_to_end_s = 0.1,
      .tokens_per_s = 1e22,
      .traffic = {.tensor = Bytes{5}, .received_sum = Bytes{third}},
      .breakdown = {.compute_ratio = 0.1,
                    .communication_ratio = 0.2,
                    .waiting_ratio = 0.3,
                    .other_ratio = 0.4},
      .experts =
          ExpertUse{.weights = Bytes{7}, .hit = third, .busiest_ratio = 1.5, .exchanged = Bytes{6}},
      .bubble_ratio = 0.7,
      .links = {{.name = "a->b", .bytes = third, .utilisation_ratio = 0.9}},
      .assumed = {"one", "two"},
      .simulated_ranks = 35,
      .simulated_steps = 48,
      .wall_s = 0.25};
  const auto same = unpack(pack(result), result.layout);
  EXPECT_EQ(same.layout, result.layout);
  EXPECT_EQ(same.tag, result.tag);
  EXPECT_EQ(same.status, result.status);
  EXPECT_EQ(same.reason, result.reason);
  EXPECT_EQ(same.gpus, result.gpus);
  ASSERT_TRUE(same.memory);
  EXPECT_EQ(same.memory->weights, result.memory->weights);
  EXPECT_EQ(same.memory->kv_cache, result.memory->kv_cache);
  EXPECT_EQ(same.memory->activations, result.memory->activations);
  EXPECT_EQ(same.memory->buffers, result.memory->buffers);
  EXPECT_EQ(same.memory->capacity, result.memory->capacity);
  EXPECT_EQ(same.ttft_s, result.ttft_s);
  EXPECT_EQ(same.tpot_s, result.tpot_s);
  EXPECT_EQ(same.end_to_end_s, result.end_to_end_s);
  EXPECT_EQ(same.tokens_per_s, result.tokens_per_s);
  EXPECT_EQ(same.traffic.tensor, result.traffic.tensor);
  EXPECT_EQ(same.traffic.received_sum, result.traffic.received_sum);
  EXPECT_EQ(same.breakdown.compute_ratio, 0.1);
  EXPECT_EQ(same.breakdown.communication_ratio, 0.2);
  EXPECT_EQ(same.breakdown.waiting_ratio, 0.3);
  EXPECT_EQ(same.breakdown.other_ratio, 0.4);
  ASSERT_TRUE(same.experts);
  EXPECT_EQ(same.experts->weights, Bytes{7});
  EXPECT_EQ(same.experts->hit, third);
  EXPECT_EQ(same.experts->busiest_ratio, 1.5);
  EXPECT_EQ(same.experts->exchanged, Bytes{6});
  EXPECT_EQ(same.bubble_ratio, 0.7);
  ASSERT_EQ(same.links.size(), 1U);
  EXPECT_EQ(same.links[0].name, "a->b");
  EXPECT_EQ(same.links[0].bytes, third);
  EXPECT_EQ(same.links[0].utilisation_ratio, 0.9);
  EXPECT_EQ(same.assumed, result.assumed);
  EXPECT_EQ(same.simulated_ranks, 35);
  EXPECT_EQ(same.simulated_steps, 48);
  EXPECT_EQ(same.wall_s, 0.25);
}

TEST(ResultTransfer, KeepsWhatIsAbsentAbsent) {
  const auto same = unpack(pack({}), {});
  EXPECT_FALSE(same.memory);
  EXPECT_FALSE(same.experts);
  EXPECT_FALSE(same.tpot_s);
}

} // namespace
} // namespace decodesim
