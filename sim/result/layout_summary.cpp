#include "sim/result/layout_summary.hpp"

#include "sim/result/result_words.hpp"

#include <algorithm>
#include <vector>

namespace decodesim {

namespace {

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

} // namespace

std::string layout_summary_text(const LayoutResult& result, bool colour) {
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

std::string layout_summary_markdown(const LayoutResult& result) {
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

} // namespace decodesim
