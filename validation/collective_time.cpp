#include "validation/collective_time.hpp"

#include "sim/network/custom/exchange_kernels.hpp"
#include "sim/network/nccl/choice.hpp"

#include <cmath>
#include <numeric>
#include <utility>

namespace decodesim {

CollectiveBench::CollectiveBench(Machine machine,
                                 std::vector<int> gpus,
                                 const std::string& collectives)
    : machine_{std::move(machine)}, gpus_{std::move(gpus)}, options_{.collectives = collectives} {
  const int ranks = static_cast<int>(gpus_.size());
  std::vector<int> all(gpus_.size());
  std::iota(all.begin(), all.end(), 0);
  plan_.layout = "collective";
  plan_.program_of_rank.assign(gpus_.size(), 0);
  plan_.programs.resize(1);
  plan_.axes = {GroupAxis{"world", {all}, ranks}};
  communication_ = std::make_unique<Communication>(plan_, machine_, gpus_, options_);
}

CollectiveBench::~CollectiveBench() = default;

Seconds CollectiveBench::time(CollectiveKind kind, Bytes total_bytes) const {
  return communication_
      ->collective(
          plan_.axes.front(), 0, {.kind = kind, .axis = "world", .total_bytes = total_bytes})
      .idle_time([&](LinkDirection link) { return machine_.link(link).bandwidth.value; });
}

std::string CollectiveBench::chosen(CollectiveKind kind, Bytes total_bytes) const {
  const auto point = options_.collectives.find('.');
  const nccl::Version version{point == std::string::npos
                                  ? nccl::Version{}.minor
                                  : std::stoi(options_.collectives.substr(point + 1))};
  const auto one = nccl::choose(nccl::graph_of(network()), version, kind, total_bytes);
  return to_string(one.algorithm) + "-" + to_string(one.protocol);
}

const GroupNetwork& CollectiveBench::network() const {
  return communication_->network(plan_.axes.front(), 0);
}

Seconds CollectiveBench::exchange(const TokenExchange& exchange) const {
  const auto ranks = static_cast<double>(gpus_.size());
  const double experts = exchange.experts_per_token;
  const double hit = ranks * (1.0 - std::pow(1.0 - 1.0 / ranks, experts));
  const bool copies = custom::copies_for_each_expert(exchange.kernels);
  // Rows are whole numbers: a million stand for the tokens.
  constexpr int row_count = 1'000'000;
  std::vector<SentRows> rows;
  for (int from = 0; from < static_cast<int>(gpus_.size()); ++from) {
    for (int to = 0; to < static_cast<int>(gpus_.size()); ++to) {
      if (from != to) {
        rows.push_back({from, to, row_count});
      }
    }
  }
  return communication_
      ->exchange_by(exchange.kernels,
                    copies ? experts / hit : 1.0,
                    plan_.axes.front().groups.front(),
                    rows,
                    exchange.tokens * hit / ranks / row_count * exchange.token_bytes,
                    exchange.direction)
      .idle_time([&](LinkDirection link) { return machine_.link(link).bandwidth.value; });
}

BytesPerSecond CollectiveBench::bandwidth(LinkDirection link) const {
  return machine_.link(link).bandwidth.value;
}

Seconds CollectiveBench::message(Bytes bytes) const {
  return communication_->message(0, 1, bytes).idle_time([&](LinkDirection link) {
    return machine_.link(link).bandwidth.value;
  });
}

} // namespace decodesim
