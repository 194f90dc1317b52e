#pragma once

#include <gtest/gtest.h>

#include <cmath>

/// Equal to 1e-9 relative.
#define EXPECT_SAME(actual, expected)                                                              \
  EXPECT_NEAR(actual, expected, 1e-9 * std::abs(static_cast<double>(expected)))

namespace decodesim::testing {

constexpr double us = 1e-6;

} // namespace decodesim::testing
