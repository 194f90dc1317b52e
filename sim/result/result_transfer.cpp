#include "sim/result/result_transfer.hpp"

#include <nlohmann/json.hpp>

namespace decodesim {

using nlohmann::json;

// CBOR: doubles travel as their bits, strings as their bytes.

std::string pack(const LayoutResult& result) {
  json packed{{"tag", result.tag},
              {"status", static_cast<int>(result.status)},
              {"reason", result.reason},
              {"gpus", result.gpus},
              {"ttft", result.ttft_s},
              {"end_to_end", result.end_to_end_s},
              {"tokens_per_s", result.tokens_per_s},
              {"tensor", result.traffic.tensor.value()},
              {"received", result.traffic.received_sum.value()},
              {"compute", result.breakdown.compute_ratio},
              {"communication", result.breakdown.communication_ratio},
              {"waiting", result.breakdown.waiting_ratio},
              {"other", result.breakdown.other_ratio},
              {"bubble", result.bubble_ratio},
              {"assumed", result.assumed},
              {"simulated_ranks", result.simulated_ranks},
              {"simulated_steps", result.simulated_steps},
              {"wall", result.wall_s},
              {"links", json::array()}};
  if (result.tpot_s) {
    packed["tpot"] = *result.tpot_s;
  }
  if (const auto& memory = result.memory) {
    packed["memory"] = {memory->weights.value(),
                        memory->kv_cache.value(),
                        memory->activations.value(),
                        memory->buffers.value(),
                        memory->capacity.value()};
  }
  if (const auto& experts = result.experts) {
    packed["experts"] = {experts->weights.value(),
                         experts->hit,
                         experts->busiest_ratio,
                         experts->exchanged.value()};
  }
  for (const auto& link : result.links) {
    packed["links"].push_back({link.name, link.bytes, link.utilisation_ratio});
  }
  const auto bytes = json::to_cbor(packed);
  return {bytes.begin(), bytes.end()};
}

LayoutResult unpack(const std::string& bytes, const Layout& layout) {
  const auto packed = json::from_cbor(bytes);
  LayoutResult result{.layout = layout};
  result.tag = packed.at("tag").get<std::string>();
  result.status = static_cast<Status>(packed.at("status").get<int>());
  result.reason = packed.at("reason").get<std::string>();
  result.gpus = packed.at("gpus").get<int>();
  result.ttft_s = packed.at("ttft").get<double>();
  result.end_to_end_s = packed.at("end_to_end").get<double>();
  result.tokens_per_s = packed.at("tokens_per_s").get<double>();
  result.traffic.tensor = Bytes{packed.at("tensor").get<double>()};
  result.traffic.received_sum = Bytes{packed.at("received").get<double>()};
  result.breakdown = {.compute_ratio = packed.at("compute").get<double>(),
                      .communication_ratio = packed.at("communication").get<double>(),
                      .waiting_ratio = packed.at("waiting").get<double>(),
                      .other_ratio = packed.at("other").get<double>()};
  result.bubble_ratio = packed.at("bubble").get<double>();
  result.assumed = packed.at("assumed").get<std::vector<std::string>>();
  result.simulated_ranks = packed.at("simulated_ranks").get<int>();
  result.simulated_steps = packed.at("simulated_steps").get<int>();
  result.wall_s = packed.at("wall").get<double>();
  if (packed.contains("tpot")) {
    result.tpot_s = packed.at("tpot").get<double>();
  }
  if (packed.contains("memory")) {
    const auto& memory = packed.at("memory");
    const auto part = [&](std::size_t index) { return Bytes{memory.at(index).get<double>()}; };
    result.memory = MemoryUse{.weights = part(0),
                              .kv_cache = part(1),
                              .activations = part(2),
                              .buffers = part(3),
                              .capacity = part(4)};
  }
  if (packed.contains("experts")) {
    const auto& experts = packed.at("experts");
    result.experts = ExpertUse{.weights = Bytes{experts.at(0).get<double>()},
                               .hit = experts.at(1).get<double>(),
                               .busiest_ratio = experts.at(2).get<double>(),
                               .exchanged = Bytes{experts.at(3).get<double>()}};
  }
  for (const auto& link : packed.at("links")) {
    result.links.push_back({.name = link.at(0).get<std::string>(),
                            .bytes = link.at(1).get<double>(),
                            .utilisation_ratio = link.at(2).get<double>()});
  }
  return result;
}

} // namespace decodesim
