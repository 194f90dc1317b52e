#include "sim/model/data_type.hpp"

#include "sim/error.hpp"

#include <array>
#include <utility>

namespace decodesim {

namespace {

constexpr std::array<std::pair<DataType, const char*>, 12> names{{{DataType::fp32, "fp32"},
                                                                  {DataType::bf16, "bf16"},
                                                                  {DataType::fp16, "fp16"},
                                                                  {DataType::fp8, "fp8"},
                                                                  {DataType::int8, "int8"},
                                                                  {DataType::int4, "int4"},
                                                                  {DataType::int4_g64, "int4_g64"},
                                                                  {DataType::int4_g32, "int4_g32"},
                                                                  {DataType::mxfp4, "mxfp4"},
                                                                  {DataType::q4_0, "q4_0"},
                                                                  {DataType::q4_k_m, "q4_k_m"},
                                                                  {DataType::q8_0, "q8_0"}}};

} // namespace

Bytes element_bytes(DataType type) {
  const auto grouped = [](double scale_bits, double group) {
    return Bytes{(4.0 + scale_bits / group) / 8.0};
  };
  switch (type) {
  case DataType::fp32:
    return Bytes{4.0};
  case DataType::bf16:
  case DataType::fp16:
    return Bytes{2.0};
  case DataType::fp8:
  case DataType::int8:
    return Bytes{1.0};
  case DataType::int4:
    return grouped(16.0, 128.0);
  case DataType::int4_g64:
    return grouped(16.0, 64.0);
  case DataType::int4_g32:
    return grouped(16.0, 32.0);
  case DataType::mxfp4:
    return grouped(8.0, 32.0);
  case DataType::q4_0:
    return grouped(16.0, 32.0);
  case DataType::q4_k_m:
    return Bytes{4.85 / 8.0};
  case DataType::q8_0:
    return Bytes{8.5 / 8.0};
  }
  return Bytes{};
}

bool is_quantised(DataType type) {
  return type != DataType::fp32 && type != DataType::bf16 && type != DataType::fp16;
}

bool quantises_tables(DataType type) {
  return type == DataType::q4_0 || type == DataType::q4_k_m || type == DataType::q8_0;
}

DataType compute_type(DataType weight_type) {
  return element_bytes(weight_type) < Bytes{1.0} || quantises_tables(weight_type) ? DataType::bf16
                                                                                  : weight_type;
}

std::string to_string(DataType type) {
  for (const auto& [value, name] : names) {
    if (value == type) {
      return name;
    }
  }
  return "?";
}

std::vector<std::string> data_type_names() {
  std::vector<std::string> all;
  for (const auto& entry : names) {
    all.emplace_back(entry.second);
  }
  return all;
}

DataType data_type_named(std::string_view name, std::string_view where) {
  for (const auto& [value, known] : names) {
    if (name == known) {
      return value;
    }
  }
  throw InputError::unknown_name(where, "data type", name, data_type_names());
}

} // namespace decodesim
