#include "sim/result/csv_report.hpp"

#include "sim/result/json_report.hpp"

#include <nlohmann/json.hpp>

#include <array>

namespace decodesim {

namespace {

struct Column {
  const char* title;
  const char* pointer; ///< in a result of the result file, or in its scenario
};

constexpr std::array<Column, 34> columns{{
    {"model", "/scenario/model"},
    {"machine", "/scenario/machine"},
    {"batch_size", "/scenario/batch_size"},
    {"isl", "/scenario/isl"},
    {"osl", "/scenario/osl"},
    {"layout", "/layout"},
    {"status", "/status"},
    {"reason", "/reason"},
    {"gpus", "/gpus"},
    {"weights_bytes", "/memory/weights_bytes"},
    {"kv_cache_bytes", "/memory/kv_cache_bytes"},
    {"activation_bytes", "/memory/activation_bytes"},
    {"buffer_bytes", "/memory/buffer_bytes"},
    {"total_bytes", "/memory/total_bytes"},
    {"capacity_bytes", "/memory/capacity_bytes"},
    {"ttft_s", "/ttft_s"},
    {"tpot_s", "/tpot_s"},
    {"end_to_end_s", "/end_to_end_s"},
    {"tokens_per_s", "/tokens_per_s"},
    {"tokens_per_s_per_gpu", "/tokens_per_s_per_gpu"},
    {"tokens_per_s_per_user", "/tokens_per_s_per_user"},
    {"tensor_bytes_per_step", "/communication/tensor_bytes_per_step"},
    {"received_bytes_per_gpu_per_step", "/communication/received_bytes_per_gpu_per_step"},
    {"compute_ratio", "/breakdown/compute"},
    {"communication_ratio", "/breakdown/communication"},
    {"waiting_ratio", "/breakdown/waiting"},
    {"other_ratio", "/breakdown/other"},
    {"bubble_ratio", "/bubble_ratio"},
    {"experts_hit_per_layer", "/experts/hit_per_layer"},
    {"busiest_rank_ratio", "/experts/busiest_rank_ratio"},
    {"exchanged_bytes_per_step", "/experts/exchanged_bytes_per_step"},
    {"busiest_link", "/links/0/name"},
    {"busiest_link_bytes", "/links/0/bytes"},
    {"busiest_link_utilisation_ratio", "/links/0/utilisation_ratio"},
}};

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string out = "\"";
  for (const char c : text) {
    out += c == '"' ? "\"\"" : std::string(1, c);
  }
  return out + "\"";
}

std::string field(const nlohmann::json& value) {
  return value.is_null()     ? std::string{}
         : value.is_string() ? quoted(value.get<std::string>())
                             : value.dump();
}

} // namespace

std::string csv_report(const Report& report) {
  // From the result file's own fields, so that both say the same to the last digit.
  const auto json = nlohmann::json::parse(json_report(report));
  std::string out;
  for (const Column& column : columns) {
    out += (&column == columns.data() ? "" : ",") + std::string{column.title};
  }
  out += "\n";
  for (auto result : json.at("results")) {
    result["scenario"] = json.at("scenario");
    for (const Column& column : columns) {
      const nlohmann::json::json_pointer pointer{column.pointer};
      out += &column == columns.data() ? "" : ",";
      out += result.contains(pointer) ? field(result.at(pointer)) : "";
    }
    out += "\n";
  }
  return out;
}

} // namespace decodesim
