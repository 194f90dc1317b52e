#include "validation/fitted_numbers.hpp"

#include "validation/fit.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace decodesim {

double robust_cost(double model, double measured) {
  const double error = 10.0 * std::log(model / measured);
  return std::sqrt(1.0 + error * error) - 1.0;
}

std::string residual_text(const std::vector<double>& errors) {
  if (errors.empty()) {
    return "no rows";
  }
  std::vector<double> sizes;
  double sum = 0;
  double signed_sum = 0;
  for (const double error : errors) {
    sizes.push_back(std::abs(error));
    sum += std::abs(error);
    signed_sum += error;
  }
  std::sort(sizes.begin(), sizes.end());
  const auto count = static_cast<double>(errors.size());
  const auto at_95 = sizes[static_cast<std::size_t>(std::ceil(0.95 * count)) - 1];
  char text[160];
  std::snprintf(text,
                sizeof text,
                "%zu rows: mean %.1f %%, 95 in 100 within %.1f %%, worst %.1f %%, bias %+.1f %%",
                errors.size(),
                100.0 * sum / count,
                100.0 * at_95,
                100.0 * sizes.back(),
                100.0 * signed_sum / count);
  return text;
}

std::string fitted_number(const std::string& name,
                          double value,
                          const std::string& unit,
                          const std::string& source) {
  char number[32];
  std::snprintf(number, sizeof number, "%.10g", to_four_digits(value));
  return "\"" + name + "\": {\"value\": " + number + ", \"unit\": \"" + unit +
         "\", \"kind\": \"fitted\", \"source\": \"" + source + "\"}";
}

} // namespace decodesim
