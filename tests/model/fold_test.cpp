#include "sim/engine/simulate.hpp"
#include "strategies/build_plan.hpp"
#include "strategies/registry.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/machine_sketch.hpp"
#include "tests/support/tiny_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <tuple>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

void expect_same_times(const SimulationResult& folded, const SimulationResult& all) {
  const double within = 1e-9 * all.end_s;
  EXPECT_NEAR(folded.first_token_s, all.first_token_s, within);
  EXPECT_NEAR(folded.end_s, all.end_s, within);
  ASSERT_EQ(folded.step_end_s.size(), all.step_end_s.size());
  for (std::size_t step = 0; step < all.step_end_s.size(); ++step) {
    EXPECT_NEAR(folded.step_end_s[step], all.step_end_s[step], within);
  }
  ASSERT_EQ(folded.decode_time_of_rank.size(), all.decode_time_of_rank.size());
  for (std::size_t rank = 0; rank < all.decode_time_of_rank.size(); ++rank) {
    const auto& one = folded.decode_time_of_rank[rank];
    const auto& other = all.decode_time_of_rank[rank];
    EXPECT_NEAR(one.compute_s, other.compute_s, within) << "rank " << rank;
    EXPECT_NEAR(one.communication_s, other.communication_s, within) << "rank " << rank;
    EXPECT_NEAR(one.waiting_s, other.waiting_s, within) << "rank " << rank;
    EXPECT_NEAR(one.bubble_s, other.bubble_s, within) << "rank " << rank;
    EXPECT_NEAR(one.other_s, other.other_s, within) << "rank " << rank;
  }
}

void expect_same_links(const SimulationResult& folded, const SimulationResult& all) {
  std::map<std::string, LinkUse> found;
  for (const auto& link : folded.links) {
    found[link.name] = link;
  }
  ASSERT_EQ(folded.links.size(), all.links.size());
  for (const auto& link : all.links) {
    EXPECT_SAME(found[link.name].bytes, link.bytes) << link.name;
    EXPECT_SAME(found[link.name].utilisation_ratio, link.utilisation_ratio) << link.name;
  }
}

/// Rank, stream, kind, part, step, operation -> instants of its spans.
auto spans_by_place(const Timeline& timeline) {
  std::map<std::tuple<int, StreamId, SpanKind, Part, int, int>, std::vector<double>> spans;
  for (const auto& span : timeline.spans) {
    if (span.end_s - span.start_s < 1e-10) {
      continue; // rounding makes spans of nothing
    }
    auto& instants =
        spans[{span.rank, span.stream, span.kind, span.part, span.step, span.operation}];
    instants.push_back(span.start_s);
    instants.push_back(span.end_s);
  }
  for (auto& [place, instants] : spans) {
    std::sort(instants.begin(), instants.end());
  }
  return spans;
}

auto arrows_by_ends(const Timeline& timeline) {
  std::map<std::pair<int, int>, std::vector<double>> arrows;
  for (const auto& arrow : timeline.arrows) {
    arrows[{arrow.from_rank, arrow.to_rank}].push_back(arrow.start_s);
    arrows[{arrow.from_rank, arrow.to_rank}].push_back(arrow.end_s);
  }
  for (auto& [ends, instants] : arrows) {
    std::sort(instants.begin(), instants.end());
  }
  return arrows;
}

/// Seconds that each link was used in full, were it used in full or not at all.
std::map<int, double> link_seconds(const Timeline& timeline) {
  std::map<int, double> seconds;
  std::map<int, std::pair<double, double>> last; // instant, level
  for (const auto& sample : timeline.link_samples) {
    auto& [time, level] = last[sample.link];
    seconds[sample.link] += level * (sample.time_s - time);
    time = sample.time_s;
    level = sample.utilisation_ratio;
  }
  return seconds;
}

template <class Map> void expect_same_instants(const Map& folded, const Map& all, double within) {
  ASSERT_EQ(folded.size(), all.size());
  for (const auto& [place, instants] : all) {
    const auto found = folded.find(place);
    ASSERT_NE(found, folded.end());
    ASSERT_EQ(found->second.size(), instants.size());
    for (std::size_t i = 0; i < instants.size(); ++i) {
      EXPECT_NEAR(found->second[i], instants[i], within);
    }
  }
}

void expect_same_timelines(const SimulationResult& folded, const SimulationResult& all) {
  const double within = 1e-9 * all.end_s;
  expect_same_instants(spans_by_place(folded.timeline), spans_by_place(all.timeline), within);
  expect_same_instants(arrows_by_ends(folded.timeline), arrows_by_ends(all.timeline), within);
  EXPECT_EQ(folded.timeline.gpu_of_rank, all.timeline.gpu_of_rank);
  EXPECT_EQ(folded.timeline.cache_samples.size(), all.timeline.cache_samples.size());
  const auto seconds = link_seconds(folded.timeline);
  for (const auto& [link, expected] : link_seconds(all.timeline)) {
    EXPECT_NEAR(seconds.at(link), expected, 1e-6 * all.end_s)
        << all.timeline.link_names[static_cast<std::size_t>(link)];
  }
}

