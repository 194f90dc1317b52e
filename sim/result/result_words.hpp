#pragma once

#include "sim/result/human_numbers.hpp"
#include "sim/result/result.hpp"
#include "sim/result/table.hpp"

#include <cmath>
#include <optional>
#include <string>

/// How reports for people word numbers of a layout.
namespace decodesim {

/// In place of a number that there is none of.
constexpr const char* unknown = "-";

inline bool is_ok(const LayoutResult& result) { return result.status == Status::ok; }

inline Style style_of(Status status) {
  return status == Status::ok             ? Style::good
         : status == Status::does_not_fit ? Style::caution
                                          : Style::bad;
}

/// A ratio in percent, with one digit.
inline std::string percent(double ratio) {
  // A share that rounds to nothing from below is nothing.
  return fixed(std::abs(ratio) < 5e-4 ? 0.0 : 100.0 * ratio, 1);
}

inline double per_gpu(const LayoutResult& result, double total) {
  return result.gpus > 0 ? total / result.gpus : total;
}

/// Tokens per second of one sequence.
inline std::optional<double> rate_per_user(const LayoutResult& result) {
  return result.tpot_s && *result.tpot_s > 0.0 ? std::optional{1.0 / *result.tpot_s} : std::nullopt;
}

/// "1 GPU", "8 GPUs".
inline std::string plural(int count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

} // namespace decodesim
