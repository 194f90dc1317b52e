#include "sim/scenario/scenario_json.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace decodesim {
namespace {

Scenario small_scenario() {
  Scenario scenario;
  scenario.model = "llama-3.1-8b";
  scenario.machine = "dgx-a100-80g";
  scenario.workload.batch_size = 8;
  scenario.layouts = {Layout{.tp = 2, .pp = 2, .schedule = "1f1b", .stage_layers = {17, 15}}};
  return scenario;
}

TEST(ScenarioJson, FillsInEveryDefaultUnderTheKeysOfAScenarioFile) {
  EXPECT_EQ(scenario_to_json(small_scenario()).dump(),
            R"({"model":"llama-3.1-8b","machine":"dgx-a100-80g","nodes":1,"batch_size":8,)"
            R"("isl":512,"osl":32,"dtype":"bf16","kv_cache_dtype":"bf16","mapping":"tp,pp,dp",)"
            R"("collectives":"ring","launch":"graph","ring_order":"searched",)"
            R"("layouts":[{"tag":"tp2pp2-1f1b-layers17+15","strategy":"tp","tp":2,"pp":2,"dp":1,)"
            R"("schedule":"1f1b","micro_batches":0,"prefetch":false,"stage_layers":[17,15]}]})");
}

} // namespace
} // namespace decodesim
