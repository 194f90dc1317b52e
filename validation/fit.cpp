#include "validation/fit.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nlopt.hpp>
#include <stdexcept>

namespace decodesim {

namespace {

struct Search {
  const std::vector<FitParameter>& parameters;
  const std::function<double(const std::vector<double>&)>& cost;
  int evaluations = 0;

  /// All parameters are searched as numbers from 0 to 1, so that one tolerance suits them.
  [[nodiscard]] std::vector<double> values_at(const std::vector<double>& place) const {
    std::vector<double> values;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const auto& one = parameters[i];
      values.push_back(one.logarithmic ? one.lower * std::pow(one.upper / one.lower, place[i])
                                       : one.lower + (one.upper - one.lower) * place[i]);
    }
    return values;
  }

  static double
  evaluate(const std::vector<double>& place, std::vector<double>& /*gradient*/, void* search) {
    auto& self = *static_cast<Search*>(search);
    ++self.evaluations;
    return self.cost(self.values_at(place));
  }
};

double place_of(const FitParameter& one) {
  if (!(one.lower < one.upper) || one.start < one.lower || one.start > one.upper ||
      (one.logarithmic && one.lower <= 0)) {
    throw std::invalid_argument{"fit of " + one.name + ": the start is outside its bounds"};
  }
  return one.logarithmic ? std::log(one.start / one.lower) / std::log(one.upper / one.lower)
                         : (one.start - one.lower) / (one.upper - one.lower);
}

} // namespace

Fit minimize(const std::vector<FitParameter>& parameters,
             const std::function<double(const std::vector<double>&)>& cost,
             int most_evaluations) {
  Search search{.parameters = parameters, .cost = cost};
  std::vector<double> place;
  for (const auto& one : parameters) {
    place.push_back(place_of(one));
  }
  nlopt::opt optimizer{nlopt::LN_SBPLX, static_cast<unsigned>(parameters.size())};
  optimizer.set_lower_bounds(0.0);
  optimizer.set_upper_bounds(1.0);
  optimizer.set_initial_step(0.1);
  optimizer.set_xtol_abs(1e-6);
  optimizer.set_maxeval(most_evaluations);
  optimizer.set_min_objective(Search::evaluate, &search);
  double least = 0;
  (void)optimizer.optimize(place, least);
  return {.values = search.values_at(place), .cost = least, .evaluations = search.evaluations};
}

double to_four_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return std::strtod(text, nullptr);
}

} // namespace decodesim
