#include "sim/result/text_report.hpp"

#include "sim/result/layout_summary.hpp"
#include "sim/result/layout_tables.hpp"
#include "sim/result/result_words.hpp"
#include "sim/scenario/scenario_json.hpp"

#include <algorithm>

namespace decodesim {

namespace {

/// "zipf:1.2 routing (seed 1), round-robin experts, 2 copied, all-gather exchange"
std::string expert_settings(const ExpertSettings& experts) {
  const ExpertSettings usual;
  std::string text = experts.routing + " routing (seed " + std::to_string(experts.seed) + ")";
  if (experts.placement != usual.placement) {
    text += ", " + to_string(experts.placement) + " experts";
  }
  if (experts.copies > 0) {
    text += ", " + std::to_string(experts.copies) + " copied";
  }
  if (experts.exchange != usual.exchange) {
    text += ", " + to_string(experts.exchange) + " exchange";
  }
  return text;
}

std::vector<std::string> scenario_lines(const Report& report) {
  const Scenario& scenario = report.scenario;
  const Workload& work = scenario.workload;
  std::string settings =
      scenario.collectives + " collectives, " + to_string(scenario.launch) + " launch";
  if (scenario.framework.name != "none") {
    settings += ", framework " + scenario.framework.name;
  }
  if (scenario.ring_order == RingOrder::ranks) {
    settings += ", rings in the order of ranks";
  }
  if (scenario.mapping != Scenario{}.mapping) {
    settings += ", mapping " + scenario.mapping;
  }
  if (std::any_of(report.results.begin(), report.results.end(), [](const auto& result) {
        return result.experts.has_value();
      })) {
    settings += "; " + expert_settings(work.experts);
  }
  return {scenario.model + " on " + scenario.machine +
              (scenario.nodes > 1 ? ", " + plural(scenario.nodes, "node") : "") +
              (scenario.nodes > 1 && scenario.fabric != Fabric{} ? ", " + to_string(scenario.fabric)
                                                                 : ""),
          "batch " + std::to_string(work.batch_size) + ", " + std::to_string(work.input_tokens) +
              " tokens in, " + std::to_string(work.output_tokens) + " out; " +
              to_string(work.precision.weights) + " weights, " +
              (work.precision.experts ? to_string(*work.precision.experts) + " experts, " : "") +
              to_string(work.precision.kv_cache) + " KV cache; " + settings};
}

// ----------------------------------------------------------------------------------- the notes

/// "gpu X: NAME = VALUE", without the reasons, which JSON results and `describe` have.
std::vector<std::string> assumptions(const Report& report) {
  std::vector<std::string> all;
  for (const LayoutResult& result : report.results) {
    for (const std::string& one : result.assumed) {
      const std::string number = one.substr(0, one.find(" ("));
      if (std::find(all.begin(), all.end(), number) == all.end()) {
        all.push_back(number);
      }
    }
  }
  return all;
}

bool pipelines_micro_batches(const LayoutResult& result) {
  return result.layout.pp > 1 &&
         (result.layout.schedule == "gpipe" || result.layout.schedule == "1f1b");
}

std::vector<std::string> pipeline_note() {
  return {"Each micro-batch reads the weights of its stage again. Where reading them is what takes",
          "the time (small batches), GPipe therefore has a longer TPOT than the naive pipeline at",
          "the same batch, and 1F1B the same. A pipeline gains throughput only when micro-batches",
          "keep their size."};
}

/// Which results rest on some of their decode steps.
std::vector<std::string> interpolation_notes(const Report& report) {
  std::vector<std::string> notes;
  const int steps = report.scenario.workload.decode_steps();
  for (const auto& result : report.results) {
    if (is_ok(result) && result.simulated_steps > 0 && result.simulated_steps < steps) {
      notes.push_back(result.tag + ": " + std::to_string(result.simulated_steps) + " of " +
                      std::to_string(steps) +
                      " decode steps simulated, the others interpolated (--every-token: all)");
    }
  }
  return notes;
}

} // namespace

std::string text_report(const Report& report, bool colour) {
  std::string out;
  for (const std::string& line : scenario_lines(report)) {
    out += line + "\n";
  }
  out += "\n";
  if (report.results.size() == 1 && !report.compares) {
    out += layout_summary_text(report.results.front(), colour);
  } else {
    out += to_text(speed_table(report), colour);
    if (const Table times = time_table(report); !times.rows.empty()) {
      out += "\n" + to_text(times, colour);
    }
  }
  if (std::any_of(report.results.begin(), report.results.end(), pipelines_micro_batches)) {
    out += "\n";
    for (const std::string& line : pipeline_note()) {
      out += line + "\n";
    }
  }
  if (const auto notes = interpolation_notes(report); !notes.empty()) {
    out += "\n";
    for (const std::string& one : notes) {
      out += one + "\n";
    }
  }
  if (const auto assumed = assumptions(report); !assumed.empty()) {
    out += "\nAssumed, not measured or published (reasons: decodesim describe NAME):\n";
    for (const std::string& one : assumed) {
      out += "  " + one + "\n";
    }
  }
  return out;
}

std::string markdown_report(const Report& report) {
  std::string out;
  for (const std::string& line : scenario_lines(report)) {
    out += line + "\n\n";
  }
  if (report.results.size() == 1 && !report.compares) {
    out += layout_summary_markdown(report.results.front());
  } else {
    out += to_markdown(speed_table(report)) + "\n";
    if (const Table times = time_table(report); !times.rows.empty()) {
      out += to_markdown(times) + "\n";
    }
  }
  if (std::any_of(report.results.begin(), report.results.end(), pipelines_micro_batches)) {
    for (const std::string& line : pipeline_note()) {
      out += line + "\n";
    }
    out += "\n";
  }
  for (const std::string& one : interpolation_notes(report)) {
    out += one + "\n\n";
  }
  if (const auto assumed = assumptions(report); !assumed.empty()) {
    out += "Assumed, not measured or published (reasons: `decodesim describe NAME`):\n\n";
    for (const std::string& one : assumed) {
      out += "- " + one + "\n";
    }
    out += "\n";
  }
  out.pop_back();
  return out;
}

} // namespace decodesim
