#include "validation/calibrate_links.hpp"

#include "sim/data_files.hpp"
#include "sim/network/nccl/choice.hpp"
#include "sim/network/nccl/link_calibration.hpp"
#include "validation/collective_systems.hpp"
#include "validation/collective_time.hpp"
#include "validation/csv_table.hpp"
#include "validation/fit.hpp"
#include "validation/fitted_numbers.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>

namespace decodesim {

namespace {

using nccl::Algorithm;
using nccl::KernelCost;
using nccl::Protocol;

using Kernel = std::pair<Algorithm, Protocol>;

/// One file to be fitted.
struct LinkFit {
  std::string name;
  std::string summary;
  Transport transport = Transport::nvlink;
  std::string transport_name;
  std::string compute_capability;
  std::vector<std::string> systems; ///< of the table
  std::set<int> gpus;               ///< numbers of GPUs whose rows count
};

const std::vector<LinkFit>& link_fits() {
  static const std::vector<LinkFit> all{
      {"nvlink-sm80",
       "A100 behind NVSwitch",
       Transport::nvlink,
       "nvlink",
       "8.0",
       {"a100_sxm"},
       {2, 4, 8}},
      {"nvlink-sm90",
       "H100 and H200 behind NVSwitch",
       Transport::nvlink,
       "nvlink",
       "9.0",
       {"h100_sxm", "h200_sxm"},
       {2, 4, 8}},
      {"pcie-sm120",
       "Two RTX PRO 6000 under one PCIe switch, peer to peer",
       Transport::pcie,
       "pcie",
       "12.0",
       {"rtx_pro_6000_server"},
       {2}},
      {"host-memory-sm120",
       "RTX PRO 6000 under several PCIe switches: data is staged in host memory between them",
       Transport::host_memory,
       "host_memory",
       "12.0",
       {"rtx_pro_6000_server"},
       {4, 8}},
      {"host-memory-sm89",
       "Two L40S without peer-to-peer access: data is staged in host memory",
       Transport::host_memory,
       "host_memory",
       "8.9",
       {"l40s"},
       {2}}};
  return all;
}

struct Row {
  int members = 0;
  int steps = 0;
  Bytes bytes;
  double measured_us = 0;
  Seconds on_links; ///< what the links alone take
};

/// Everything that has to be known of a machine to fit its rows.
struct Reference {
  BytesPerSecond machine_bandwidth;
  Seconds wires;
  std::map<Kernel, std::vector<Row>> rows;
  int left_out = 0; ///< rows of collectives that have no fit
};

std::optional<CollectiveKind> kind_of(const std::string& name) {
  static const std::map<std::string, CollectiveKind> kinds{
      {"all_reduce", CollectiveKind::all_reduce},
      {"all_gather", CollectiveKind::all_gather},
      {"reduce_scatter", CollectiveKind::reduce_scatter}};
  const auto found = kinds.find(name);
  return found == kinds.end() ? std::nullopt : std::optional{found->second};
}

int version_of(const std::string& collectives) {
  const auto point = collectives.find('.');
  return point == std::string::npos ? nccl::Version{}.minor
                                    : std::stoi(collectives.substr(point + 1));
}

Reference read_reference(const LinkFit& fit, const CsvTable& table) {
  Reference reference;
  std::map<std::pair<std::string, int>, std::unique_ptr<CollectiveBench>> benches;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const auto& name = table.text(row, "system");
    const int gpus = static_cast<int>(table.number(row, "num_gpus"));
    if (std::find(fit.systems.begin(), fit.systems.end(), name) == fit.systems.end() ||
        !fit.gpus.contains(gpus)) {
      continue;
    }
    const auto kind = kind_of(table.text(row, "op"));
    if (!kind) {
      ++reference.left_out;
      continue;
    }
    const auto system = find_system(name, "").value();
    auto& bench = benches[{name, gpus}];
    if (bench == nullptr) {
      std::vector<int> first(static_cast<std::size_t>(gpus));
      std::iota(first.begin(), first.end(), 0);
      bench = std::make_unique<CollectiveBench>(
          find_machine(system.machine, 1, name), std::move(first), "ideal");
    }
    const auto& network = bench->network();
    const auto& edges = network.channels().front();
    const auto edge = std::find_if(edges.begin(), edges.end(), [&](const RingEdge& one) {
      return one.path->transport == fit.transport;
    });
    reference.machine_bandwidth = network.cost(fit.transport).bandwidth;
    reference.wires = edge->path->latency;
    auto graph = nccl::graph_of(network);
    if (table.text(row, "dtype") == "int8" && *kind != CollectiveKind::all_gather) {
      graph.nvls.reset(); // the switch does not sum 8-bit integers
    }
    const Bytes bytes{table.number(row, "size_bytes")};
    const auto chosen = nccl::choose(graph, {version_of(system.collectives)}, *kind, bytes);
    reference.rows[{chosen.algorithm, chosen.protocol}].push_back(
        {.members = gpus,
         .steps = nccl::ring_steps(*kind, gpus),
         .bytes = bytes,
         .measured_us = table.number(row, "latency_us"),
         .on_links = chosen.algorithm == Algorithm::ring
                         ? nccl::wire_ratio(chosen.protocol) * bench->time(*kind, bytes)
                         : Seconds{}});
  }
  return reference;
}

Seconds time_of(const Row& row, const KernelCost& cost, const Kernel& kernel) {
  const double n = row.members;
  const int parts = kernel == Kernel{Algorithm::ring, Protocol::ll} ? row.members : 1;
  if (kernel.first == Algorithm::nvls) {
    return cost.base + 2.0 * cost.hop + cost.fill_time(row.bytes, parts, row.members) +
           (n + 1.0) / n * row.bytes / cost.bandwidth;
  }
  const auto flow = row.steps * row.bytes / n / cost.effective_bandwidth(row.steps);
  return cost.base + row.steps * cost.hop + cost.fill_time(row.bytes, parts, row.members) +
         std::max(flow, row.on_links);
}

struct KernelFit {
  KernelCost cost;
  std::vector<double> errors;
};

KernelFit fit_kernel(const Kernel& kernel, const Reference& reference) {
  const auto& rows = reference.rows.at(kernel);
  const double bandwidth = reference.machine_bandwidth.value() / 1e9;
  const bool nvls = kernel.first == Algorithm::nvls;
  const bool ll = kernel.second == Protocol::ll;
  std::vector<FitParameter> parameters{
      {"base", ll ? 5.0 : 12.0, 0.1, 100.0, true},
      {"bandwidth", bandwidth, bandwidth / 20, bandwidth * 5, true},
      {"fill", ll ? 1.0 : 15.0, 0.01, 300.0, true}};
  if (!nvls) {
    parameters.push_back({"hop", ll ? 1.0 : 3.0, 0.05, 20.0, true});
    // Copies slower than the links would let more ranks finish sooner.
    parameters.push_back({"copy over bandwidth", 2.0, 1.0, 100.0, true});
    parameters.push_back({"fill_per_peer", 0.3, 0.001, 20.0, true});
  }
  if (!ll) {
    parameters.push_back({"fill_bytes", 8e6, 1e4, 3e8, true});
  }
  const auto cost_of = [&](const std::vector<double>& at) {
    KernelCost cost{.base = Seconds{at[0] * 1e-6},
                    .hop = reference.wires,
                    .fill = Seconds{at[2] * 1e-6},
                    .fill_per_peer = {},
                    .fill_bytes = Bytes{ll ? 4096.0 : at.back()},
                    .bandwidth = BytesPerSecond{at[1] * 1e9},
                    .copy = BytesPerSecond{1e15}};
    if (!nvls) {
      cost.hop = Seconds{at[3] * 1e-6};
      cost.copy = at[4] * cost.bandwidth;
      cost.fill_per_peer = Seconds{at[5] * 1e-6};
    }
    return cost;
  };
  constexpr int most_evaluations = 6000;
  const auto found = minimize(
      parameters,
      [&](const std::vector<double>& at) {
        const auto cost = cost_of(at);
        double sum = 0;
        for (const auto& row : rows) {
          sum += robust_cost(time_of(row, cost, kernel).value() * 1e6, row.measured_us);
        }
        return sum;
      },
      most_evaluations);
  KernelFit fit{.cost = cost_of(found.values), .errors = {}};
  for (const auto& row : rows) {
    fit.errors.push_back(time_of(row, fit.cost, kernel).value() * 1e6 / row.measured_us - 1.0);
  }
  return fit;
}

std::string file_text(const LinkFit& fit, const Reference& reference) {
  const std::string source = "fit to nccl-tests tables of aiconfigurator, commit 095f58a";
  const std::string machine = "of the machine that was fitted on";
  const auto number = [&](const char* name, double value, const char* unit) {
    return fitted_number(name, value, unit, source);
  };
  std::vector<double> errors;
  std::string kernels;
  for (const auto& [kernel, rows] : reference.rows) {
    const auto [cost, own] = fit_kernel(kernel, reference);
    errors.insert(errors.end(), own.begin(), own.end());
    kernels += kernels.empty() ? "" : ",\n";
    const auto name = to_string(kernel.first) + "-" + to_string(kernel.second);
    kernels +=
        "    \"" + name + "\": {\n      \"residuals\": \"" + residual_text(own) + "\",\n      ";
    kernels += number("base", cost.base.value() * 1e6, "us") + ",\n      ";
    kernels += number("hop", cost.hop.value() * 1e6, "us") + ",\n      ";
    kernels += number("fill", cost.fill.value() * 1e6, "us") + ",\n      ";
    kernels += number("fill_per_peer", cost.fill_per_peer.value() * 1e6, "us") + ",\n      ";
    kernels += number("fill_bytes", cost.fill_bytes.value(), "B") + ",\n      ";
    kernels += number("bandwidth", cost.bandwidth.value() / 1e9, "GB/s") + ",\n      ";
    kernels += number("copy", std::min(cost.copy.value() / 1e9, 1e5), "GB/s") + "\n    }";
  }
  return "{\n  \"format_version\": 1,\n  \"name\": \"" + fit.name + "\",\n  \"summary\": \"" +
         fit.summary + "\",\n  \"transport\": \"" + fit.transport_name +
         "\",\n  \"compute_capability\": \"" + fit.compute_capability + "\",\n  \"residuals\": \"" +
         residual_text(errors) + "\",\n  " +
         fitted_number(
             "machine_bandwidth", reference.machine_bandwidth.value() / 1e9, "GB/s", machine) +
         ",\n  " + fitted_number("wires", reference.wires.value() * 1e6, "us", machine) +
         ",\n  \"kernels\": {\n" + kernels + "\n  }\n}\n";
}

} // namespace

std::vector<ParameterFile> calibrate_links() {
  const auto table =
      CsvTable::read(data_root() / "validation" / "data" / "collectives-fit" / "aic_nccl.csv");
  std::vector<ParameterFile> files;
  for (const auto& fit : link_fits()) {
    files.push_back({.path = "sim/network/nccl/fits/" + fit.name + ".json",
                     .text = file_text(fit, read_reference(fit, table))});
  }
  return files;
}

} // namespace decodesim
