#include "validation/validate_collectives.hpp"

#include "sim/error.hpp"
#include "sim/json_reader.hpp"
#include "topologies/machine.hpp"
#include "validation/collective_systems.hpp"
#include "validation/collective_time.hpp"
#include "validation/csv_table.hpp"
#include "validation/nccl_tests_output.hpp"

#include <map>
#include <tuple>
#include <utility>

namespace decodesim {

namespace {

/// One measured time.
struct Measurement {
  std::string id;
  std::string system;
  std::string run; ///< library, environment or kernel
  std::string collective;
  int gpus = 0;
  int nodes = 1;
  Bytes bytes;
  double time_us = 0;
  std::optional<SystemDescription> described; ///< when the file itself tells the system
  std::optional<CollectiveBench::TokenExchange> exchange = {}; ///< instead of a collective
};

std::optional<CollectiveKind> kind_named(const std::string& name) {
  static const std::map<std::string, CollectiveKind> kinds{
      {"all_reduce", CollectiveKind::all_reduce},
      {"custom_all_reduce", CollectiveKind::all_reduce},
      {"all_gather", CollectiveKind::all_gather},
      {"reduce_scatter", CollectiveKind::reduce_scatter},
      {"broadcast", CollectiveKind::broadcast}};
  const auto found = kinds.find(name);
  return found == kinds.end() ? std::nullopt : std::optional{found->second};
}

/// Launch style that a row's flags of nccl-tests tell: "-g 8" is one process for 8 GPUs.
LaunchStyle style_of(const std::string& run) {
  return run.find("-g 8") != std::string::npos || run.find("-g 4") != std::string::npos
             ? LaunchStyle::one_process
             : LaunchStyle::processes;
}

/// Simulated systems, each built once.
class Systems {
public:
  explicit Systems(CollectiveSystem instead) : instead_{std::move(instead)} {}

  /// @return the row, simulated or with the reason why not
  Comparison compare(const Measurement& one) {
    Comparison row{.id = one.id, .group = one.system, .measured = one.time_us, .unit = "us"};
    auto system = one.described ? one.described : find_system(one.system, one.run);
    if (instead_.machine) {
      system = system.value_or(SystemDescription{});
      system->machine = *instead_.machine;
      system->fabric = one.described ? system->fabric : "";
    }
    if (system && instead_.collectives) {
      system->collectives = *instead_.collectives;
    }
    if (!system) {
      return refused(std::move(row), "no machine is known for this system: give --machine");
    }
    if (system->machine.empty()) {
      return refused(std::move(row), system->reason);
    }
    const auto kind = kind_named(one.collective);
    const bool message = one.collective == "sendrecv";
    if (!kind && !message && !one.exchange) {
      return refused(std::move(row), "the collective " + one.collective + " is not simulated");
    }
    if (one.time_us <= 0) {
      return refused(std::move(row), "no time is printed");
    }
    if (one.gpus < 2) {
      return refused(std::move(row), "a collective of one rank moves nothing");
    }
    const int nodes = instead_.nodes.value_or(one.nodes);
    if (one.gpus % nodes != 0) {
      row.status = CaseStatus::invalid;
      row.reason = std::to_string(one.gpus) + " GPUs are not equally many on " +
                   std::to_string(nodes) + " nodes";
      return row;
    }
    const auto style = system->launch.value_or(style_of(one.run));
    row.group += style == LaunchStyle::processes ? ""
                 : style == LaunchStyle::eager   ? " (eager)"
                                                 : " (one process)";
    row.group += system->clean ? "" : " (not clean)";
    row.in_overall = system->clean;
    row.reason = system->reason;
    try {
      const auto& bench = bench_of(*system, nodes, one.gpus / nodes);
      if (kind && system->collectives.starts_with("nccl")) {
        row.reason += (row.reason.empty() ? "" : "; ") + bench.chosen(*kind, one.bytes);
      }
      const auto alone = one.exchange ? bench.exchange(*one.exchange)
                         : message    ? bench.message(one.bytes)
                                      : bench.time(*kind, one.bytes);
      row.simulated = (alone + launch_time(style, one.gpus / nodes)).value() * 1e6;
    } catch (const LayoutError& error) {
      return refused(std::move(row), error.what());
    }
    return row;
  }

private:
  static Comparison refused(Comparison row, std::string reason) {
    row.status = CaseStatus::not_supported;
    row.reason = std::move(reason);
    return row;
  }

