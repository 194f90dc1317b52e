#include "strategies/registry.hpp"

#include "sim/registry.hpp"

namespace decodesim {

RegisterLayerStrategy::RegisterLayerStrategy(LayerStrategyInfo info) {
  Registry<LayerStrategyInfo>::add(std::move(info));
}

RegisterPipelineSchedule::RegisterPipelineSchedule(PipelineScheduleInfo info) {
  Registry<PipelineScheduleInfo>::add(std::move(info));
}

std::vector<LayerStrategyInfo> layer_strategies() { return Registry<LayerStrategyInfo>::all(); }

std::vector<PipelineScheduleInfo> pipeline_schedules() {
  return Registry<PipelineScheduleInfo>::all();
}

const LayerStrategyInfo& layer_strategy_named(const std::string& name, const std::string& where) {
  return Registry<LayerStrategyInfo>::named(name, where, "strategy");
}

const PipelineScheduleInfo& pipeline_schedule_named(const std::string& name,
                                                    const std::string& where) {
  return Registry<PipelineScheduleInfo>::named(name, where, "pipeline schedule");
}

} // namespace decodesim
