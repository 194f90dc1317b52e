#include "sim/engine/fold.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <unordered_map>

namespace decodesim {

namespace {

using Signature = std::vector<std::int64_t>;

struct SignatureHash {
  std::size_t operator()(const Signature& signature) const {
    std::size_t hash = signature.size();
    for (const auto value : signature) {
      hash = (hash ^ static_cast<std::size_t>(value)) * 0x9e3779b97f4a7c15ULL;
      hash ^= hash >> 29;
    }
    return hash;
  }
};

/// Numbers different signatures from 0, in the order in which they come.
class Numbering {
public:
  int operator()(const Signature& signature) {
    return known_.try_emplace(signature, static_cast<int>(known_.size())).first->second;
  }

  [[nodiscard]] std::size_t count() const { return known_.size(); }

private:
  std::unordered_map<Signature, int, SignatureHash> known_;
};

/// A transfer's piece that crosses a resource; once per crossing.
using Crossing = std::pair<int, std::int64_t>;

std::vector<std::vector<Crossing>> crossings_of_resources(const CommunicationGraph& graph) {
  std::vector<std::vector<Crossing>> crossings(graph.kind_of_resource.size());
  for (std::size_t t = 0; t < graph.transfers.size(); ++t) {
    const auto& pieces = graph.transfers[t].resources;
    for (std::size_t p = 0; p < pieces.size(); ++p) {
      for (const int resource : pieces[p]) {
        crossings[static_cast<std::size_t>(resource)].emplace_back(static_cast<int>(t),
                                                                   static_cast<std::int64_t>(p));
      }
    }
  }
  return crossings;
}

void append_sorted(Signature& signature, Signature values) {
  std::sort(values.begin(), values.end());
  signature.push_back(-1); // no class: where the list begins
  signature.insert(signature.end(), values.begin(), values.end());
}

std::vector<int> all_of(std::size_t count) {
  std::vector<int> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

} // namespace

Fold::Fold(const CommunicationGraph& graph, bool fold) {
  if (fold) {
    refine(graph);
  }
  if (!fold || !channels_pair_up(graph)) {
    stand_alone(graph);
  }
  for (auto* classes : {&rank_classes_, &transfer_classes_, &resource_classes_}) {
    classes->members.clear();
    for (std::size_t i = 0; i < classes->of.size(); ++i) {
      const auto number = class_of(*classes, static_cast<int>(i));
      classes->members.resize(std::max(classes->members.size(), number + 1));
      classes->members[number].push_back(static_cast<int>(i));
    }
  }
}

void Fold::stand_alone(const CommunicationGraph& graph) {
  rank_classes_.of = all_of(graph.role_of_rank.size());
  transfer_classes_.of = all_of(graph.transfers.size());
  resource_classes_.of = all_of(graph.kind_of_resource.size());
}

void Fold::refine(const CommunicationGraph& graph) {
  const auto crossings = crossings_of_resources(graph);
  // Which ranks take part in a transfer, and as which of theirs: a rank that is in two transfers of
  // one shape is not in both at once.
  std::vector<std::vector<std::pair<int, std::int64_t>>> parts(graph.transfers.size());
  for (std::size_t r = 0; r < graph.transfers_of_rank.size(); ++r) {
    const auto& list = graph.transfers_of_rank[r];
    for (std::size_t place = 0; place < list.size(); ++place) {
      parts[static_cast<std::size_t>(list[place])].emplace_back(static_cast<int>(r),
                                                                static_cast<std::int64_t>(place));
    }
  }
  auto& rank_class = rank_classes_.of;
  auto& transfer_class = transfer_classes_.of;
  auto& resource_class = resource_classes_.of;
  rank_class = graph.role_of_rank;
  resource_class.assign(graph.kind_of_resource.size(), 0);
  Numbering kinds;
  for (std::size_t x = 0; x < resource_class.size(); ++x) {
    resource_class[x] = kinds({graph.kind_of_resource[x], graph.rank_of_resource[x] < 0 ? 0 : 1});
  }
  std::vector<Signature> memory_of_rank(rank_class.size());
  const auto at = [](const std::vector<int>& classes, int number) -> std::int64_t {
    return classes[static_cast<std::size_t>(number)];
  };
  for (std::size_t before = 0;;) {
    Numbering transfers;
    transfer_class.resize(graph.transfers.size());
    for (std::size_t t = 0; t < graph.transfers.size(); ++t) {
      const auto& transfer = graph.transfers[t];
      Signature signature{transfer.shape};
      for (const int rank : transfer.message ? transfer.ranks : std::vector<int>{}) {
        signature.push_back(at(rank_class, rank));
      }
      Signature members;
      for (const auto& [rank, place] : parts[t]) {
        members.push_back(at(rank_class, rank) << 24 | place);
      }
      append_sorted(signature, std::move(members));
      for (const auto& piece : transfer.resources) {
        Signature resources;
        for (const int resource : piece) {
          resources.push_back(at(resource_class, resource));
        }
        append_sorted(signature, std::move(resources));
      }
      transfer_class[t] = transfers(signature);
    }

    for (auto& memory : memory_of_rank) {
      memory.clear();
    }
    Numbering resources;
    auto next_resource_class = resource_class;
    for (std::size_t x = 0; x < resource_class.size(); ++x) {
      Signature signature{resource_class[x]};
      if (const int rank = graph.rank_of_resource[x]; rank >= 0) {
        signature.push_back(at(rank_class, rank));
        memory_of_rank[static_cast<std::size_t>(rank)].push_back(resource_class[x]);
      }
      Signature crossed;
      for (const auto& [transfer, piece] : crossings[x]) {
        crossed.push_back(at(transfer_class, transfer) << 24 | piece);
      }
      append_sorted(signature, std::move(crossed));
      next_resource_class[x] = resources(signature);
    }

    Numbering ranks;
    for (std::size_t r = 0; r < rank_class.size(); ++r) {
      Signature signature{rank_class[r]};
      for (const int transfer : graph.transfers_of_rank[r]) {
        signature.push_back(at(transfer_class, transfer));
      }
      append_sorted(signature, memory_of_rank[r]);
      rank_class[r] = ranks(signature);
    }
    resource_class = std::move(next_resource_class);
    const auto classes = transfers.count() + resources.count() + ranks.count();
    if (classes == before) {
      return;
    }
    before = classes;
  }
}

/// A rank that is played meets one other where it sends and receives. So each channel between two
/// classes must join every rank of the one with one of the other.
bool Fold::channels_pair_up(const CommunicationGraph& graph) const {
  std::map<int, int> size; // of a class of ranks
  for (const int one : rank_classes_.of) {
    ++size[one];
  }

  struct Pairs {
    std::set<int> from;
    std::set<int> to;
    int count = 0;
  };

  std::map<std::tuple<std::int64_t, std::size_t, std::size_t>, Pairs> all;
  for (const auto& channel : graph.channels) {
    auto& pairs = all[{channel.communicator,
                       class_of(rank_classes_, channel.from),
                       class_of(rank_classes_, channel.to)}];
    pairs.from.insert(channel.from);
    pairs.to.insert(channel.to);
    ++pairs.count;
  }
  return std::all_of(all.begin(), all.end(), [&](const auto& entry) {
    const auto& [key, pairs] = entry;
    const auto count = static_cast<std::size_t>(pairs.count);
    return pairs.from.size() == count && pairs.to.size() == count &&
           size.at(static_cast<int>(std::get<1>(key))) == pairs.count &&
           size.at(static_cast<int>(std::get<2>(key))) == pairs.count;
  });
}

std::vector<int>
Fold::load(const CommunicationGraph& graph, int transfer, std::size_t piece) const {
  const auto& alike = transfers_like(transfer);
  if (alike.size() == 1) {
    // Its own order of links, which for a flow that stands for itself is every link it crosses.
    std::vector<int> resources;
    for (const int one : graph.transfers[static_cast<std::size_t>(transfer)].resources[piece]) {
      const auto& members = resource_classes_.members[class_of(resource_classes_, one)];
      if (members.front() == one) {
        resources.push_back(one);
      }
    }
    return resources;
  }
  std::map<int, std::size_t> crossed; // first resource of each class, over all transfers alike
  for (const int one : alike) {
    for (const int resource : graph.transfers[static_cast<std::size_t>(one)].resources[piece]) {
      ++crossed[this->resource(resource)];
    }
  }
  std::vector<int> resources;
  for (const auto& [resource, times] : crossed) {
    const auto& members = resource_classes_.members[class_of(resource_classes_, resource)];
    resources.insert(resources.end(), times / members.size(), resource);
  }
  return resources;
}

} // namespace decodesim
