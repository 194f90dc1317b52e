#include "sim/result/json_report.hpp"

#include "sim/scenario/scenario_json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace decodesim {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_links = 10;

Json memory_json(const MemoryUse& memory) {
  return {{"weights_bytes", memory.weights.value()},
          {"kv_cache_bytes", memory.kv_cache.value()},
          {"activation_bytes", memory.activations.value()},
          {"buffer_bytes", memory.buffers.value()},
          {"total_bytes", memory.total().value()},
          {"capacity_bytes", memory.capacity.value()}};
}

Json links_json(const std::vector<LinkUse>& links) {
  Json list = Json::array();
  for (std::size_t i = 0; i < std::min(links.size(), most_links); ++i) {
    list.push_back({{"name", links[i].name},
                    {"bytes", links[i].bytes},
                    {"utilisation_ratio", links[i].utilisation_ratio}});
  }
  return list;
}

Json result_json(const LayoutResult& result) {
  const bool ok = result.status == Status::ok;
  const bool decoded = ok && result.tpot_s.has_value();
  const auto when = [](bool known, auto value) { return known ? Json(value) : Json(nullptr); };
  const double gpus = result.gpus;

  Json json;
  json["layout"] = result.tag;
  json["status"] = to_string(result.status);
  json["reason"] = when(!ok, result.reason);
  json["gpus"] = result.gpus;
  json["memory"] = result.memory ? memory_json(*result.memory) : Json(nullptr);
  json["ttft_s"] = when(ok, result.ttft_s);
  json["tpot_s"] = when(decoded, result.tpot_s.value_or(0.0));
  json["end_to_end_s"] = when(ok, result.end_to_end_s);
  json["tokens_per_s"] = when(ok, result.tokens_per_s);
  json["tokens_per_s_per_gpu"] = when(ok && gpus > 0, result.tokens_per_s / gpus);
  json["tokens_per_s_per_user"] =
      when(decoded && *result.tpot_s > 0, 1.0 / result.tpot_s.value_or(1.0));
  json["communication"] = nullptr;
  json["breakdown"] = nullptr;
  if (decoded) {
    json["communication"] = {{"tensor_bytes_per_step", result.traffic.tensor.value()},
                             {"received_bytes_per_gpu_per_step",
                              when(gpus > 0, result.traffic.received_sum.value() / gpus)}};
    json["breakdown"] = {{"compute", result.breakdown.compute_ratio},
                         {"communication", result.breakdown.communication_ratio},
                         {"waiting", result.breakdown.waiting_ratio},
                         {"other", result.breakdown.other_ratio}};
  }
  json["experts"] = nullptr;
  if (const auto& experts = result.experts) {
    json["experts"] = {{"weights_bytes", experts->weights.value()},
                       {"hit_per_layer", experts->hit},
                       {"busiest_rank_ratio", experts->busiest_ratio},
                       {"exchanged_bytes_per_step", experts->exchanged.value()}};
  }
  json["bubble_ratio"] = when(decoded, result.bubble_ratio);
  json["links"] = decoded ? links_json(result.links) : Json(nullptr);
  json["simulated_ranks"] = when(ok, result.simulated_ranks);
  json["simulated_steps"] = when(decoded, result.simulated_steps);
  json["assumed"] = result.assumed;
  return json;
}

/// Whole numbers without a decimal point: bytes are counts, though doubles hold them.
void write_counts_as_integers(Json& json) {
  if (json.is_number_float()) {
    constexpr double exact_integers = 9007199254740992.0; // 2^53
    const double value = json.get<double>();
    if (value >= 0 && value < exact_integers &&
        value == static_cast<double>(static_cast<std::int64_t>(value))) {
      json = static_cast<std::int64_t>(value);
    }
  } else if (json.is_structured()) {
    for (auto& item : json) {
      write_counts_as_integers(item);
    }
  }
}

} // namespace

std::string json_report(const Report& report) {
  Json json;
  json["format_version"] = result_format_version;
  json["tool"] = {{"name", "decodesim"}, {"version", DECODESIM_VERSION}};
  json["scenario"] = scenario_to_json(report.scenario);
  json["results"] = Json::array();
  for (const LayoutResult& result : report.results) {
    Json one = result_json(result);
    for (const char* counts : {"memory", "communication", "links"}) {
      write_counts_as_integers(one[counts]);
    }
    json["results"].push_back(std::move(one));
  }
  // Names come from the user: bytes that are not UTF-8 must not stop the report.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace decodesim
