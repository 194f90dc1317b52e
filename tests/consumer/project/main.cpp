#include "sim/cli/command_line.hpp"
#include "sim/data_files.hpp"
#include "sim/model/hf_config.hpp"
#include "sim/result/run.hpp"

#include <cmath>
#include <cstdlib>
#include <iostream>

namespace {

void require(bool condition, const std::string& what) {
  if (!condition) {
    std::cerr << "consumer: not so: " << what << '\n';
    std::exit(1);
  }
}

/// Runs a scenario of both strategies through the API.
/// @param data_root  where the installed data must be found
void run_a_scenario(const std::filesystem::path& data_root) {
  using namespace decodesim;
  const auto machine = find_data_file(DataKind::machine, "dgx-a100-80g");
  require(machine.string().starts_with(std::filesystem::canonical(data_root).string() + "/"),
          machine.string() + " is below " + data_root.string());

  Scenario scenario{.model = "llama-3-8b",
                    .machine = "dgx-a100-80g",
                    .workload = {.batch_size = 2, .input_tokens = 64, .output_tokens = 4},
                    .layouts = {Layout{.strategy = "tp", .tp = 4},
                                Layout{.strategy = "parallel-block", .tp = 4}}};
  const auto report = run_scenario(scenario);
  require(report.results.size() == 2, "there are two results");
  const auto& tp = report.results[0];
  const auto& block = report.results[1];
  require(tp.status == Status::ok && block.status == Status::ok, "both strategies run");
  require(block.tag == "parallel-block4", "the tag \"" + block.tag + "\" is parallel-block4");

  // One all-reduce of 2 sequences x 4096 x 2 bytes a layer less, in 32 layers.
  const auto saved = tp.traffic.tensor - block.traffic.tensor;
  require(std::abs(saved.value() - 32.0 * 2 * 4096 * 2) < 0.5, "each layer saves one all-reduce");
  require(*block.tpot_s < *tp.tpot_s, "fewer all-reduces take less time");

  // In this process, twice: the same plan takes the same time.
  const auto once = run_layout(scenario, scenario.layouts[1]);
  const auto again = run_layout(scenario, scenario.layouts[1]);
  require(std::abs(*once.tpot_s / *block.tpot_s - 1) < 1e-9,
          "a process of its own changes nothing");
  require(std::abs(*again.tpot_s / *once.tpot_s - 1) < 1e-9, "a second run changes nothing");
  std::cout << "tp4 " << *tp.tpot_s << " s, parallel-block4 " << *block.tpot_s << " s a token\n";
}

} // namespace

int main(int argc, char** argv) {
  if (argc == 2) {
    run_a_scenario(argv[1]);
    return 0;
  }
  return decodesim::command_line(argc, argv);
}
