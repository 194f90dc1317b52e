#include "sim/result/format.hpp"

#include "sim/error.hpp"
#include "sim/result/csv_report.hpp"
#include "sim/result/json_report.hpp"
#include "sim/result/text_report.hpp"

#include <array>
#include <cmath>
#include <utility>

namespace decodesim {

namespace {

constexpr std::array<std::pair<OutputFormat, const char*>, 4> names{
    {{OutputFormat::text, "text"},
     {OutputFormat::markdown, "markdown"},
     {OutputFormat::csv, "csv"},
     {OutputFormat::json, "json"}}};

void require_finite(const LayoutResult& result, const char* what, double value) {
  if (!std::isfinite(value)) {
    throw SimulationError{"result of " + result.tag + ": " + what + " is not finite"};
  }
}

void check(const LayoutResult& result) {
  // Sums of hundreds of thousands of spans differ from the whole by their rounding.
  constexpr double tolerance = 1e-6;
  if (result.status != Status::ok) {
    return;
  }
  require_finite(result, "ttft_s", result.ttft_s);
  require_finite(result, "end_to_end_s", result.end_to_end_s);
  require_finite(result, "tokens_per_s", result.tokens_per_s);
  if (!result.tpot_s) {
    return; // no decode, no shares of it
  }
  require_finite(result, "tpot_s", *result.tpot_s);
  const Breakdown& shares = result.breakdown;
  const double sum =
      shares.compute_ratio + shares.communication_ratio + shares.waiting_ratio + shares.other_ratio;
  if (!(std::abs(sum - 1.0) <= tolerance)) {
    throw SimulationError{"result of " + result.tag + ": the shares of time add up to " +
                          std::to_string(sum) + " instead of 1"};
  }
  if (!(result.bubble_ratio >= 0.0 && result.bubble_ratio <= shares.waiting_ratio + tolerance)) {
    throw SimulationError{"result of " + result.tag + ": bubbles take " +
                          std::to_string(result.bubble_ratio) + " of the time and all waiting " +
                          std::to_string(shares.waiting_ratio)};
  }
}

} // namespace

std::vector<std::string> output_format_names() {
  std::vector<std::string> all;
  for (const auto& entry : names) {
    all.emplace_back(entry.second);
  }
  return all;
}

OutputFormat output_format_named(std::string_view name, std::string_view where) {
  for (const auto& [format, known] : names) {
    if (name == known) {
      return format;
    }
  }
  throw InputError::unknown_name(where, "format", name, output_format_names());
}

void check(const Report& report) {
  for (const LayoutResult& result : report.results) {
    check(result);
  }
}

std::string render(const Report& report, OutputFormat format, bool colour) {
  check(report);
  switch (format) {
  case OutputFormat::text:
    return text_report(report, colour);
  case OutputFormat::markdown:
    return markdown_report(report);
  case OutputFormat::csv:
    return csv_report(report);
  case OutputFormat::json:
    return json_report(report);
  }
  return {};
}

} // namespace decodesim
