#pragma once

#include "strategies/layer_strategy.hpp"
#include "strategies/pipeline_schedule.hpp"

#include <memory>
#include <string>
#include <vector>

/// Plug-ins by name. A strategy or schedule is one `.cpp` file that ends with a registration object
/// in an unnamed namespace:
///
///     const RegisterLayerStrategy registration{{
///         .name = "tp",
///         .summary = "...",
///         .reference = "...",
///         .splits_batch = false,
///         .make = [] { return std::make_unique<TensorParallel>(); }}};
///
/// Programs outside the repository register theirs in the same way.
namespace decodesim {

struct LayerStrategyInfo {
  std::string name;      ///< as in `--strategies`
  std::string summary;   ///< one line
  std::string reference; ///< paper or system
  /// Which degree of the layout the strategy's own degree sets: dp (each rank has its own
  /// sequences, as in zero3) instead of tp (the ranks share them).
  bool splits_batch = false;
  std::unique_ptr<LayerStrategy> (*make)() = nullptr;
};

struct PipelineScheduleInfo {
  std::string name;
  std::string summary;
  std::string reference;
  std::unique_ptr<PipelineSchedule> (*make)() = nullptr;
};

/// Registers at construction. A name that is taken stops the program with both summaries.
struct RegisterLayerStrategy {
  explicit RegisterLayerStrategy(LayerStrategyInfo info);
};

struct RegisterPipelineSchedule {
  explicit RegisterPipelineSchedule(PipelineScheduleInfo info);
};

/// All registered, in name order.
[[nodiscard]] std::vector<LayerStrategyInfo> layer_strategies();
[[nodiscard]] std::vector<PipelineScheduleInfo> pipeline_schedules();

/// @throws InputError naming `where` and the known names
[[nodiscard]] const LayerStrategyInfo& layer_strategy_named(const std::string& name,
                                                            const std::string& where);
[[nodiscard]] const PipelineScheduleInfo& pipeline_schedule_named(const std::string& name,
                                                                  const std::string& where);

} // namespace decodesim
