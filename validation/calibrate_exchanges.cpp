#include "validation/calibrate_exchanges.hpp"

#include "sim/data_files.hpp"
#include "topologies/machine.hpp"
#include "validation/collective_systems.hpp"
#include "validation/csv_table.hpp"
#include "validation/fit.hpp"
#include "validation/fitted_numbers.hpp"

#include <algorithm>
#include <string>

namespace decodesim {

namespace {

struct Row {
  double members = 0;
  double moved = 0; ///< bytes that a GPU sends
  double measured_us = 0;
};

struct DeviceFit {
  std::string transport;
  Transport kind = Transport::nvlink;
  std::string compute_capability;
  std::vector<std::string> systems;
};

const std::vector<DeviceFit> nccl_devices{
    {"nvlink", Transport::nvlink, "8.0", {"a100_sxm"}},
    {"nvlink", Transport::nvlink, "9.0", {"h100_sxm", "h200_sxm"}},
    {"host_memory", Transport::host_memory, "12.0", {"rtx_pro_6000_server"}}};
const DeviceFit deepep_device{"nvlink", Transport::nvlink, "9.0", {"h100_sxm", "h200_sxm"}};

CsvTable table_of(const std::string& file) {
  return CsvTable::read(data_root() / "validation" / "data" / "collectives-fit" / file);
}

bool is_one_of(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<Row> all_to_all(const DeviceFit& device, const CsvTable& table) {
  std::vector<Row> rows;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    if (is_one_of(device.systems, table.text(row, "system")) &&
        table.text(row, "op") == "alltoall" && table.text(row, "dtype") == "half") {
      const double n = table.number(row, "num_gpus");
      rows.push_back({.members = n,
                      .moved = table.number(row, "size_bytes") * (n - 1.0) / n,
                      .measured_us = table.number(row, "latency_us")});
    }
  }
  return rows;
}

/// A copy for each expert of a token that is on another GPU. Dispatch: a byte per element and four
/// for each 128 of them; combine: two bytes.
std::vector<Row> low_latency(const CsvTable& table, bool combine) {
  constexpr double least_experts = 4;
  std::vector<Row> rows;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const double n = table.number(row, "ranks");
    const double experts = table.number(row, "topk");
    if (experts < least_experts) {
      continue;
    }
    const double element = combine ? 2.0 : 1.0 + 4.0 / 128.0;
    rows.push_back({.members = n,
                    .moved = table.number(row, "num_token") * experts *
                             table.number(row, "hidden") * element * (n - 1.0) / n,
                    .measured_us = table.number(row, combine ? "combine_us" : "dispatch_us")});
  }
  return rows;
}

std::string cost_text(const std::string& name,
                      const std::vector<Row>& rows,
                      double bandwidth,
                      const std::string& source,
                      const std::string& more) {
  const bool one_size = std::all_of(
      rows.begin(), rows.end(), [&](const Row& row) { return row.members == rows[0].members; });
  std::vector<FitParameter> parameters{
      {"base", 10.0, 0.1, 100.0, true},
      {"bandwidth", bandwidth / 2, bandwidth / 20, bandwidth * 5, true}};
  if (!one_size) {
    parameters.push_back({"per_peer", 0.2, 1e-4, 20.0, true});
  }
  const auto time_us = [&](const std::vector<double>& at, const Row& row) {
    return at[0] + (one_size ? 0.0 : at[2]) * (row.members - 1.0) + row.moved / (at[1] * 1e3);
  };
  constexpr int most_evaluations = 4000;
  const auto found = minimize(
      parameters,
      [&](const std::vector<double>& at) {
        double sum = 0;
        for (const auto& row : rows) {
          sum += robust_cost(time_us(at, row), row.measured_us);
        }
        return sum;
      },
      most_evaluations);
  std::vector<double> errors;
  for (const auto& row : rows) {
    errors.push_back(time_us(found.values, row) / row.measured_us - 1.0);
  }
  return "      \"" + name + "\": {\n        \"residuals\": \"" + residual_text(errors) +
         "\",\n        " + fitted_number("base", found.values[0], "us", source) + ",\n        " +
         fitted_number("per_peer", one_size ? 0.0 : found.values[2], "us", source) + ",\n        " +
         fitted_number("bandwidth", found.values[1], "GB/s", source) + more + "\n      }";
}

double machine_bandwidth(const DeviceFit& device) {
  const auto system = find_system(device.systems.front(), "").value();
  const auto machine = find_machine(system.machine, 1, device.systems.front());
  return machine.transports.at(device.kind).bandwidth.value.value() / 1e9;
}

std::string
device_text(const DeviceFit& device, const std::string& dispatch, const std::string& combine) {
  return "    {\n      \"transport\": \"" + device.transport +
         "\",\n      \"compute_capability\": \"" + device.compute_capability + "\",\n      " +
         fitted_number("machine_bandwidth",
                       machine_bandwidth(device),
                       "GB/s",
                       "of the machine that was fitted on") +
         ",\n" + dispatch + ",\n" + combine + "\n    }";
}

ParameterFile file_of(const std::string& name,
                      const std::string& summary,
                      bool copies,
                      const std::string& devices) {
  return {.path = "sim/network/custom/fits/exchange-" + name + ".json",
          .text = "{\n  \"format_version\": 1,\n  \"name\": \"exchange-" + name +
                  "\",\n  \"summary\": \"" + summary + "\",\n  \"a_copy_for_each_expert\": " +
                  (copies ? "true" : "false") + ",\n  \"kernels\": [\n" + devices + "\n  ]\n}\n"};
}

} // namespace

std::vector<ParameterFile> calibrate_exchanges() {
  const auto nccl = table_of("aic_nccl.csv");
  const std::string source = "fit to nccl-tests tables of aiconfigurator, commit 095f58a: alltoall";
  std::string devices;
  for (const auto& device : nccl_devices) {
    const auto rows = all_to_all(device, nccl);
    const double bandwidth = machine_bandwidth(device);
    devices += devices.empty() ? "" : ",\n";
    devices += device_text(device,
                           cost_text("dispatch", rows, bandwidth, source, ""),
                           cost_text("combine", rows, bandwidth, source, ""));
  }
  std::vector<ParameterFile> files{
      file_of("nccl", "NCCL's grouped sends and receives", false, devices)};

  const auto deepep = table_of("aic_deepep_ll.csv");
  const std::string from =
      "fit to tables of aiconfigurator, commit 095f58a: DeepEP in SGLang 0.5.12, 8 GPUs";
  const double bandwidth = machine_bandwidth(deepep_device);
  const std::string eight_bits =
      ",\n        \"bytes_ratio\": {\"value\": 0.5156, \"unit\": \"ratio\", \"kind\": "
      "\"published\", "
      "\"source\": \"DeepEP README: tokens are dispatched in FP8, with a scale of 4 B for each 128 "
      "elements, in place of 16 bits\"}";
  files.push_back(file_of(
      "deepep-ll",
      "DeepEP's low-latency kernels",
      true,
      device_text(deepep_device,
                  cost_text("dispatch", low_latency(deepep, false), bandwidth, from, eight_bits),
                  cost_text("combine", low_latency(deepep, true), bandwidth, from, ""))));
  return files;
}

} // namespace decodesim
