#include "sim/engine/player.hpp"
#include "sim/engine/simulate.hpp"
#include "sim/error.hpp"
#include "strategies/build_plan.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/hand_plan.hpp"
#include "tests/support/machine_sketch.hpp"
#include "tests/support/tiny_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iterator>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

using namespace decodesim;
using namespace decodesim::testing;
using ::testing::AllOf;
using ::testing::HasSubstr;

namespace {

Machine crowded_machine() {
  auto sketch = switched_gpus(4, 60, 0.5);
  sketch.costs = {.base_us = 3, .hop_us = 0.25, .gbytes_per_s = 50};
  sketch.gpu = round_gpu(1.0);
  sketch.gpu.memory_bandwidth.value = BytesPerSecond{0.15e12};
  return sketch.machine();
}

std::vector<Plan> crowded_plans() {
  auto hybrid = pp_layout(2, "1f1b");
  hybrid.tp = 2;
  auto zero3_in_stages = zero3_layout(2, true);
  zero3_in_stages.pp = 2;
  std::vector<Plan> plans;
  for (const auto& layout :
       {tp_layout(4), zero3_layout(4, true), zero3_in_stages, hybrid, pp_layout(4, "gpipe")}) {
    plans.push_back(build_plan(small_model(), layout, workload(7, 16, 5)));
  }
  return plans;
}

/// All numbers of a result, to the last bit.
std::string all_numbers(const SimulationResult& result) {
  std::string text;
  const auto add = [&](double value) {
    char digits[40];
    std::snprintf(digits, sizeof digits, "%a ", value);
    text += digits;
  };
  add(result.first_token_s);
  add(result.end_s);
  for (const double end : result.step_end_s) {
    add(end);
  }
  for (const auto& time : result.decode_time_of_rank) {
    for (const double part :
         {time.compute_s, time.communication_s, time.waiting_s, time.bubble_s, time.other_s}) {
      add(part);
    }
  }
  for (const auto& link : result.links) {
    text += link.name + " ";
    add(link.bytes);
    add(link.utilisation_ratio);
  }
  for (const auto& span : result.timeline.spans) {
    text += std::to_string(span.rank) + "/" + std::to_string(span.stream) + "/" +
            std::to_string(span.operation) + " ";
    add(span.start_s);
    add(span.end_s);
  }
  for (const auto& sample : result.timeline.link_samples) {
    add(sample.time_s);
    add(sample.utilisation_ratio);
  }
  return text;
}

/// What `work` returns in a process of its own; no simulation may have run in this one.
std::string in_a_process(const std::function<std::string()>& work) {
  int ends[2];
  if (::pipe(ends) != 0) {
    return "no pipe";
  }
  const auto child = ::fork();
  if (child == 0) {
    const auto text = work();
    std::size_t written = 0;
    while (written < text.size()) {
      const auto count = ::write(ends[1], text.data() + written, text.size() - written);
      if (count <= 0) {
        break;
      }
      written += static_cast<std::size_t>(count);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[65536];
  for (ssize_t count = 0; (count = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return text;
}

std::string crowded_numbers() {
  std::string text;
  for (const auto& plan : crowded_plans()) {
    for (const auto fold : {Folding::none, Folding::automatic}) {
      text += all_numbers(simulate(
          plan, crowded_machine(), first_gpus(4), {.fold = fold, .record_timeline = true}));
    }
  }
  return text;
}

} // namespace

TEST(Repetition, GivesTheSameBits) {
  const auto once = in_a_process(crowded_numbers);
  EXPECT_GT(once.size(), 10000u);
  EXPECT_TRUE(once == in_a_process(crowded_numbers));
}

TEST(Repetition, GivesTheSameBitsWithThreadsForActors) {
  const auto once = in_a_process(crowded_numbers);
  const auto with_threads = in_a_process([] {
    simgrid::s4u::Engine::set_config("contexts/factory:thread"); // before there is an engine
    return crowded_numbers();
  });
  EXPECT_GT(with_threads.size(), 10000u);
  EXPECT_TRUE(once == with_threads);
  // The setting has an effect: a thread an actor, beside the process's own.
  const auto threads = in_a_process([] {
    simgrid::s4u::Engine::set_config("contexts/factory:thread");
    std::ptrdiff_t most = 0;
    const auto count = [&](int, int) {
      most = std::max(most,
                      std::distance(std::filesystem::directory_iterator{"/proc/self/task"},
                                    std::filesystem::directory_iterator{}));
    };
    (void)simulate(crowded_plans().front(),
                   crowded_machine(),
                   first_gpus(4),
                   {.fold = Folding::none, .on_progress = count});
    return std::to_string(most);
  });
  EXPECT_GE(std::stoi(threads), 1 + 4);
}

// SimGrid's clock goes on; only differences are used.
TEST(Repetition, InOneProcessGivesTheSameTimes) {
  for (const auto& plan : crowded_plans()) {
    const auto first = simulate(plan, crowded_machine(), first_gpus(4));
    const auto second = simulate(plan, crowded_machine(), first_gpus(4));
    EXPECT_SAME(second.first_token_s, first.first_token_s);
    for (std::size_t step = 0; step < first.step_end_s.size(); ++step) {
      EXPECT_SAME(second.step_end_s[step], first.step_end_s[step]);
    }
  }
}

// Recording changes nothing.
TEST(Repetition, WithATimelineGivesTheSameTimes) {
  for (const auto& plan : crowded_plans()) {
    const auto numbers = [&](bool timeline) {
      return in_a_process([&] {
        auto result =
            simulate(plan, crowded_machine(), first_gpus(4), {.record_timeline = timeline});
        result.timeline = {};
        return all_numbers(result);
      });
    };
    EXPECT_EQ(numbers(true), numbers(false)) << plan.layout;
  }
}

// check() refuses every plan that would hang (each stream is deterministic and each communicator
// belongs to one, so whether a plan ends does not depend on time); should one slip through, the
// player names what hangs instead of returning half a result.
TEST(Player, NamesTheOperationsThatHang) {
  const auto plan =
      hand_plan({program({kernel_op("a", 10e6), message_op("hungry", {receive_from(1, 4)})}),
                 program({sampling(kernel_op("b", 10e6))})});
  const auto machine = two_gpus(100, 1).machine();
  const std::vector<int> gpus{0, 1};
  const SimulationOptions options;
  EXPECT_THROW(check(plan), SimulationError);
  try {
    (void)Player{plan, machine, gpus, options, SampledSteps{plan.decode_steps}}.play();
    FAIL() << "a receive without a send ended";
  } catch (const SimulationError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("1 operations that hang"),
                      HasSubstr("rank 0, stream compute: hungry, step 0")));
  }
}

TEST(Simulate, RefusesAPlanThatHangsBeforeItRuns) {
  const auto plan = hand_plan({program({message_op("hungry", {receive_from(1, 4)})}), program({})});
  EXPECT_THROW((void)simulate(plan, two_gpus(100, 1).machine(), first_gpus(2)), SimulationError);
}

// Streams that wait for different records of one event, and wake at the same instant.
TEST(Player, WakesManyStreamsThatWaitForOneEvent) {
  std::vector<Operation> body;
  std::vector<std::string> streams{"compute"};
  for (int i = 0; i < 3; ++i) {
    body.push_back(recording(kernel_op("k", 10e6), {0}));
    for (int j = 1; j <= 12; ++j) {
      body.push_back(after(kernel_op("w", 10e6, j), {0}));
      body.push_back(after(kernel_op("v", 0, j), {0}));
    }
  }
  for (int j = 1; j <= 12; ++j) {
    streams.push_back("s" + std::to_string(j));
  }
  body.push_back(sampling(after(kernel_op("end", 10e6), {0})));
  auto sketch = two_gpus(100, 1);
  sketch.gpu = round_gpu(1.0);
  // 3 x 10 us, then the last kernel.
  EXPECT_SAME(simulate(hand_plan({program(body, streams, 1)}), sketch.machine(), {0}).end_s,
              40 * us);
}
