#pragma once

#include <functional>
#include <string>
#include <vector>

namespace decodesim {

/// A parameter that a fit may move between two bounds.
struct FitParameter {
  std::string name;
  double start = 0;
  double lower = 0;
  double upper = 0;
  bool logarithmic = false; ///< moved by factors; needs a positive lower bound
};

struct Fit {
  std::vector<double> values; ///< in the order of the parameters
  double cost = 0;
  int evaluations = 0;
};

/// The parameters with the smallest cost that a deterministic search without derivatives finds
/// (subplex, T. Rowan 1990, as in NLopt): the same input gives the same result.
/// @throws std::invalid_argument when a start is outside its bounds
[[nodiscard]] Fit minimize(const std::vector<FitParameter>& parameters,
                           const std::function<double(const std::vector<double>&)>& cost,
                           int most_evaluations);

/// To four significant digits, as fitted numbers are written to files.
[[nodiscard]] double to_four_digits(double value);

} // namespace decodesim
