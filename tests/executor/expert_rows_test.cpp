#include "strategies/build_plan.hpp"
#include "strategies/layout_spec.hpp"
#include "tests/support/tiny_model.hpp"
#include "validation/executor/expert_rows.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

Plan plan_of(const std::string& spec, int copies = 0) {
  auto load = workload(7, 3, 4);
  load.experts.copies = copies;
  load.experts.routing = "zipf:1.1";
  return build_plan(with_experts(tiny_model(), 4, 2, 8), parse_layout_spec(spec, 8, "test"), load);
}

std::int64_t sum(const std::vector<std::int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

} // namespace

// Row by row the same as RoutedWork and SentRows count.
TEST(ExpertRows, AreAsManyAsThePlanCounts) {
  for (const auto& [spec, copies] : {std::pair{"single", 0},
                                     std::pair{"tp2", 0},
                                     std::pair{"ep4", 0},
                                     std::pair{"ep4", 2},
                                     std::pair{"tp2ep4", 0},
                                     std::pair{"tp2dp2ep2", 0}}) {
    const auto plan = plan_of(spec, copies);
    const auto& loads = *plan.expert_loads;
    for (int rank = 0; rank < plan.ranks(); ++rank) {
      const auto member = static_cast<std::size_t>(loads.member_of(rank));
      for (const auto part : {Part::prologue, Part::body}) {
        for (int step = 0; step < (part == Part::body ? 3 : 1); ++step) {
          const auto rows = expert_rows(loads, rank, part, step, 1, 0, part == Part::body ? 1 : 3);
          const auto load = loads.at(part, step, 1, 0, loads.group_of(rank));
          const auto& work = load.work[member];
          EXPECT_EQ(static_cast<std::int64_t>(rows.sources.size()), work.pairs) << spec;
          EXPECT_EQ(rows.received, work.received) << spec;
          EXPECT_EQ(sum(rows.received_from), work.received) << spec;
          EXPECT_EQ(static_cast<std::int64_t>(rows.sent_tokens.size()), work.returned) << spec;
          EXPECT_EQ(rows.slot_rows.size() - static_cast<std::size_t>(std::count(
                                                rows.slot_rows.begin(), rows.slot_rows.end(), 0)),
                    static_cast<std::size_t>(work.experts_hit))
              << spec;
          for (std::size_t to = 0; to < rows.sent_to.size(); ++to) {
            const auto sent =
                std::find_if(load.sent.begin(), load.sent.end(), [member, to](const SentRows& one) {
                  return static_cast<std::size_t>(one.from) == member &&
                         static_cast<std::size_t>(one.to) == to;
                });
            EXPECT_EQ(rows.sent_to[to], sent == load.sent.end() ? 0 : sent->rows) << spec;
          }
        }
      }
    }
  }
}

// Contiguous: experts 0 and 1 at home on ep index 0, then the copies that it was given.
TEST(ExpertRows, HaveASlotForEachExpertAtHomeThenForCopies) {
  const auto plan = plan_of("ep2", 2);
  const auto& holders = plan.expert_loads->placement(0);
  const auto slots = expert_of_slot(*plan.expert_loads, 0, 0);
  ASSERT_GE(slots.size(), 2u);
  EXPECT_EQ(slots[0], 0);
  EXPECT_EQ(slots[1], 1);
  for (std::size_t slot = 2; slot < slots.size(); ++slot) {
    EXPECT_EQ(holders.holders(slots[slot]), (std::vector<int>{1, 0}));
  }
}
