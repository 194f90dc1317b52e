#include "validation/measured_timeline.hpp"

#include "sim/error.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace decodesim {

namespace {

using Name = std::tuple<std::string, int, int>; ///< of an operation: name, layer, micro-batch

Part part_of(const MeasuredSpan& span, int decode_steps) {
  return span.step < 0 ? Part::prologue : span.step < decode_steps ? Part::body : Part::epilogue;
}

std::map<Name, std::vector<int>> operations_by_name(const std::vector<Operation>& part) {
  std::map<Name, std::vector<int>> found;
  for (std::size_t i = 0; i < part.size(); ++i) {
    found[{part[i].name, part[i].layer, part[i].micro_batch}].push_back(static_cast<int>(i));
  }
  return found;
}

std::string text(const PlanRun& run, int rank, const MeasuredSpan& span) {
  return run.name + ": rank " + std::to_string(rank) + ", step " + std::to_string(span.step) +
         ", " + span.name + (span.layer >= 0 ? " of layer " + std::to_string(span.layer) : "");
}

} // namespace

std::vector<MatchedSpan> match(const Plan& plan, const PlanRun& run) {
  std::vector<MatchedSpan> matched;
  for (const auto& [rank, spans] : run.ranks) {
    if (rank < 0 || rank >= plan.ranks()) {
      throw InputError::at(run.name,
                           "has spans of rank " + std::to_string(rank),
                           "the layout has " + std::to_string(plan.ranks()) + " ranks");
    }
    const auto& program = plan.program(rank);
    std::map<Part, std::map<Name, std::vector<int>>> operations;
    for (const auto part : {Part::prologue, Part::body, Part::epilogue}) {
      operations[part] = operations_by_name(program.part(part));
    }
    std::map<std::pair<int, Name>, std::size_t> seen; ///< by step
    for (const auto& span : spans) {
      const auto part = part_of(span, plan.decode_steps);
      const Name name{span.name, span.layer, span.micro_batch};
      const auto found = operations[part].find(name);
      const auto index = seen[{span.step, name}]++;
      if (found == operations[part].end() || index >= found->second.size()) {
        throw InputError::at(text(run, rank, span), "is no operation of the plan", "");
      }
      matched.push_back({{rank, span.step, part, found->second[index]}, span});
    }
  }
  return matched;
}

SideBySide side_by_side(const Plan& plan,
                        const Timeline& simulated,
                        const std::vector<MatchedSpan>& measured) {
  SideBySide both{.plan = plan, .timeline = simulated};
  for (auto& program : both.plan.programs) {
    const auto streams = program.streams;
    for (const auto& stream : streams) {
      program.streams.push_back(stream + ", measured");
    }
  }
  double first_us = measured.empty() ? 0 : measured.front().span.start_us;
  for (const auto& one : measured) {
    first_us = std::min(first_us, one.span.start_us);
  }
  for (const auto& [played, span] : measured) {
    const auto& program = plan.program(played.rank);
    const auto& op = program.part(played.part)[static_cast<std::size_t>(played.operation)];
    const double start = (span.start_us - first_us) * 1e-6;
    both.timeline.spans.push_back(
        {.start_s = start,
         .end_s = start + span.duration_us * 1e-6,
         .rank = played.rank,
         .stream = op.stream + static_cast<StreamId>(program.streams.size()),
         .kind = as_kernel(op) != nullptr ? SpanKind::compute : SpanKind::transfer,
         .part = played.part,
         .step = played.part == Part::body ? played.step : -1,
         .operation = played.operation});
  }
  return both;
}

} // namespace decodesim
