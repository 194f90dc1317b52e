#include "sim/engine/host_schedule.hpp"

#include <set>

namespace decodesim {

namespace {

bool embeds_tokens(const Operation& op) {
  const auto* kernel = as_kernel(op);
  const auto* row = kernel == nullptr ? nullptr : std::get_if<RowKernel>(kernel);
  return row != nullptr && row->function == RowFunction::embedding;
}

bool goes_to_the_next_stage(const Operation& op) {
  const auto* messages = as_point_to_point(op);
  return messages != nullptr && messages->messages.front().direction == Message::Direction::send &&
         messages->messages.front().channel == "hidden";
}

} // namespace

HostSchedule::HostSchedule(const Program& program, const HostCosts& costs) {
  for (const auto part : {Part::prologue, Part::body, Part::epilogue}) {
    const auto& operations = program.part(part);
    std::set<int> embedded; // micro-batches
    for (const auto& op : operations) {
      if (embeds_tokens(op)) {
        embedded.insert(op.micro_batch);
      }
    }
    const double per_pass = costs.per_step.value() +
                            (embedded.empty() ? 0.0
                                              : costs.per_sequence.value() * program.sequences /
                                                    static_cast<double>(embedded.size()));
    auto& entries = entries_[static_cast<std::size_t>(part)];
    double now = 0;
    int layer = -1;
    for (const auto& op : operations) {
      Entry entry;
      if (op.layer >= 0 && op.layer != layer) {
        now += costs.per_layer.value();
      }
      layer = op.layer;
      now += costs.eager_launch.value();
      entry.launched_s = now;
      if (as_point_to_point(op) == nullptr && embedded.erase(op.micro_batch) > 0) {
        entry.before_pass_s = per_pass;
      }
      entry.before_message_s = goes_to_the_next_stage(op) ? costs.per_stage.value() : 0.0;
      entries.push_back(entry);
    }
  }
}

} // namespace decodesim
