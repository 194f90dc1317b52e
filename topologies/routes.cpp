#include "topologies/routes.hpp"

#include "sim/error.hpp"

#include <algorithm>
#include <limits>
#include <map>

namespace decodesim {

namespace {

/// Sums of the same weights in another order differ by rounding only.
constexpr double relative_rounding = 1e-12;

Transport transport_of(LinkKind kind) {
  switch (kind) {
  case LinkKind::nvlink:
    return Transport::nvlink;
  case LinkKind::c2c:
  case LinkKind::pcie:
  case LinkKind::upi:
    return Transport::pcie;
  case LinkKind::memory:
    return Transport::host_memory;
  case LinkKind::network:
    return Transport::network;
  }
  return Transport::network;
}

Path path_of(const Machine& machine, std::vector<LinkDirection> links) {
  Path path;
  path.bandwidth = BytesPerSecond{std::numeric_limits<double>::infinity()};
  for (const auto direction : links) {
    const auto& link = machine.link(direction);
    path.latency += link.latency.value;
    path.bandwidth = std::min(path.bandwidth, link.bandwidth.value);
    path.transport = std::max(path.transport, transport_of(link.kind));
  }
  path.links = std::move(links);
  return path;
}

} // namespace

Routes::Routes(const Machine& machine) : machine_{machine}, node_{machine} {
  if (machine.nodes == 1) {
    return;
  }
  for (int vertex = 0; vertex < machine.vertices_per_node; ++vertex) {
    if (machine.vertex(vertex).kind == VertexKind::nic) {
      nics_.push_back(vertex);
    }
  }
  const int first_switch = machine.nodes * machine.vertices_per_node;
  spine_.resize(machine.vertices.size() - static_cast<std::size_t>(first_switch), -1);
  for (int link = machine.first_fabric_link(); link < static_cast<int>(machine.links.size());
       ++link) {
    spine_[static_cast<std::size_t>(machine.tail(2 * link) - first_switch)] = 2 * link;
  }
  to_network_.resize(static_cast<std::size_t>(machine.gpus_per_node()) * nics_.size());
  choose_nics();
}

const std::optional<Routes::LinkList>& Routes::to_network(int gpu, int nic) const {
  const auto nics = nics_.size();
  auto& way = to_network_[static_cast<std::size_t>(gpu) * nics + static_cast<std::size_t>(nic)];
  if (!way) {
    way = node_.between(machine_.gpus[static_cast<std::size_t>(gpu)],
                        nics_[static_cast<std::size_t>(nic)]);
    if (*way) {
      // The last links of a node join its NICs, in order, to the network.
      const int link = machine_.links_per_node - static_cast<int>(nics) + nic;
      (*way)->push_back(2 * link);
    }
  }
  return *way;
}

void Routes::choose_nics() {
  std::map<std::vector<int>, std::size_t> turn; // GPUs so far that are nearest to these NICs
  for (int gpu = 0; gpu < machine_.gpus_per_node(); ++gpu) {
    std::vector<int> nearest;
    double least = std::numeric_limits<double>::infinity();
    for (int nic = 0; nic < static_cast<int>(nics_.size()); ++nic) {
      const auto& way = to_network(gpu, nic);
      if (!way) {
        continue;
      }
      double weight = 0;
      for (const auto direction : *way) {
        weight += way_weight(machine_.link(direction));
      }
      if (weight < least * (1.0 - relative_rounding)) {
        least = weight;
        nearest.clear();
      }
      if (weight <= least * (1.0 + relative_rounding)) {
        nearest.push_back(nic);
      }
    }
    nic_of_gpu_.push_back(nearest.empty() ? -1 : nearest[turn[nearest]++ % nearest.size()]);
  }
}

Routes::LinkList Routes::in_node(int from, int to) const {
  auto links = node_
                   .between(machine_.gpus[static_cast<std::size_t>(local(from))],
                            machine_.gpus[static_cast<std::size_t>(local(to))])
                   .value_or(LinkList{});
  for (auto& direction : links) {
    direction += from / machine_.gpus_per_node() * machine_.links_per_node * 2;
  }
  return links;
}

Routes::LinkList Routes::across(int from, int to, int from_nic, int to_nic) const {
  if (from_nic < 0 || to_nic < 0) {
    return {};
  }
  const auto& out = to_network(local(from), from_nic);
  const auto& back = to_network(local(to), to_nic);
  if (!out || !back) {
    return {};
  }
  const auto shift = [&](int gpu) {
    return gpu / machine_.gpus_per_node() * machine_.links_per_node * 2;
  };
  LinkList links;
  for (const auto direction : *out) {
    links.push_back(direction + shift(from));
  }
  const int first_switch = machine_.nodes * machine_.vertices_per_node;
  const int out_switch = machine_.head(links.back());
  const int in_switch = machine_.head(back->back() + shift(to));
  if (out_switch != in_switch) {
    links.push_back(spine_[static_cast<std::size_t>(out_switch - first_switch)]);
    links.push_back(spine_[static_cast<std::size_t>(in_switch - first_switch)] ^ 1);
  }
  for (auto direction = back->rbegin(); direction != back->rend(); ++direction) {
    links.push_back((*direction ^ 1) + shift(to));
  }
  return links;
}

void Routes::refuse_same(int from, int to) const {
  if (from == to) {
    throw InputError::at("machine " + machine_.name,
                         "no way is needed from " + machine_.gpu_name(from) + " to itself");
  }
}

InputError Routes::no_way(int from, int to) const {
  return InputError::at("machine " + machine_.name,
                        "there is no way from " + machine_.gpu_name(from) + " to " +
                            machine_.gpu_name(to));
}

const Path& Routes::between(int from, int to) const {
  const auto key = static_cast<std::int64_t>(from) * machine_.gpu_count() + to;
  if (const auto known = paths_.find(key); known != paths_.end()) {
    return known->second;
  }
  refuse_same(from, to);
  const auto nic = [&](int gpu) { return nic_of_gpu_[static_cast<std::size_t>(local(gpu))]; };
  auto links = same_node(from, to) ? in_node(from, to) : across(from, to, nic(from), nic(to));
  if (links.empty()) {
    throw no_way(from, to);
  }
  return paths_.emplace(key, path_of(machine_, std::move(links))).first->second;
}

std::vector<Path> Routes::rails(int from, int to) const {
  refuse_same(from, to);
  if (same_node(from, to)) {
    return {between(from, to)};
  }
  std::vector<Path> paths;
  for (int nic = 0; nic < static_cast<int>(nics_.size()); ++nic) {
    if (auto links = across(from, to, nic, nic); !links.empty()) {
      paths.push_back(path_of(machine_, std::move(links)));
    }
  }
  if (paths.empty()) {
    paths.push_back(between(from, to));
  }
  return paths;
}

std::optional<Path> Routes::wires(int from_vertex, int to_vertex) const {
  auto links = node_.wires(from_vertex, to_vertex);
  return links ? std::optional{path_of(machine_, std::move(*links))} : std::nullopt;
}

} // namespace decodesim
