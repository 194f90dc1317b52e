#include "validation/fit.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace decodesim {
namespace {

// t = a + b x through (1, 5), (2, 7), (4, 11): a = 3, b = 2; 1 is the cost of nothing else.
TEST(Fit, FindsALineFromItsAbsoluteDeviations) {
  const auto cost = [](const std::vector<double>& p) {
    return std::abs(p[0] + p[1] - 5) + std::abs(p[0] + 2 * p[1] - 7) +
           std::abs(p[0] + 4 * p[1] - 11);
  };
  const std::vector<FitParameter> parameters{
      {.name = "a", .start = 1, .lower = 0, .upper = 10},
      {.name = "b", .start = 1, .lower = 0.1, .upper = 100, .logarithmic = true}};
  const auto fit = minimize(parameters, cost, 4000);
  EXPECT_NEAR(fit.values[0], 3, 2e-3);
  EXPECT_NEAR(fit.values[1], 2, 2e-3);
  const auto again = minimize(parameters, cost, 4000);
  EXPECT_EQ(again.values, fit.values);
  EXPECT_EQ(again.evaluations, fit.evaluations);
}

TEST(Fit, StaysWithinItsBounds) {
  const auto fit = minimize(
      {{.name = "a", .start = 1, .lower = 0.5, .upper = 2}},
      [](const auto& p) { return p[0]; },
      500);
  EXPECT_NEAR(fit.values[0], 0.5, 1e-4);
}

TEST(Fit, RefusesAStartOutsideItsBounds) {
  EXPECT_THROW(
      (void)minimize(
          {{.name = "a", .start = 3, .lower = 0, .upper = 2}}, [](const auto&) { return 0.0; }, 10),
      std::invalid_argument);
}

TEST(Fit, WritesFourDigits) {
  EXPECT_EQ(to_four_digits(0.123456), 0.1235);
  EXPECT_EQ(to_four_digits(98765.4), 98770);
}

} // namespace
} // namespace decodesim