/// Two servers of four GPUs; two and two share a switch, all four share two NICs.
Machine narrow_cluster(int nodes) {
  MachineSketch sketch;
  sketch.vertices = {{"gpu0", "gpu"},
                     {"gpu1", "gpu"},
                     {"gpu2", "gpu"},
                     {"gpu3", "gpu"},
                     {"switch0", "pcie_switch"},
                     {"switch1", "pcie_switch"},
                     {"root0", "root_port"},
                     {"root1", "root_port"},
                     {"socket0", "socket"},
                     {"nic0", "nic"}};
  sketch.links = {{"gpu0", "switch0", "pcie", 40, 0.1},
                  {"gpu1", "switch0", "pcie", 40, 0.1},
                  {"gpu2", "switch1", "pcie", 40, 0.1},
                  {"gpu3", "switch1", "pcie", 40, 0.1},
                  {"switch0", "root0", "pcie", 30, 0.1},
                  {"switch1", "root1", "pcie", 30, 0.1},
                  {"root0", "socket0", "pcie", 30, 0.1},
                  {"root1", "socket0", "pcie", 30, 0.1},
                  {"nic0", "switch0", "pcie", 40, 0.1}};
  sketch.costs = {.base_us = 3, .hop_us = 0.25, .gbytes_per_s = 25};
  sketch.gpu.graph_launch.value = Seconds{5 * us};
  sketch.gpu.eager_launch.value = Seconds{2 * us};
  sketch.nodes = nodes;
  sketch.network_gbytes_per_s = 10;
  sketch.network_latency_us = 1;
  return sketch.machine();
}

} // namespace

// Layouts, batches, machines and ways of running drawn at random, the same ones every time.
TEST(Fold, ChangesNothing) {
  auto starved = switched_gpus(8, 100, 0.5);
  starved.costs = {.base_us = 3, .hop_us = 0.25, .gbytes_per_s = 80};
  auto starved_machine = starved.machine();
  starved_machine.gpu.memory_bandwidth.value = BytesPerSecond{0.2e12};
  const std::vector<Machine> machines{find_machine("dgx-a100-80g", 1, "test"),
                                      find_machine("dgx-a100-80g", 4, "test"),
                                      find_machine("pcie-2s-a100-40g", 1, "test"),
                                      narrow_cluster(2),
                                      narrow_cluster(4),
                                      starved_machine};
  std::vector<std::string> strategies;
  for (const auto& strategy : layer_strategies()) {
    if (strategy.name != "one_kernel") { // of another test
      strategies.push_back(strategy.name);
    }
  }
  const auto schedules = pipeline_schedules();
  std::mt19937 random{20};
  const auto draw = [&random](std::size_t count) { return random() % count; };
  int folded_runs = 0;
  for (int run = 0; run < 150; ++run) {
    const auto& machine = machines[draw(machines.size())];
    Layout layout;
    layout.strategy = strategies[draw(strategies.size())];
    layout.schedule = schedules[draw(schedules.size())].name;
    layout.tp = 1 << draw(4);
    layout.pp = 1 << draw(3);
    layout.dp = 1 << draw(3);
    layout.prefetch = layout.strategy == "zero3" && draw(2) == 1;
    if (layout.ranks() > machine.gpu_count()) {
      continue;
    }
    const int batch = layout.dp * static_cast<int>(1 + draw(4)) + static_cast<int>(draw(4)) / 3;
    const auto plan = build_plan(small_model(8), layout, workload(batch, 16, 4));
    auto gpus = first_gpus(layout.ranks());
    if (draw(4) == 0) {
      std::shuffle(gpus.begin(), gpus.end(), random);
    }
    SimulationOptions options{.launch = draw(2) == 0 ? LaunchMode::graph : LaunchMode::eager,
                              .ring_order = draw(2) == 0 ? RingOrder::searched : RingOrder::ranks,
                              .fold = Folding::none,
                              .record_timeline = true};
    SCOPED_TRACE(std::to_string(run) + ": " + layout.tag() + ", batch " + std::to_string(batch) +
                 ", " + machine.name + " x " + std::to_string(machine.nodes));
    const auto all = simulate(plan, machine, gpus, options);
    options.fold = Folding::automatic;
    const auto folded = simulate(plan, machine, gpus, options);
    EXPECT_EQ(all.simulated_ranks, layout.ranks());
    folded_runs += folded.simulated_ranks < layout.ranks() ? 1 : 0;
    expect_same_times(folded, all);
    expect_same_links(folded, all);
    expect_same_timelines(folded, all);
    if (HasFailure()) {
      return;
    }
  }
  EXPECT_GT(folded_runs, 30);
}

// One rank of a group, one replica of several, one stage of each pipeline.
TEST(Fold, PlaysOneOfThoseThatAreAlike) {
  const auto machine = find_machine("dgx-a100-80g", 4, "test");
  const auto played = [&](const Layout& layout, int batch) {
    const auto plan = build_plan(small_model(8), layout, workload(batch, 16, 2));
    return simulate(plan, machine, first_gpus(layout.ranks())).simulated_ranks;
  };
  EXPECT_EQ(played(tp_layout(8), 1), 1);
  EXPECT_EQ(played(zero3_layout(8, true), 8), 1);
  EXPECT_EQ(played(zero3_layout(8, true), 4), 2); // half of the ranks have no sequence
  EXPECT_EQ(played(pp_layout(4, "1f1b"), 4), 4);
  auto hybrid = pp_layout(2, "1f1b");
  hybrid.tp = 8;
  hybrid.dp = 2;
  EXPECT_EQ(played(hybrid, 4), 2);
  EXPECT_EQ(played(hybrid, 5), 4); // the first replica has a sequence more
}

TEST(Fold, LeavesEveryRankWhenToldSo) {
  const auto plan = build_plan(small_model(8), tp_layout(4), workload(1, 16, 2));
  const auto machine = switched_gpus(4, 100, 0.5).machine();
  EXPECT_EQ(simulate(plan, machine, first_gpus(4), {.fold = Folding::none}).simulated_ranks, 4);
}
