#pragma once

#include "sim/engine/timeline.hpp"
#include "sim/plan/plan.hpp"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace decodesim {

/// Text of each span that depends on its operation and kind alone, made once: a timeline plays the
/// same few hundred operations on every rank and in every step.
class SpanLabels {
public:
  using Describe = std::string (*)(const Operation&, Part, SpanKind);

  /// @param plan  outlives this object
  SpanLabels(const Plan& plan, Describe describe);

  /// @param span  of an operation of the plan
  [[nodiscard]] const std::string& of(const Span& span);

private:
  static constexpr std::size_t kinds = 5;
  using ByKind = std::array<std::optional<std::string>, kinds>;

  const Plan& plan_;
  Describe describe_;
  std::vector<std::array<std::vector<ByKind>, 3>> labels_; ///< by program, part, operation, kind
};

/// Appends the kind of work, its shape, and its bytes where it is communication, as JSON members
/// each led by a comma: `,"kind":"gemm","shape":"m=8 n=4096 k=4096","type":"bf16"`.
void append_work_arguments(std::string& out, const Operation& operation);

/// Appends what the step and the rank decide: `,"context_tokens":N` of attention, `,"rows":N,
/// "experts":N` of kernels over routed rows, `,"rows_sent":N,"rows_received":N` of exchanges.
/// @param span  of an operation of the plan
void append_step_arguments(std::string& out, const Plan& plan, const Span& span);

} // namespace decodesim
