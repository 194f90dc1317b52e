#include "sim/network/nccl/constants.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace decodesim::nccl {

namespace {

using Row = std::array<double, 3>; // LL, LL128, Simple; or 1, 2, more nodes

constexpr std::size_t index(Protocol protocol) { return static_cast<std::size_t>(protocol); }

constexpr std::size_t index(Generation generation) { return static_cast<std::size_t>(generation); }

std::size_t node_index(int nodes) { return static_cast<std::size_t>(std::clamp(nodes, 1, 3) - 1); }

constexpr Seconds us(double value) { return Seconds{value * 1e-6}; }

constexpr BytesPerSecond gbytes(double value) { return BytesPerSecond{value * 1e9}; }

using ByGeneration = std::array<Row, 4>; // volta, ampere, hopper, blackwell

constexpr ByGeneration ll_table{
    {{39.0, 39.0, 20.4}, {87.7, 22.5, 19.0}, {141.0, 45.0, 35.0}, {282.0, 90.0, 70.0}}};
constexpr ByGeneration ring_ll128_table{
    {{20.0, 20.0, 20.0}, {20.0, 20.0, 20.0}, {36.7, 36.7, 36.7}, {73.4, 34.6, 73.4}}};
constexpr ByGeneration tree_ll128_table{
    {{20.0, 20.0, 20.0}, {20.0, 20.0, 20.0}, {36.7, 36.7, 29.0}, {55.6, 31.67, 20.0}}};
constexpr ByGeneration tree_table{
    {{26.5, 18.5, 10.0}, {24.0, 23.6, 17.8}, {38.7, 41.4, 36.0}, {70.0, 42.8, 24.0}}};
constexpr ByGeneration nvls_tree_table{
    {{26.5, 18.5, 10.0}, {24.0, 23.6, 17.8}, {0.0, 57.7, 45.5}, {0.0, 96.0, 43.8}}};

/// By protocol, then by the binary logarithm of bytes / 64.
constexpr std::array<std::array<double, 23>, 3> tree_corrections{
    {{1.0, 1.0, 1.0, 1.0, 0.9, 0.8, 0.7, 0.7, 0.7, 0.7, 0.6, 0.5,
      0.4, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0, 1.0},
     {1.0, 1.0, 1.0, 1.0, 1.0, 0.9, 0.8, 0.8, 0.8, 0.7, 0.6, 0.6,
      0.6, 0.6, 0.6, 0.6, 0.8, 0.9, 0.9, 0.9, 0.9, 1.0, 1.0},
     {0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.6, 0.5,
      0.5, 0.5, 0.5, 0.6, 0.7, 0.8, 0.7, 0.7, 0.8, 0.9, 0.9}}};

} // namespace

std::string to_string(Algorithm algorithm) {
  constexpr std::array names{"ring", "tree", "nvls", "nvls-tree"};
  return names.at(static_cast<std::size_t>(algorithm));
}

std::string to_string(Protocol protocol) {
  constexpr std::array names{"ll", "ll128", "simple"};
  return names.at(index(protocol));
}

std::string to_string(Generation generation) {
  constexpr std::array names{"volta", "ampere", "hopper", "blackwell"};
  return names.at(index(generation));
}

Generation generation_of(int compute_capability) {
  return compute_capability >= 100  ? Generation::blackwell
         : compute_capability >= 90 ? Generation::hopper
         : compute_capability >= 80 ? Generation::ampere
                                    : Generation::volta;
}

double wire_ratio(Protocol protocol) {
  constexpr Row ratio{2.0, 128.0 / 120.0, 1.0};
  return ratio.at(index(protocol));
}

Seconds base_latency(Version version, Algorithm algorithm, Protocol protocol) {
  Row row{0.0, 0.0, 0.0};
  if (algorithm == Algorithm::ring) {
    row = version.minor >= 18 ? Row{6.6, 14.0, 8.4} : Row{3.6, 10.0, 8.4};
  } else if (algorithm == Algorithm::tree) {
    row = version.minor >= 26   ? Row{6.8, 14.0, 8.4}
          : version.minor >= 18 ? Row{6.8, 14.0, 0.0}
                                : Row{4.4, 4.4, 0.0};
  }
  return us(row.at(index(protocol)));
}

Seconds hop_latency(Version version, LinkClass link, Algorithm algorithm, Protocol protocol) {
  Row row{0.0, 0.0, 0.0};
  switch (algorithm) {
  case Algorithm::ring:
    row = link == LinkClass::nvlink ? Row{0.6, 1.9, 3.4}
          : link == LinkClass::pcie ? Row{1.0, 2.5, 5.7}
                                    : Row{2.7, 4.0, 14.0};
    break;
  case Algorithm::tree:
    row = link == LinkClass::nvlink ? Row{0.6, 1.25, 4.0}
          : link == LinkClass::pcie ? Row{1.0, 1.9, 4.0}
                                    : Row{5.0, 8.5, 14.0};
    break;
  case Algorithm::nvls:
  case Algorithm::nvls_tree:
    if (link == LinkClass::nvlink) {
      row[2] = version.minor >= 22 ? 25.0 : 23.0;
    } else if (link == LinkClass::network) {
      row[2] = algorithm == Algorithm::nvls ? 18.0 : version.minor >= 28 ? 20.9 : 14.0;
    }
    break;
  }
  return us(row.at(index(protocol)));
}

Seconds network_overhead(Protocol protocol, bool amd_cpu) {
  return us((amd_cpu ? 2.0 : 1.0) * (protocol == Protocol::simple ? 3.0 : 1.0));
}

BytesPerSecond ll_limit(Generation generation, int nodes, bool amd_cpu) {
  const auto row = nodes == 1 ? generation : amd_cpu ? Generation::ampere : Generation::volta;
  return gbytes(ll_table.at(index(row)).at(node_index(nodes)));
}

BytesPerSecond ring_ll128_limit(Generation generation, int nodes) {
  return gbytes(ring_ll128_table.at(index(generation)).at(node_index(nodes)));
}

BytesPerSecond tree_ll128_limit(Generation generation, int nodes) {
  return gbytes(tree_ll128_table.at(index(generation)).at(node_index(nodes)));
}

BytesPerSecond tree_limit(Generation generation, int nodes) {
  return gbytes(tree_table.at(index(generation)).at(node_index(nodes)));
}

BytesPerSecond nvls_tree_limit(Generation generation, int nodes) {
  return gbytes(nvls_tree_table.at(index(generation)).at(node_index(nodes)));
}

double nvls_efficiency(Generation generation) {
  constexpr std::array<double, 4> efficiency{0.0, 0.0, 0.85, 0.74};
  return efficiency.at(index(generation));
}

double tree_correction(Protocol protocol, Bytes bytes) {
  const double units = std::max(1.0, bytes.value() / 64.0);
  const auto at = static_cast<std::size_t>(std::floor(std::log2(units)));
  const auto& row = tree_corrections.at(index(protocol));
  return at < row.size() ? row.at(at) : 1.0;
}

double smooth_tree_correction(Protocol protocol, Bytes bytes) {
  const double place = std::log2(std::max(1.0, bytes.value() / 64.0));
  const double below = std::floor(place);
  const double from = tree_correction(protocol, Bytes{64.0 * std::exp2(below)});
  const double to = tree_correction(protocol, Bytes{64.0 * std::exp2(below + 1.0)});
  return from + (place - below) * (to - from);
}

} // namespace decodesim::nccl
