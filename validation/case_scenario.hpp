#pragma once

#include "sim/error.hpp"
#include "sim/model/model.hpp"
#include "sim/scenario/scenario.hpp"
#include "topologies/machine.hpp"
#include "validation/case_file.hpp"
#include "validation/error_summary.hpp"

#include <string>
#include <vector>

namespace decodesim {

/// A case that cannot become a scenario.
class CaseProblem : public InputError {
public:
  CaseProblem(CaseStatus status, const std::string& reason) : InputError{reason}, status_{status} {}

  [[nodiscard]] CaseStatus status() const { return status_; }

private:
  CaseStatus status_;
};

/// What a case measured, as this program can run it.
struct CaseScenario {
  Model model;
  Machine machine;
  Scenario scenario; ///< of one layout; its model and machine are the two above
  /// Sequences come and go, so that prefills of others stand between decode steps.
  bool mixes_prefills = false;
  /// The engine takes no more sequences at once than fit: what is simulated may be fewer.
  bool batch_is_limited = false;
  std::vector<std::string> notes; ///< what the row left open and was assumed
};

/// The notes as one text.
[[nodiscard]] std::string joined(const std::vector<std::string>& notes);

/// The model that a case names or describes in its notes.
/// @throws CaseProblem when it does neither
[[nodiscard]] Model model_of(const Case& one);

/// Sets the machine, and what the scenario says of it, to what a case describes.
/// @throws CaseProblem when no preset is like it
void choose_machine(const Case& one, CaseScenario& found);

/// @throws CaseProblem saying what is not known or not modelled
[[nodiscard]] CaseScenario scenario_of(const Case& one, const Framework& framework);

/// "vLLM 0.7.3, TP": cases that are summarised together. Framework, kind of layout, and whether the
/// row is clean.
[[nodiscard]] std::string group_of(const Case& one);

/// The first whole number in a text ("about 280 (median)": 280); nothing when there is none.
[[nodiscard]] std::optional<std::int64_t> first_number(const std::string& text);

} // namespace decodesim
