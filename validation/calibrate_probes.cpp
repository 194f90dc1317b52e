#include "validation/calibrate_probes.hpp"

#include "sim/data_files.hpp"
#include "sim/error.hpp"
#include "sim/json_reader.hpp"
#include "topologies/machine.hpp"
#include "validation/calibrate_kernels.hpp"
#include "validation/collective_time.hpp"
#include "validation/fit.hpp"
#include "validation/fitted_numbers.hpp"
#include "validation/measure/run_file.hpp"
#include "validation/measure/sample_statistics.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

namespace decodesim {

namespace {

using Json = nlohmann::ordered_json;

constexpr double us = 1e-6;

struct Run {
  std::filesystem::path path;
  RunFile file;

  [[nodiscard]] std::string source() const {
    return "decodesim-probe on " + file.provenance.device + ", " + path.filename().string() +
           (file.provenance.start_utc.empty() ? "" : " of " + file.provenance.start_utc);
  }
};

bool is_kernel(const ProbeResult& probe) {
  return probe.name == "gemm" || probe.name == "attention_decode" || probe.name == "row_kernel";
}

double median_us(const ProbeResult& probe) { return statistics_of(probe.samples_us).median; }

/// What a launch costs the host; nothing without that probe. Graphs are launched ahead by
/// decodesim-measure, so that what theirs cost the host does not show.
std::optional<ParameterFile> launches(const std::vector<Run>& runs) {
  for (const auto& run : runs) {
    for (const auto& probe : run.file.probes) {
      if (probe.name == "launch" && !probe.samples_us.empty() && probe.text("launch") == "eager" &&
          probe.text("kind") == "host") {
        auto file =
            Json::parse(read_text(find_data_file(DataKind::framework, "decodesim-measure")));
        file["eager_launch"] = {{"value", to_four_digits(median_us(probe))},
                                {"unit", "us"},
                                {"kind", "measured"},
                                {"source", run.source()}};
        return ParameterFile{.path = "sim/host/frameworks/decodesim-measure.json",
                             .text = parameter_text(file)};
      }
    }
  }
  return std::nullopt;
}

/// A collective or message among ranks that shared a GPU.
struct LoopbackRow {
  int ranks = 0;
  std::optional<CollectiveKind> kind; ///< nothing: a message
  Bytes total;
  double measured_us = 0;
};

std::vector<LoopbackRow> loopback_rows(const RunFile& run) {
  const std::map<std::string, std::optional<CollectiveKind>> kinds{
      {"all_reduce", CollectiveKind::all_reduce},
      {"all_gather", CollectiveKind::all_gather},
      {"reduce_scatter", CollectiveKind::reduce_scatter},
      {"send_receive", std::nullopt}};
  std::vector<LoopbackRow> rows;
  for (const auto& probe : run.probes) {
    if (probe.name != "collective" || probe.samples_us.empty() || probe.number("mps") == 0 ||
        probe.number("gpus") >= probe.number("ranks")) {
      continue;
    }
    if (const auto kind = kinds.find(probe.text("kind")); kind != kinds.end()) {
      rows.push_back({.ranks = static_cast<int>(probe.number("ranks")),
                      .kind = kind->second,
                      .total = Bytes{static_cast<double>(probe.number("total_bytes"))},
                      .measured_us = median_us(probe)});
    }
  }
  return rows;
}

/// The ranks as a machine, with these numbers for its loopback.
Machine loopback_machine(int ranks, Seconds hop, BytesPerSecond bandwidth) {
  auto machine = find_machine("shared-h200", ranks, "calibrate");
  auto& network = machine.transports.at(Transport::network);
  network.hop.value = hop;
  network.bandwidth.value = bandwidth;
  for (auto& link : machine.links) {
    if (link.kind == LinkKind::network) {
      link.bandwidth.value = bandwidth;
    }
  }
  return machine;
}

class LoopbackFit {
public:
  explicit LoopbackFit(std::vector<LoopbackRow> rows) : rows_{std::move(rows)} {
    fit_ = minimize(
        {{"hop", 20, 0.1, 2000, true}, {"bandwidth", 2, 0.01, 100, true}},
        [this](const auto& values) {
          double cost = 0;
          for (const auto& [model, measured] : times(values)) {
            cost += robust_cost(model, measured);
          }
          return cost;
        },
        400);
  }

