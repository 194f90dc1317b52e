/// Writes the sample timeline and what is in it into a folder:
/// trace.json, contents.json, ranks/rank_*.json.

#include "sim/atomic_file.hpp"
#include "tests/support/sample_timeline.hpp"
#include "traces/chrome_trace.hpp"
#include "traces/rank_traces.hpp"

#include <nlohmann/json.hpp>

#include <exception>
#include <filesystem>
#include <iostream>

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: " << arguments[0] << " FOLDER\n";
    return 2;
  }
  try {
    const std::filesystem::path folder = arguments[1];
    const auto [plan, timeline] = decodesim::sample_timeline();
    const auto contents = decodesim::write_chrome_trace(folder / "trace.json", plan, timeline);
    const nlohmann::json counts{{"spans", contents.spans},
                                {"arrows", contents.arrows},
                                {"counter_samples", contents.counter_samples}};
    decodesim::write_file(folder / "contents.json", counts.dump() + "\n");
    (void)decodesim::write_rank_traces(folder / "ranks", plan, timeline);
  } catch (const std::exception& problem) {
    std::cerr << problem.what() << '\n';
    return 1;
  }
  return 0;
}
