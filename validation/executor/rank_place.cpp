#include "validation/executor/rank_place.hpp"

#include <algorithm>
#include <numeric>

namespace decodesim {

namespace {

int index_in(const std::vector<int>& group, int rank) {
  return static_cast<int>(std::find(group.begin(), group.end(), rank) - group.begin());
}

} // namespace

RankPlace::RankPlace(const Plan& of_plan, int of_rank) : plan{of_plan}, rank{of_rank} {
  const auto& tp_group = plan.group("tp", rank);
  const auto& dp_group = plan.group("dp", rank);
  tp = static_cast<int>(tp_group.size());
  tp_index = index_in(tp_group, rank);
  dp_index = index_in(dp_group, rank);
  for (int dp = 0; dp < dp_index; ++dp) {
    first_sequence_ += plan.program(dp_group[static_cast<std::size_t>(dp)]).sequences;
  }
  int count = 1;
  for (const auto part : {Part::prologue, Part::body, Part::epilogue}) {
    for (const auto& op : program().part(part)) {
      count = std::max(count, op.micro_batch + 1);
    }
  }
  // As even as possible, the first ones larger: how build_plan cuts a batch.
  const int sequences = program().sequences;
  for (int i = 0; i < count; ++i) {
    micro_batches_.push_back(sequences / count + (i < sequences % count ? 1 : 0));
  }
}

std::int64_t RankPlace::first_of(int micro_batch) const {
  return std::accumulate(
      micro_batches_.begin(), micro_batches_.begin() + micro_batch, std::int64_t{0});
}

} // namespace decodesim