  const CollectiveBench& bench_of(const SystemDescription& system, int nodes, int per_node) {
    const auto key = std::tuple{system.machine, system.fabric, system.collectives, nodes, per_node};
    auto& bench = benches_[key];
    if (bench == nullptr) {
      auto machine =
          find_machine(system.machine,
                       nodes,
                       "--machine",
                       system.fabric.empty() ? Fabric{} : parse_fabric(system.fabric, "fabric"));
      if (machine.gpus_per_node() < per_node) {
        throw LayoutError{"the machine " + machine.name + " has " +
                          std::to_string(machine.gpus_per_node()) + " GPUs a node, not " +
                          std::to_string(per_node)};
      }
      std::vector<int> gpus;
      for (int node = 0; node < nodes; ++node) {
        for (int gpu = 0; gpu < per_node; ++gpu) {
          gpus.push_back(node * machine.gpus_per_node() + gpu);
        }
      }
      bench = std::make_unique<CollectiveBench>(
          std::move(machine), std::move(gpus), system.collectives);
    }
    return *bench;
  }

  CollectiveSystem instead_;
  std::map<std::tuple<std::string, std::string, std::string, int, int>,
           std::unique_ptr<CollectiveBench>>
      benches_;
};

std::string size_text(Bytes bytes) { return std::to_string(static_cast<long>(bytes.value())); }

std::vector<Measurement> read_nccl_tests(const std::string& text, const std::string& name) {
  const auto output = read_nccl_tests_output(text, name);
  auto system = system_of_device(output.device);
  if (system && output.gpus_per_process > 1) {
    system->launch = LaunchStyle::one_process;
  }
  std::vector<Measurement> rows;
  for (const auto& row : output.rows) {
    rows.push_back({.id = name + ":" + std::to_string(row.line),
                    .system = output.device.empty() ? name : output.device,
                    .run = {},
                    .collective = output.collective,
                    .gpus = output.ranks,
                    .nodes = output.nodes,
                    .bytes = Bytes{row.bytes},
                    .time_us = row.time_us,
                    .described = system});
  }
  return rows;
}

/// Columns of the tables in validation/data/collectives.
std::vector<Measurement> read_result_table(const CsvTable& table, const std::string& name) {
  std::vector<Measurement> rows;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const Bytes bytes{table.number(row, "bytes")};
    rows.push_back({.id = name + ":" + table.text(row, "collective") + ":" +
                          table.text(row, "gpus") + ":" + size_text(bytes),
                    .system = table.text(row, "system"),
                    .run = table.text(row, "algo_or_env"),
                    .collective = table.text(row, "collective"),
                    .gpus = static_cast<int>(table.number(row, "gpus")),
                    .nodes = static_cast<int>(table.number_or(row, "nodes", 1)),
                    .bytes = bytes,
                    .time_us = table.number(row, "time_us_out_of_place"),
                    .described = {}});
  }
  return rows;
}

/// Columns of aiconfigurator's tables of nccl-tests: one node.
std::vector<Measurement> read_operator_table(const CsvTable& table, const std::string& name) {
  std::vector<Measurement> rows;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const Bytes bytes{table.number(row, "size_bytes")};
    const auto& system = table.text(row, "system");
    rows.push_back({.id = name + ":" + system + ":" + table.text(row, "op") + ":" +
                          table.text(row, "num_gpus") + ":" + table.text(row, "dtype") + ":" +
                          size_text(bytes),
                    .system = system,
                    .run = {},
                    .collective = table.text(row, "op"),
                    .gpus = static_cast<int>(table.number(row, "num_gpus")),
                    .nodes = 1,
                    .bytes = bytes,
                    .time_us = table.number(row, "latency_us"),
                    .described = {}});
  }
  return rows;
}

