#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace decodesim {

/// What became of a measurement that was to be simulated.
enum class CaseStatus {
  ok,
  not_supported, ///< something the model does not cover; the reason says what
  does_not_fit,  ///< more memory than the GPUs have
  invalid        ///< the row contradicts itself or cannot be read
};

/// "ok", "not_supported", ...: the names used in files.
[[nodiscard]] std::string_view to_string(CaseStatus status);

/// One measurement beside its simulation.
struct Comparison {
  std::string id;
  std::string group; ///< rows that are summarised together
  CaseStatus status = CaseStatus::ok;
  std::string reason; ///< why it is not ok; else notes on what was assumed, or empty
  double measured = 0;
  std::optional<double> simulated;
  std::string unit;                          ///< of measured and simulated
  std::optional<double> roofline = {};       ///< prediction of plain rooflines
  std::optional<double> bandwidth_only = {}; ///< prediction of bytes over bandwidth alone
  bool fitted = false;    ///< the model's parameters were fitted to this row among others
  bool in_overall = true; ///< counts in the summary over all groups

  /// simulated / measured - 1: positive when the simulation is too slow (for times).
  [[nodiscard]] std::optional<double> error_ratio() const;
};

/// Errors of a set of rows; ratios, not percent.
struct ErrorSummary {
  int count = 0;         ///< rows with a simulated value
  int not_simulated = 0; ///< rows without
  double median_absolute = 0;
  double mean_absolute = 0;
  double p90_absolute = 0; ///< nine in ten rows are within it
  double bias = 0;         ///< mean of the signed errors
  double worst = 0;        ///< signed
  std::string worst_id;
};

/// Which prediction of a row is summarised.
enum class Prediction { simulated, roofline, bandwidth_only };

[[nodiscard]] ErrorSummary summarize(const std::vector<Comparison>& rows,
                                     Prediction prediction = Prediction::simulated);

/// Rows of each group, groups in the order of their first row.
[[nodiscard]] std::vector<std::vector<Comparison>> by_group(const std::vector<Comparison>& rows);

} // namespace decodesim