  [[nodiscard]] double hop_us() const { return fit_.values[0]; }

  [[nodiscard]] double gbytes_per_s() const { return fit_.values[1]; }

  [[nodiscard]] std::string quality() const {
    std::vector<double> errors;
    for (const auto& [model, measured] : times(fit_.values)) {
      errors.push_back(model / measured - 1);
    }
    return residual_text(errors);
  }

private:
  std::vector<LoopbackRow> rows_;
  Fit fit_;

  /// Modelled and measured time of each row, us.
  [[nodiscard]] std::vector<std::pair<double, double>>
  times(const std::vector<double>& values) const {
    std::map<int, CollectiveBench> benches;
    std::vector<std::pair<double, double>> all;
    for (const auto& row : rows_) {
      if (!benches.contains(row.ranks)) {
        std::vector<int> gpus(static_cast<std::size_t>(row.ranks));
        std::iota(gpus.begin(), gpus.end(), 0);
        benches.try_emplace(
            row.ranks,
            loopback_machine(row.ranks, Seconds{values[0] * us}, BytesPerSecond{values[1] * 1e9}),
            gpus,
            "nccl");
      }
      const auto& bench = benches.at(row.ranks);
      const auto time = row.kind ? bench.time(*row.kind, row.total) : bench.message(row.total);
      all.emplace_back(time.value() / us, row.measured_us);
    }
    return all;
  }
};

std::optional<ParameterFile> loopback(const std::vector<Run>& runs) {
  std::vector<LoopbackRow> rows;
  std::string source;
  for (const auto& run : runs) {
    const auto more = loopback_rows(run.file);
    if (!more.empty()) {
      source += (source.empty() ? "" : "; ") + run.source();
      rows.insert(rows.end(), more.begin(), more.end());
    }
  }
  constexpr std::size_t least_rows = 6;
  if (rows.size() < least_rows) {
    return std::nullopt;
  }
  const LoopbackFit fit{std::move(rows)};
  const auto number = [text = source + ": " + fit.quality()](double value, const char* unit) {
    return Json{
        {"value", to_four_digits(value)}, {"unit", unit}, {"kind", "fitted"}, {"source", text}};
  };
  auto file = Json::parse(read_text(find_data_file(DataKind::network, "loopback")));
  file["bandwidth"] = file["transport"]["bandwidth"] = number(fit.gbytes_per_s(), "GB/s");
  file["transport"]["hop"] = number(fit.hop_us(), "us");
  return ParameterFile{.path = "topologies/networks/loopback.json", .text = parameter_text(file)};
}

} // namespace

std::vector<ParameterFile> calibrate_probes(const std::vector<std::filesystem::path>& files,
                                            const std::string& gpu_name) {
  std::vector<Run> runs;
  std::vector<std::filesystem::path> with_kernels;
  for (const auto& path : files) {
    runs.push_back({path, read_run_file(path)});
    const auto& run = runs.back();
    if (run.file.kind != "probes") {
      throw InputError::at(path.filename().string(),
                           "is a run of kind \"" + run.file.kind + "\"",
                           "give a run of probes");
    }
    if (std::any_of(run.file.probes.begin(), run.file.probes.end(), is_kernel)) {
      with_kernels.push_back(path);
    }
    if (run.file.provenance.device != runs.front().file.provenance.device) {
      throw InputError::at(path.filename().string(),
                           "is of a " + run.file.provenance.device,
                           "all files are to be of one GPU: " +
                               runs.front().file.provenance.device);
    }
  }
  std::vector<ParameterFile> written;
  if (!with_kernels.empty()) {
    written.push_back(calibrate_kernels_to_probes(with_kernels, gpu_name));
  }
  for (auto& file : {launches(runs), loopback(runs)}) {
    if (file) {
      written.push_back(*file);
    }
  }
  if (written.empty()) {
    throw InputError::at(files.front().filename().string(),
                         "has nothing that parameters follow from",
                         "give probes of kernels, launches, or of collectives among ranks that "
                         "share a GPU under MPS");
  }
  return written;
}

} // namespace decodesim