/// Columns of tables of DeepEP's low-latency kernels: tokens of each GPU, dispatched in FP8.
std::vector<Measurement> read_exchange_table(const CsvTable& table, const std::string& name) {
  std::vector<Measurement> rows;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    // Three tables name the same things in their own ways; the shortest is of DeepSeek-V3 alone.
    const auto first_of = [&](std::initializer_list<const char*> names, double otherwise) {
      for (const auto* column : names) {
        if (table.has_column(column)) {
          return table.number(row, column);
        }
      }
      return otherwise;
    };
    const int ranks = static_cast<int>(first_of({"ranks", "ep_ranks", "ep"}, 8));
    const double tokens = first_of({"num_token", "tokens_per_rank"}, 128);
    const double hidden = first_of({"hidden"}, 7168);
    const int experts = static_cast<int>(first_of({"topk"}, 8));
    const auto system =
        table.has_column("system") ? table.text(row, "system") : std::string{"H800+CX7 400G"};
    const bool low_latency = !table.has_column("mode") || table.text(row, "mode") == "low-latency";
    for (const bool combine : {false, true}) {
      const auto* direction = combine ? "combine" : "dispatch";
      rows.push_back({.id = name + ":" + system + ":" + direction + ":" + std::to_string(ranks) +
                            ":" + std::to_string(static_cast<int>(tokens)) + "x" +
                            std::to_string(static_cast<int>(hidden)) + "x" +
                            std::to_string(experts),
                      .system = system,
                      .run = {},
                      .collective = std::string{"DeepEP "} + direction,
                      .gpus = ranks,
                      .nodes = (ranks + 7) / 8,
                      .bytes = Bytes{tokens * hidden * 2.0},
                      .time_us = table.number_or(row, combine ? "combine_us" : "dispatch_us", 0),
                      .described = {},
                      .exchange = CollectiveBench::TokenExchange{
                          .kernels = low_latency ? "deepep-ll" : "deepep-normal",
                          .tokens = tokens,
                          .token_bytes = Bytes{hidden * 2.0},
                          .experts_per_token = experts,
                          .direction = combine ? Exchange::Direction::combine
                                               : Exchange::Direction::dispatch}});
    }
  }
  return rows;
}

/// Columns of tables of PCIe hosts: an engine's one-shot kernel beside NCCL.
std::vector<Measurement> read_host_table(const CsvTable& table, const std::string& name) {
  std::vector<Measurement> rows;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const Bytes bytes{table.number(row, "size_bytes")};
    for (const auto* column : {"oneshot_us", "nccl_us"}) {
      rows.push_back(
          {.id = name + ":" + table.text(row, "system") + ":" + column + ":" + size_text(bytes),
           .system = table.text(row, "system"),
           .run = column,
           .collective = "all_reduce",
           .gpus = static_cast<int>(table.number(row, "gpus")),
           .nodes = 1,
           .bytes = bytes,
           .time_us = table.number(row, column),
           .described = {}});
    }
  }
  return rows;
}

std::vector<Measurement> read_measurements(const std::filesystem::path& file) {
  const auto name = file.filename().string();
  if (const auto text = read_text(file); is_nccl_tests_output(text)) {
    return read_nccl_tests(text, name);
  }
  const auto table = CsvTable::read(file);
  const auto stem = file.stem().string();
  if (table.has_column("time_us_out_of_place")) {
    return read_result_table(table, stem);
  }
  if (table.has_column("num_gpus") && table.has_column("op")) {
    return read_operator_table(table, stem);
  }
  if (table.has_column("dispatch_us") && table.has_column("combine_us")) {
    return read_exchange_table(table, stem);
  }
  if (table.has_column("oneshot_us") && table.has_column("nccl_us")) {
    return read_host_table(table, stem);
  }
  throw InputError::at(file.string(),
                       "is no table of collectives",
                       "output of nccl-tests, or a CSV file with the columns system, gpus, "
                       "nodes, collective, bytes, algo_or_env and time_us_out_of_place");
}

} // namespace

ComparisonReport validate_collectives(const std::filesystem::path& file,
                                      const CollectiveSystem& system) {
  const auto measurements = read_measurements(file);
  ComparisonReport report;
  report.title =
      file.filename().string() + ": " + std::to_string(measurements.size()) + " measurements";
  Systems systems{system};
  for (const auto& one : measurements) {
    report.rows.push_back(systems.compare(one));
  }
  return report;
}

} // namespace decodesim
