#pragma once

#include "sim/result/result.hpp"

#include <string>
#include <utility>

namespace decodesim {

/// A result that ran, with round numbers: batch 8, 32 tokens out, 2 s to the first token, 31 decode
/// steps of 0.1 s; 4 GB of weights, half of the time computing.
[[nodiscard]] inline LayoutResult sample_result(std::string tag, int gpus) {
  LayoutResult result;
  result.tag = std::move(tag);
  result.layout.tp = gpus;
  result.gpus = gpus;
  result.memory = MemoryUse{.weights = Bytes{4e9},
                            .kv_cache = Bytes{1e9},
                            .activations = Bytes{5e8},
                            .buffers = Bytes{},
                            .capacity = Bytes{8e9}};
  result.ttft_s = 2.0;
  result.tpot_s = 0.1;
  result.end_to_end_s = 5.1;
  result.tokens_per_s = 8 * 32 / 5.1;
  result.traffic = {.tensor = Bytes{1e6}, .received_sum = Bytes{3e6}};
  result.breakdown = {.compute_ratio = 0.5,
                      .communication_ratio = 0.25,
                      .waiting_ratio = 0.125,
                      .other_ratio = 0.125};
  result.bubble_ratio = 0.0625;
  result.links = {{"gpu0->nvswitch", 31e6, 0.25}, {"nvswitch->gpu0", 31e6, 0.25}};
  result.assumed = {"gpu g: eager_launch = 2.2 us (not published)"};
  return result;
}

[[nodiscard]] inline Scenario sample_scenario() {
  Scenario scenario;
  scenario.model = "llama-3.1-8b";
  scenario.machine = "dgx-a100-80g";
  scenario.workload.batch_size = 8;
  return scenario;
}

/// Three layouts: one that ran, one that does not fit, one that cannot run.
[[nodiscard]] inline Report sample_report() {
  LayoutResult too_large = sample_result("zero3x8", 8);
  too_large.status = Status::does_not_fit;
  too_large.reason = "needs 9.31 GiB of 7.45 GiB";
  too_large.memory->kv_cache = Bytes{5.5e9};
  LayoutResult invalid;
  invalid.tag = "tp3";
  invalid.gpus = 3;
  invalid.status = Status::invalid;
  invalid.reason = "tp 3 does not divide 32 heads";
  return {sample_scenario(), {sample_result("tp4", 4), too_large, invalid}};
}

} // namespace decodesim
