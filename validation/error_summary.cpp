#include "validation/error_summary.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace decodesim {

namespace {

/// Smallest value that at least `share` of the values do not exceed; of an even number of values
/// the median is the mean of the middle two.
double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const auto count = values.size();
  if (share == 0.5 && count % 2 == 0) {
    return 0.5 * (values[count / 2 - 1] + values[count / 2]);
  }
  const auto index = static_cast<std::size_t>(std::ceil(share * static_cast<double>(count)));
  return values[std::max<std::size_t>(index, 1) - 1];
}

std::optional<double> predicted(const Comparison& row, Prediction prediction) {
  switch (prediction) {
  case Prediction::roofline:
    return row.roofline;
  case Prediction::bandwidth_only:
    return row.bandwidth_only;
  case Prediction::simulated:
    break;
  }
  return row.simulated;
}

} // namespace

std::string_view to_string(CaseStatus status) {
  switch (status) {
  case CaseStatus::not_supported:
    return "not_supported";
  case CaseStatus::does_not_fit:
    return "does_not_fit";
  case CaseStatus::invalid:
    return "invalid";
  case CaseStatus::ok:
    break;
  }
  return "ok";
}

std::optional<double> Comparison::error_ratio() const {
  if (!simulated || measured == 0) {
    return std::nullopt;
  }
  return *simulated / measured - 1;
}

ErrorSummary summarize(const std::vector<Comparison>& rows, Prediction prediction) {
  ErrorSummary summary;
  std::vector<double> sizes;
  for (const auto& row : rows) {
    const auto value = predicted(row, prediction);
    if (!value || row.measured == 0) {
      ++summary.not_simulated;
      continue;
    }
    const double error = *value / row.measured - 1;
    sizes.push_back(std::abs(error));
    summary.mean_absolute += std::abs(error);
    summary.bias += error;
    if (summary.worst_id.empty() || std::abs(error) > std::abs(summary.worst)) {
      summary.worst = error;
      summary.worst_id = row.id;
    }
  }
  summary.count = static_cast<int>(sizes.size());
  if (summary.count == 0) {
    return summary;
  }
  summary.mean_absolute /= summary.count;
  summary.bias /= summary.count;
  summary.median_absolute = quantile(sizes, 0.5);
  summary.p90_absolute = quantile(sizes, 0.9);
  return summary;
}

std::vector<std::vector<Comparison>> by_group(const std::vector<Comparison>& rows) {
  std::map<std::string, std::size_t> index;
  std::vector<std::vector<Comparison>> groups;
  for (const auto& row : rows) {
    const auto [place, is_new] = index.emplace(row.group, groups.size());
    if (is_new) {
      groups.emplace_back();
    }
    groups[place->second].push_back(row);
  }
  return groups;
}

} // namespace decodesim
