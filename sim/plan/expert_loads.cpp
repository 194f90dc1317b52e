#include "sim/plan/expert_loads.hpp"

#include <algorithm>
#include <array>
#include <numeric>

namespace decodesim {

std::int64_t ExpertLoad::rows_sent() const {
  return std::accumulate(sent.begin(), sent.end(), std::int64_t{0}, [](auto sum, const auto& one) {
    return sum + one.rows;
  });
}

double ExpertLoad::imbalance() const {
  std::int64_t most = 0;
  std::int64_t sum = 0;
  for (const auto& one : work) {
    most = std::max(most, one.pairs);
    sum += one.pairs;
  }
  return sum == 0 ? 1.0
                  : static_cast<double>(most) * static_cast<double>(work.size()) /
                        static_cast<double>(sum);
}

RoutedTokens routed_tokens(const Model& model, const Workload& workload) {
  std::vector<int> layers;
  for (int layer = 0; layer < model.layers; ++layer) {
    if (model.has_experts(layer)) {
      layers.push_back(layer);
    }
  }
  return {.layers = std::move(layers),
          .experts = model.moe->experts,
          .experts_per_token = model.moe->experts_per_token,
          .sequences = workload.batch_size,
          .prompt_tokens = workload.input_tokens,
          .decode_steps = workload.decode_steps()};
}

namespace {

/// Tokens of a pass, cut into as many slices as there are owners.
class Slices {
public:
  Slices(std::int64_t tokens, int owners) : larger_{tokens % owners}, size_{tokens / owners} {}

  [[nodiscard]] int owner(std::int64_t token) const {
    const auto in_larger = larger_ * (size_ + 1);
    return static_cast<int>(token < in_larger ? token / (size_ + 1)
                                              : larger_ + (token - in_larger) / size_);
  }

private:
  std::int64_t larger_; ///< slices with one token more
  std::int64_t size_;
};

} // namespace

ExpertLoads::ExpertLoads(const Model& model, ExpertGrid grid, const Workload& workload)
    : settings_{workload.experts}, tokens_{routed_tokens(model, workload)}, layers_{model.layers},
      grid_{std::move(grid)},

