#pragma once

#include "validation/executor/device.hpp"
#include "validation/executor/rank_place.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <tuple>

namespace decodesim {

/// The routing tables of a rank's passes, on the host and on its device.
class ExpertTableStore {
public:
  /// All must outlive this.
  ExpertTableStore(const Plan& plan, const Model& model, const RankPlace& place, Device& device);

  /// Makes the tables of all layers with experts, in the prologue and in each step.
  void upload();

  /// What an operation needs; null where no experts are.
  [[nodiscard]] std::shared_ptr<const ExpertTables>
  of(const Operation& op, Part part, int step) const;

  /// Of any pass: rows that go to other ranks.
  [[nodiscard]] std::size_t most_sent_rows() const;

private:
  using Key = std::tuple<Part, int, int, int>; ///< part, step, layer, micro-batch

  void upload(Part part, int step);

  const Plan& plan_;
  const Program& program_;
  const Model& model_;
  const RankPlace& place_;
  Device& device_;
  std::map<Key, std::shared_ptr<const ExpertTables>> tables_;
};

} // namespace decodesim
