#include "sim/cli/parameter_table.hpp"

#include "sim/error.hpp"
#include "sim/model/data_type.hpp"
#include "sim/result/human_numbers.hpp"
#include "sim/result/table.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>
#include <cmath>

namespace decodesim {

namespace {

constexpr std::array types{DataType::fp16, DataType::int8, DataType::int4};
constexpr std::array gpu_counts{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

Bytes bytes_per_gpu(double parameters, DataType type, int gpus) {
  return parameters / gpus * element_bytes(type);
}

/// As the result file has it.
std::string number(double value) { return nlohmann::json(value).dump(); }

/// In as few digits as tell it.
std::string short_number(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

std::string as_text(double parameters) {
  Table table;
  table.columns.push_back({.title = "GPUs"});
  for (const auto type : types) {
    table.columns.push_back({.title = to_string(type)});
  }
  for (const int gpus : gpu_counts) {
    std::vector<Table::Cell> cells{{.text = std::to_string(gpus)}};
    for (const auto type : types) {
      cells.push_back({.text = rounded(gib(bytes_per_gpu(parameters, type, gpus)))});
    }
    table.rows.push_back(std::move(cells));
  }
  return "weights of " + short_number(parameters) + " parameters, GiB per GPU\n\n" +
         to_text(table, false) +
         "\nEvery parameter in that type (int4 with a 16-bit scale per 128), divided evenly. Of a "
         "model\nwithout a published shape nothing else is known: no cache, no activations, no "
         "times.\n";
}

std::string as_csv(double parameters) {
  std::string text = "parameters,dtype,gpus,weights_bytes_per_gpu\n";
  for (const auto type : types) {
    for (const int gpus : gpu_counts) {
      text += number(parameters) + "," + to_string(type) + "," + std::to_string(gpus) + "," +
              number(bytes_per_gpu(parameters, type, gpus).value()) + "\n";
    }
  }
  return text;
}

std::string as_json(double parameters) {
  nlohmann::ordered_json json{{"format_version", 1}, {"parameters", parameters}};
  json["weights"] = nlohmann::ordered_json::array();
  for (const auto type : types) {
    for (const int gpus : gpu_counts) {
      json["weights"].push_back(
          {{"dtype", to_string(type)},
           {"gpus", gpus},
           {"weights_bytes_per_gpu", bytes_per_gpu(parameters, type, gpus).value()}});
    }
  }
  return json.dump(2) + "\n";
}

} // namespace

std::string parameter_table(double parameters, const std::string& format) {
  return format == "csv"    ? as_csv(parameters)
         : format == "json" ? as_json(parameters)
                            : as_text(parameters);
}

double parse_parameters(const std::string& text, const std::string& where) {
  constexpr double most = 1e17;
  double value = 0.0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || !(value >= 1.0 && value <= most) ||
      value != std::floor(value)) {
    throw InputError::at(where,
                         "is \"" + text + "\"",
                         "a whole number of parameters from 1 to 1e17 is expected, such as 1.8e12");
  }
  return value;
}

} // namespace decodesim
