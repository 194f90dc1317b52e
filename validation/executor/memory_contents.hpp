#pragma once

#include "validation/executor/device.hpp"
#include "validation/executor/kernel_resolver.hpp"
#include "validation/executor/rank_place.hpp"

#include <string>

namespace decodesim {

/// What a rank's memory holds before a run: seeded weights, those of ZeRO-3 as this rank's shards
/// of each unit, and the prompts.
class MemoryContents {
public:
  /// All must outlive this.
  MemoryContents(const Plan& plan,
                 const Model& model,
                 const RankPlace& place,
                 Device& device,
                 const KernelResolver& arrays);

  void write();

private:
  void fill_shards();
  void fill_unit(const std::string& unit);
  void write_prompts();

  [[nodiscard]] const Array& array(BufferId id) const { return arrays_.array(id); }

  const Plan& plan_;
  const Program& program_;
  const Model& model_;
  const RankPlace& place_;
  Device& device_;
  const KernelResolver& arrays_;
};

} // namespace decodesim
