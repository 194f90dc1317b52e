#include "sim/result/text_report.hpp"

#include "sim/result/human_numbers.hpp"
#include "sim/result/table.hpp"
#include "sim/scenario/scenario_json.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

namespace decodesim {

namespace {

constexpr const char* unknown = "-";

bool is_ok(const LayoutResult& result) { return result.status == Status::ok; }

Style style_of(Status status) {
  return status == Status::ok             ? Style::good
         : status == Status::does_not_fit ? Style::caution
                                          : Style::bad;
}

std::string percent(double ratio) {
  // A share that rounds to nothing from below is nothing.
  return fixed(std::abs(ratio) < 5e-4 ? 0.0 : 100.0 * ratio, 1);
}

double per_gpu(const LayoutResult& result, double total) {
  return result.gpus > 0 ? total / result.gpus : total;
}

std::optional<double> rate_per_user(const LayoutResult& result) {
  return result.tpot_s && *result.tpot_s > 0.0 ? std::optional{1.0 / *result.tpot_s} : std::nullopt;
}

std::string plural(int count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

// ------------------------------------------------------------------------------ what was asked

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

// --------------------------------------------------------------------------- several: two tables

/// A column of numbers, one per result, with equally many digits after the point.
class Numbers {
public:
  using Get = std::function<std::optional<double>(const LayoutResult&)>;

  Numbers(const Report& report, Get get) : get_{std::move(get)} {
    std::vector<double> values;
    for (const LayoutResult& result : report.results) {
      if (const auto value = get_(result)) {
        values.push_back(*value);
      }
    }
    decimals_ = decimals_for(values);
  }

  [[nodiscard]] Table::Cell operator()(const LayoutResult& result) const {
    const auto value = get_(result);
    return {value ? fixed(*value, decimals_) : unknown};
  }

private:
  Get get_;
  int decimals_ = 0;
};

Numbers memory_column(const Report& report, Bytes (*part)(const MemoryUse&)) {
  return {report, [part](const LayoutResult& result) {
            return result.memory ? std::optional{gib(part(*result.memory))} : std::nullopt;
          }};
}

Numbers ok_column(const Report& report, std::optional<double> (*get)(const LayoutResult&)) {
  return {report,
          [get](const LayoutResult& result) { return is_ok(result) ? get(result) : std::nullopt; }};
}

std::optional<double> best_tpot(const Report& report) {
  std::optional<double> best;
  for (const LayoutResult& result : report.results) {
    if (is_ok(result) && result.tpot_s && (!best || *result.tpot_s < *best)) {
      best = result.tpot_s;
    }
  }
  return best;
}

std::optional<Bytes> common_capacity(const Report& report) {
  std::optional<Bytes> common;
  for (const LayoutResult& result : report.results) {
    if (result.memory) {
      if (common && *common != result.memory->capacity) {
        return std::nullopt;
      }
      common = result.memory->capacity;
    }
  }
  return common;
}

Table speed_table(const Report& report) {
  const auto capacity = common_capacity(report);
  const std::string memory =
      capacity ? "GiB per GPU, " + fixed(gib(*capacity), 1) + " usable" : "GiB per GPU";
  Table table;
  const std::string latency = "latency (ms)";
  const std::string rate = "output tokens/s";
  table.columns = {{"layout", "", false},
                   {"GPUs", ""},
                   {"weights", memory, true, "weights (GiB per GPU)"},
                   {"KV", memory, true, "KV cache (GiB)"},
                   {"total", memory, true, "total (GiB)"},
                   {"fits", memory, false},
                   {"TTFT", latency, true, "TTFT (ms)"},
                   {"TPOT", latency, true, "TPOT (ms)"},
                   {"x best", latency, true, "x best TPOT"},
                   {"all", rate, true, "output tokens/s"},
                   {"per GPU", rate},
                   {"per user", rate}};
  if (capacity) {
    table.columns[4].alone += " of " + fixed(gib(*capacity), 1);
  } else {
    table.columns.insert(table.columns.begin() + 5, {"usable", memory, true, "usable (GiB)"});
  }
  const auto weights = memory_column(report, [](const MemoryUse& m) { return m.weights; });
  const auto cache = memory_column(report, [](const MemoryUse& m) { return m.kv_cache; });
  const auto total = memory_column(report, [](const MemoryUse& m) { return m.total(); });
  const auto usable = memory_column(report, [](const MemoryUse& m) { return m.capacity; });
  const auto ttft =
      ok_column(report, [](const LayoutResult& r) { return std::optional{1e3 * r.ttft_s}; });
  const auto tpot = ok_column(report, [](const LayoutResult& r) {
    return r.tpot_s ? std::optional{1e3 * *r.tpot_s} : std::nullopt;
  });
  const auto all =
      ok_column(report, [](const LayoutResult& r) { return std::optional{r.tokens_per_s}; });
  const auto each = ok_column(
      report, [](const LayoutResult& r) { return std::optional{per_gpu(r, r.tokens_per_s)}; });
  const auto user = ok_column(report, rate_per_user);
  const auto best = best_tpot(report);

  for (const LayoutResult& result : report.results) {
    const Style style = style_of(result.status);
    auto& row = table.rows.emplace_back();
    row = {{result.tag}, {std::to_string(result.gpus)}};
    if (!result.memory) {
      row.push_back({result.reason, style, true});
      continue;
    }
    row.insert(row.end(), {weights(result), cache(result), total(result)});
    if (!capacity) {
      row.push_back(usable(result));
    }
    row.push_back({result.status == Status::does_not_fit ? "no" : "yes", style});
    if (!is_ok(result)) {
      row.push_back({result.reason, style, true});
      continue;
    }
    row.insert(row.end(), {ttft(result), tpot(result)});
    const bool is_best = best && result.tpot_s == best;
    row.push_back(
        {best && result.tpot_s && *best > 0.0 ? fixed(*result.tpot_s / *best, 2) : unknown,
         is_best ? Style::good : Style::plain});
    row.insert(row.end(), {all(result), each(result), user(result)});
  }
  return table;
}

Table time_table(const Report& report) {
  Table table;
  const std::string bytes = "bytes per step";
  const std::string time = "% of GPU time in decode";
  table.columns = {{"layout", "", false},
                   {"of tensors", bytes, true, "bytes of tensors per step"},
                   {"received per GPU", bytes},
                   {"compute", time, true, "compute (% of GPU time in decode)"},
                   {"exposed comm.", time, true, "exposed communication (%)"},
                   {"late members", time, true, "late members (%)"},
                   {"bubble", time, true, "bubble (%)"},
                   {"other", time, true, "other (%)"}};
  for (const LayoutResult& result : report.results) {
    if (!is_ok(result) || !result.tpot_s) {
      continue; // the first table says why
    }
    const Breakdown& shares = result.breakdown;
    table.rows.push_back(
        {{result.tag},
         {traffic_text(result.traffic.tensor)},
         {traffic_text(Bytes{per_gpu(result, result.traffic.received_sum.value())})},
         {percent(shares.compute_ratio)},
         {percent(shares.communication_ratio)},
         {percent(shares.waiting_ratio - result.bubble_ratio)},
         {percent(result.bubble_ratio)},
         {percent(shares.other_ratio)}});
  }
  return table;
}

// ----------------------------------------------------------------------------- one: a summary

/// One line of a summary; an empty label stands for an empty line.
struct Line {
  std::string label;
  std::string value;
  std::string note;
  bool indented = false;
};

void add_share(std::vector<Line>& lines, const std::string& label, double ratio, bool part) {
  constexpr double bar_length = 30.0;
  const auto length = static_cast<std::size_t>(std::lround(bar_length * std::max(ratio, 0.0)));
  lines.push_back({label, percent(ratio) + " %", std::string(length, '#'), part});
}

std::vector<Line> memory_lines(const MemoryUse& memory, const std::optional<ExpertUse>& experts) {
  const auto text = [](Bytes bytes) { return fixed(gib(bytes), 2) + " GiB"; };
  std::vector<Line> lines{
      {"memory per GPU", text(memory.total()), "of " + text(memory.capacity) + " usable", false},
      {"weights",
       text(memory.weights),
       experts ? text(experts->weights) + " of them experts'" : "",
       true},
      {"KV cache", text(memory.kv_cache), "at its longest", true},
      {"activations", text(memory.activations), "", true}};
  if (memory.buffers.value() > 0.0) {
    lines.push_back({"gathered weights", text(memory.buffers), "", true});
  }
  return lines;
}

std::vector<Line> speed_lines(const LayoutResult& result) {
  const auto rate = [](double value) { return rounded(value) + " /s"; };
  std::vector<Line> lines{
      {"TTFT", duration_text(Seconds{result.ttft_s}), "until every sequence has its first token"},
      {"TPOT",
       result.tpot_s ? duration_text(Seconds{*result.tpot_s}) : unknown,
       "between two tokens of a sequence"},
      {"end to end", duration_text(Seconds{result.end_to_end_s}), ""},
      {"output tokens", rate(result.tokens_per_s), "all sequences"},
      {"per GPU", rate(per_gpu(result, result.tokens_per_s)), "", true}};
  if (const auto user = rate_per_user(result)) {
    lines.push_back({"per user", rate(*user), "1 / TPOT", true});
  }
  return lines;
}

std::vector<Line> time_lines(const LayoutResult& result) {
  const Breakdown& shares = result.breakdown;
  std::vector<Line> lines{{"GPU time in decode", "100 %", ""}};
  add_share(lines, "compute", shares.compute_ratio, true);
  add_share(lines, "exposed communication", shares.communication_ratio, true);
  add_share(lines, "waiting for late members", shares.waiting_ratio - result.bubble_ratio, true);
  add_share(lines, "pipeline bubble", result.bubble_ratio, true);
  add_share(lines, "other (launch gaps)", shares.other_ratio, true);
  return lines;
}

std::vector<Line> traffic_lines(const LayoutResult& result) {
  const Traffic& traffic = result.traffic;
  std::vector<Line> lines{{"bytes per step", traffic_text(traffic.tensor), "of tensors"},
                          {"received per GPU",
                           traffic_text(Bytes{per_gpu(result, traffic.received_sum.value())}),
                           "mean",
                           true}};
  if (!result.links.empty()) {
    const LinkUse& busiest = result.links.front();
    lines.push_back(
        {"busiest link", percent(busiest.utilisation_ratio) + " %", busiest.name, true});
  }
  return lines;
}

std::vector<Line> expert_lines(const ExpertUse& experts) {
  std::vector<Line> lines{
      {"experts hit", rounded(experts.hit), "of a layer in a pass, mean"},
      {"busiest GPU", fixed(experts.busiest_ratio, 2) + " x", "the mean rows of experts", true}};
  if (experts.exchanged.value() > 0) {
    lines.push_back({"exchanged per step",
                     traffic_text(experts.exchanged),
                     "rows of dispatch and combine",
                     true});
  }
  return lines;
}

std::vector<Line> summary_lines(const LayoutResult& result) {
  std::vector<Line> lines;
  const auto append = [&](const std::vector<Line>& block) {
    if (!lines.empty()) {
      lines.push_back({});
    }
    lines.insert(lines.end(), block.begin(), block.end());
  };
  if (is_ok(result)) {
    append(speed_lines(result));
  }
  if (result.memory) {
    append(memory_lines(*result.memory, result.experts));
  }
  if (is_ok(result) && result.tpot_s) {
    append(traffic_lines(result));
    if (result.experts) {
      append(expert_lines(*result.experts));
    }
    append(time_lines(result));
  }
  return lines;
}

std::string headline(const LayoutResult& result) {
  return result.tag + " on " + plural(result.gpus, "GPU");
}

std::string verdict(const LayoutResult& result) {
  return (result.status == Status::does_not_fit ? "does not fit: " : "cannot run: ") +
         result.reason;
}

std::string summary_text(const LayoutResult& result, bool colour) {
  const auto in_style = [&](const std::string& text, Style style) {
    return colour ? styled(text, style) : text;
  };
  std::string out = in_style(headline(result), Style::bold) + "\n";
  if (!is_ok(result)) {
    out += in_style(verdict(result), style_of(result.status)) + "\n";
  }
  const auto lines = summary_lines(result);
  std::size_t label_width = 0;
  std::size_t value_width = 0;
  for (const Line& line : lines) {
    label_width = std::max(label_width, display_width(line.label) + (line.indented ? 2 : 0));
    value_width = std::max(value_width, display_width(line.value));
  }
  if (!lines.empty()) {
    out += "\n";
  }
  for (const Line& line : lines) {
    if (line.label.empty()) {
      out += "\n";
      continue;
    }
    const std::string label = (line.indented ? "  " : "") + line.label;
    out += label + std::string(label_width - display_width(label) + 2, ' ');
    out += std::string(value_width - display_width(line.value), ' ') + line.value;
    out += line.note.empty() ? "\n" : "  " + in_style(line.note, Style::dim) + "\n";
  }
  return out;
}

std::string summary_markdown(const LayoutResult& result) {
  std::string out = "**" + headline(result) + "**\n\n";
  if (!is_ok(result)) {
    out += verdict(result) + "\n\n";
  }
  Table table;
  table.columns = {{"quantity", "", false}, {"value"}, {"", "", false}};
  for (const Line& line : summary_lines(result)) {
    if (!line.label.empty()) {
      const bool bar = line.note.find_first_not_of('#') == std::string::npos;
      table.rows.push_back(
          {{(line.indented ? "- " : "") + line.label}, {line.value}, {bar ? "" : line.note}});
    }
  }
  return table.rows.empty() ? out : out + to_markdown(table) + "\n";
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
    out += summary_text(report.results.front(), colour);
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
    out += summary_markdown(report.results.front());
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
