#include "validation/executor/expert_rows.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace decodesim {

namespace {

/// Slot of each expert on one ep index: those at home there by number, then copies by number.
std::map<int, int> slots_of(const ExpertPlacement& placement, int experts, int index) {
  std::map<int, int> slots;
  for (const bool home : {true, false}) {
    for (int expert = 0; expert < experts; ++expert) {
      const auto& holders = placement.holders(expert);
      const bool holds = std::find(holders.begin(), holders.end(), index) != holders.end();
      if (holds && (holders.front() == index) == home) {
        const int next = static_cast<int>(slots.size());
        slots.emplace(expert, next);
      }
    }
  }
  return slots;
}

/// Lists by key, one after another, and where each begins.
void flatten(const std::vector<std::vector<std::int32_t>>& lists,
             std::vector<std::int32_t>& begin,
             std::vector<std::int32_t>& items) {
  begin.assign(1, 0);
  for (const auto& list : lists) {
    items.insert(items.end(), list.begin(), list.end());
    begin.push_back(static_cast<std::int32_t>(items.size()));
  }
}

} // namespace

std::vector<int> expert_of_slot(const ExpertLoads& loads, int rank, int layer) {
  const int index = loads.member_of(rank) / loads.grid().shards();
  const auto slots = slots_of(loads.placement(layer), loads.experts(), index);
  std::vector<int> experts(slots.size());
  for (const auto& [expert, slot] : slots) {
    experts[static_cast<std::size_t>(slot)] = expert;
  }
  return experts;
}

ExpertRows expert_rows(const ExpertLoads& loads,
                       int rank,
                       Part part,
                       int step,
                       int layer,
                       int micro_batch,
                       std::int64_t new_tokens) {
  const auto& grid = loads.grid();
  const int me = loads.member_of(rank);
  const int my_dp = rank / (grid.pp * grid.tp);
  const int my_index = me / grid.shards();
  const auto members = static_cast<std::size_t>(grid.members());
  const auto slots = slots_of(loads.placement(layer), loads.experts(), my_index);

  ExpertRows rows;
  rows.tokens =
      grid.sequences[static_cast<std::size_t>(my_dp)][static_cast<std::size_t>(micro_batch)] *
      new_tokens;
  rows.sent_to.assign(members, 0);
  rows.received_from.assign(members, 0);
  std::vector<std::vector<std::int32_t>> sources(std::max<std::size_t>(1, slots.size()));
  std::vector<std::set<std::int64_t>> sent(members); // tokens to each member
  std::pair<int, std::int64_t> latest{-1, -1};       // token received last
  for (const auto& pair : loads.pairs(part, step, layer, micro_batch, loads.group_of(rank))) {
    const bool own = pair.dp == my_dp;
    if (own) {
      rows.chosen.push_back(pair.expert);
    }
    if (pair.index == my_index) {
      auto source = pair.token;
      if (!own) {
        if (std::exchange(latest, std::pair{pair.dp, pair.token}) !=
            std::pair{pair.dp, pair.token}) {
          ++rows.received;
          ++rows.received_from[static_cast<std::size_t>(pair.owner)];
        }
        source = rows.tokens + rows.received - 1;
      }
      sources[static_cast<std::size_t>(slots.at(pair.expert))].push_back(
          static_cast<std::int32_t>(source));
    }
    if (own && pair.owner == me) {
      for (int to = pair.index * grid.shards(); to < (pair.index + 1) * grid.shards(); ++to) {
        if (to / grid.tp != me / grid.tp) {
          sent[static_cast<std::size_t>(to)].insert(pair.token);
        }
      }
    }
  }
  std::vector<std::vector<std::int32_t>> pairs_of(
      static_cast<std::size_t>(rows.tokens + rows.received));
  for (const auto& slot : sources) {
    rows.slot_rows.push_back(static_cast<std::int32_t>(slot.size()));
    for (const auto source : slot) {
      pairs_of[static_cast<std::size_t>(source)].push_back(
          static_cast<std::int32_t>(rows.sources.size()));
      rows.sources.push_back(source);
    }
  }
  flatten(pairs_of, rows.sum_begin, rows.sum_pairs);
  std::vector<std::vector<std::int32_t>> returned(static_cast<std::size_t>(rows.tokens));
  for (std::size_t to = 0; to < members; ++to) {
    rows.sent_to[to] = static_cast<std::int64_t>(sent[to].size());
    for (const auto token : sent[to]) {
      returned[static_cast<std::size_t>(token)].push_back(
          static_cast<std::int32_t>(rows.sent_tokens.size()));
      rows.sent_tokens.push_back(static_cast<std::int32_t>(token));
    }
  }
  flatten(returned, rows.returned_begin, rows.returned_rows);
  return rows;
}

} // namespace decodesim