      micro_batches_{static_cast<int>(grid_.sequences.front().size())},
      routing_{make_routing(workload.experts.routing, tokens_, workload.experts.seed, "routing")} {
  std::int64_t next = 0;
  for (const auto& sizes : grid_.sequences) {
    auto& first = first_sequence_.emplace_back();
    for (const int size : sizes) {
      first.push_back(next);
      next += size;
    }
  }
  place_experts();
  slots_.resize(2 * static_cast<std::size_t>(layers_) * static_cast<std::size_t>(micro_batches_) *
                static_cast<std::size_t>(grid_.groups()));
  sum_up();
}

/// Hot experts are those with most tokens over the decode steps (over the prefill without any).
void ExpertLoads::place_experts() {
  const int ep = std::max(1, grid_.ep);
  const ExpertPlacement plain{settings_.placement, tokens_.experts, ep};
  if (settings_.copies == 0 || ep == 1) {
    placements_.assign(1, plain);
    return;
  }
  std::vector<int> experts(static_cast<std::size_t>(tokens_.experts_per_token));
  const int first_iteration = tokens_.decode_steps > 0 ? 1 : 0;
  placements_.assign(static_cast<std::size_t>(layers_), plain);
  for (const int layer : tokens_.layers) {
    std::vector<std::int64_t> load(static_cast<std::size_t>(tokens_.experts), 0);
    for (int iteration = first_iteration; iteration <= tokens_.decode_steps; ++iteration) {
      const auto first = iteration == 0 ? 0 : tokens_.prompt_tokens + iteration - 1;
      const auto last = iteration == 0 ? tokens_.prompt_tokens : first + 1;
      for (std::int64_t sequence = 0; sequence < tokens_.sequences; ++sequence) {
        for (auto position = first; position < last; ++position) {
          routing_->route({iteration, layer, sequence, position}, experts);
          for (const int expert : experts) {
            ++load[static_cast<std::size_t>(expert)];
          }
        }
      }
    }
    placements_[static_cast<std::size_t>(layer)].replicate(load, settings_.copies);
  }
}

/// Goes through the whole run once. The prefill stays in the slots.
void ExpertLoads::sum_up() {
  mean_rows_sent_.resize(slots_.size() / 2, 0.0);
  double passes = 0;
  double experts_hit = 0;
  double imbalance = 0;
  for (const auto part : {Part::prologue, Part::body}) {
    auto& most = most_[part == Part::prologue ? 0 : 1];
    const int steps = part == Part::prologue ? 1 : tokens_.decode_steps;
    for (int step = 0; step < steps; ++step) {
      for (const int layer : tokens_.layers) {
        for (int micro_batch = 0; micro_batch < micro_batches_; ++micro_batch) {
          for (int group = 0; group < grid_.groups(); ++group) {
            const auto& load = at(part, step, layer, micro_batch, group);
            for (const auto& work : load.work) {
              most.pairs = std::max(most.pairs, work.pairs);
              most.tokens = std::max(most.tokens, work.tokens);
              most.received = std::max(most.received, work.received);
              most.returned = std::max(most.returned, work.returned);
              most.experts_hit = std::max(most.experts_hit, work.experts_hit);
            }
            const bool counts = part == Part::body || tokens_.decode_steps == 0;
            if (part == Part::body) {
              mean_rows_sent_[slot_of(Part::prologue, layer, micro_batch, group)] +=
                  static_cast<double>(load.rows_sent()) / tokens_.decode_steps;
            }
            if (counts && load.experts_hit > 0) {
              passes += 1;
              experts_hit += load.experts_hit;
              imbalance += load.imbalance();
            }
          }
        }
      }
    }
  }
  if (passes > 0) {
    mean_experts_hit_ = experts_hit / passes;
    mean_imbalance_ = imbalance / passes;
  }
}

std::size_t ExpertLoads::slot_of(Part part, int layer, int micro_batch, int group) const {
  const auto index =
      ((part == Part::prologue ? 0 : layers_) + layer) * micro_batches_ + micro_batch;
  return static_cast<std::size_t>(index) * static_cast<std::size_t>(grid_.groups()) +
         static_cast<std::size_t>(group);
}

const ExpertLoad&
ExpertLoads::at(Part part, int step, int layer, int micro_batch, int group) const {
  auto& slot = slots_[slot_of(part, layer, micro_batch, group)];
  if (slot.step != step) {
    slot.load = count(part, step, layer, micro_batch, group);
    slot.step = step;
  }
  return slot.load;
}

int ExpertLoads::group_of(int rank) const {
  return grid_.ep > 0 ? 0 : rank / (grid_.pp * grid_.tp);
}

int ExpertLoads::member_of(int rank) const {
  const int tp_index = rank % grid_.tp;
  return grid_.ep > 0 ? rank / (grid_.pp * grid_.tp) * grid_.tp + tp_index : tp_index;
}

double ExpertLoads::mean_rows_sent(int layer, int micro_batch, int group) const {
  return mean_rows_sent_[slot_of(Part::prologue, layer, micro_batch, group)];
}

template <class Visit>
void ExpertLoads::visit_pairs(
    Part part, int step, int layer, int micro_batch, int group, Visit visit) const {
  const bool prefill = part == Part::prologue;
  const auto& placed = placement(layer);
  const int first_dp = grid_.ep > 0 ? 0 : group;
  const int dps = grid_.ep > 0 ? grid_.dp : 1;
  const auto queries = prefill ? tokens_.prompt_tokens : 1;
  std::vector<int> turn(static_cast<std::size_t>(tokens_.experts), 0); // which copy is next
  std::vector<int> chosen(static_cast<std::size_t>(tokens_.experts_per_token));
  for (int dp = 0; dp < dps; ++dp) {
    const auto sequences = grid_.sequences[static_cast<std::size_t>(first_dp + dp)]
                                          [static_cast<std::size_t>(micro_batch)];
    const auto first = first_sequence(first_dp + dp, micro_batch);
    const Slices slices{sequences * queries, grid_.tp};
    for (std::int64_t token = 0; token < sequences * queries; ++token) {
      routing_->route({.iteration = prefill ? 0 : step + 1,
                       .layer = layer,
                       .sequence = first + token / queries,
                       .position = prefill ? token % queries : tokens_.prompt_tokens + step},
                      chosen);
      const int owner = dp * grid_.tp + slices.owner(token);
      for (const int expert : chosen) {
        const auto& holders = placed.holders(expert);
        auto& next = turn[static_cast<std::size_t>(expert)];
        const int index = holders[static_cast<std::size_t>(next)];
        next = (next + 1) % static_cast<int>(holders.size());
        visit(RoutedPair{
            .dp = first_dp + dp, .token = token, .owner = owner, .expert = expert, .index = index});
      }
    }
  }
}

std::vector<RoutedPair>
ExpertLoads::pairs(Part part, int step, int layer, int micro_batch, int group) const {
  std::vector<RoutedPair> all;
  visit_pairs(
      part, step, layer, micro_batch, group, [&all](const RoutedPair& one) { all.push_back(one); });
  return all;
}

ExpertLoad ExpertLoads::count(Part part, int step, int layer, int micro_batch, int group) const {
  const int ep = std::max(1, grid_.ep);
  const int shards = grid_.shards();
  const auto members = static_cast<std::size_t>(grid_.members());
  const auto experts = static_cast<std::size_t>(tokens_.experts);

  std::vector<RoutedWork> at_index(static_cast<std::size_t>(ep)); // the same on all its shards
  std::vector<bool> hit(static_cast<std::size_t>(ep) * experts, false);
  std::vector<bool> hit_anywhere(experts, false);
  std::vector<std::int64_t> rows(members * members, 0); // from x members + to
  std::vector<int> indices;                             // that have the token so far
  std::int64_t choices = 0;
  visit_pairs(part, step, layer, micro_batch, group, [&](const RoutedPair& pair) {
    if (choices++ % tokens_.experts_per_token == 0) {
      indices.clear();
    }
    const auto e = static_cast<std::size_t>(pair.expert);
    const auto index = static_cast<std::size_t>(pair.index);
    ++at_index[index].pairs;
    hit[index * experts + e] = true;
    hit_anywhere[e] = true;
    if (std::find(indices.begin(), indices.end(), pair.index) != indices.end()) {
      return;
    }
    indices.push_back(pair.index);
    ++at_index[index].tokens;
    for (int member = pair.index * shards; member < (pair.index + 1) * shards; ++member) {
      if (member / grid_.tp != pair.owner / grid_.tp) {
        ++rows[static_cast<std::size_t>(pair.owner) * members + static_cast<std::size_t>(member)];
      }
    }
  });

  ExpertLoad load;
  load.experts_hit = static_cast<int>(std::count(hit_anywhere.begin(), hit_anywhere.end(), true));
  for (std::size_t index = 0; index < at_index.size(); ++index) {
    const auto begin = hit.begin() + static_cast<std::ptrdiff_t>(index * experts);
    at_index[index].experts_hit =
        static_cast<int>(std::count(begin, begin + static_cast<std::ptrdiff_t>(experts), true));
  }
  for (std::size_t member = 0; member < members; ++member) {
    load.work.push_back(at_index[member / static_cast<std::size_t>(shards)]);
  }
  for (std::size_t from = 0; from < members; ++from) {
    for (std::size_t to = 0; to < members; ++to) {
      if (const auto count = rows[from * members + to]; count > 0) {
        load.sent.push_back({static_cast<int>(from), static_cast<int>(to), count});
        load.work[from].returned += count;
        load.work[to].received += count;
      }
    }
  }
  return load;
}

} // namespace decodesim
