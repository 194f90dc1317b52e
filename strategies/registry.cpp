#include "strategies/registry.hpp"

#include "sim/error.hpp"

#include <cstdio>
#include <cstdlib>
#include <map>

namespace decodesim {

namespace {

template <class Info> std::map<std::string, Info>& registry() {
  static std::map<std::string, Info> all;
  return all;
}

template <class Info> void add(Info info) {
  const auto name = info.name;
  const auto summary = info.summary;
  const auto [entry, added] = registry<Info>().try_emplace(name, std::move(info));
  if (!added) {
    std::fprintf(stderr,
                 "decodesim: \"%s\" is registered twice: \"%s\" and \"%s\"\n",
                 name.c_str(),
                 entry->second.summary.c_str(),
                 summary.c_str());
    std::abort();
  }
}

template <class Info> std::vector<Info> all() {
  std::vector<Info> list;
  for (const auto& [name, info] : registry<Info>()) {
    list.push_back(info);
  }
  return list;
}

template <class Info>
const Info& named(const std::string& name, const std::string& where, const char* what) {
  const auto& known = registry<Info>();
  if (const auto found = known.find(name); found != known.end()) {
    return found->second;
  }
  std::vector<std::string> names;
  for (const auto& [one, info] : known) {
    names.push_back(one);
  }
  throw InputError::unknown_name(where, what, name, names);
}

} // namespace

RegisterLayerStrategy::RegisterLayerStrategy(LayerStrategyInfo info) { add(std::move(info)); }

RegisterPipelineSchedule::RegisterPipelineSchedule(PipelineScheduleInfo info) {
  add(std::move(info));
}

std::vector<LayerStrategyInfo> layer_strategies() { return all<LayerStrategyInfo>(); }

std::vector<PipelineScheduleInfo> pipeline_schedules() { return all<PipelineScheduleInfo>(); }

const LayerStrategyInfo& layer_strategy_named(const std::string& name, const std::string& where) {
  return named<LayerStrategyInfo>(name, where, "strategy");
}

const PipelineScheduleInfo& pipeline_schedule_named(const std::string& name,
                                                    const std::string& where) {
  return named<PipelineScheduleInfo>(name, where, "pipeline schedule");
}

} // namespace decodesim
