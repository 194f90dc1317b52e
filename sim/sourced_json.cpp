#include "sim/sourced_json.hpp"

#include "sim/quantity_text.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

namespace decodesim {

namespace {

/// A unit is `multiplier` / `divisor` base units: two whole numbers, so that 0.11 us is the double
/// nearest to 0.11e-6 s.
struct Scale {
  double multiplier;
  double divisor;
};

using Unit = std::pair<const char*, Scale>;

constexpr double kibi = 1024.0;
constexpr double mebi = kibi * kibi;
constexpr double gibi = mebi * kibi;
constexpr double tebi = gibi * kibi;

constexpr std::array<Unit, 4> second_units{
    {{"s", {1, 1}}, {"ms", {1, 1e3}}, {"us", {1, 1e6}}, {"ns", {1, 1e9}}}};

constexpr std::array<Unit, 9> byte_units{{{"B", {1, 1}},
                                          {"kB", {1e3, 1}},
                                          {"MB", {1e6, 1}},
                                          {"GB", {1e9, 1}},
                                          {"TB", {1e12, 1}},
                                          {"KiB", {kibi, 1}},
                                          {"MiB", {mebi, 1}},
                                          {"GiB", {gibi, 1}},
                                          {"TiB", {tebi, 1}}}};

constexpr std::array<Unit, 11> bandwidth_units{{{"B/s", {1, 1}},
                                                {"kB/s", {1e3, 1}},
                                                {"MB/s", {1e6, 1}},
                                                {"GB/s", {1e9, 1}},
                                                {"TB/s", {1e12, 1}},
                                                {"KiB/s", {kibi, 1}},
                                                {"MiB/s", {mebi, 1}},
                                                {"GiB/s", {gibi, 1}},
                                                {"TiB/s", {tebi, 1}},
                                                {"Mbit/s", {1e6, 8}},
                                                {"Gbit/s", {1e9, 8}}}};

constexpr std::array<Unit, 3> flop_units{
    {{"GFLOP/s", {1e9, 1}}, {"TFLOP/s", {1e12, 1}}, {"PFLOP/s", {1e15, 1}}}};

constexpr std::array<Unit, 1> ratio_units{{{"ratio", {1, 1}}}};

constexpr std::array<Unit, 1> count_units{{{"count", {1, 1}}}};

constexpr std::array<std::pair<const char*, SourceKind>, 5> source_kinds{
    {{"datasheet", SourceKind::datasheet},
     {"measured", SourceKind::measured},
     {"published", SourceKind::published},
     {"fitted", SourceKind::fitted},
     {"assumed", SourceKind::assumed}}};

/// Value of the entry called like the string at `json`.
template <class T>
T named_in(std::span<const std::pair<const char*, T>> table,
           const JsonReader& json,
           const char* what) {
  const auto name = json.as_string();
  std::vector<std::string> known;
  for (const auto& [one, value] : table) {
    if (name == one) {
      return value;
    }
    known.emplace_back(one);
  }
  throw InputError::unknown_name(json.where(), what, name, known);
}

template <class T>
Sourced<T> read(const JsonReader& json, std::span<const Unit> units, T least, T most) {
  json.allow_only({"value", "unit", "kind", "source"});
  const auto value = json.at("value");
  const auto scale = named_in<Scale>(units, json.at("unit"), "unit");
  const T quantity{value.as_number() * scale.multiplier / scale.divisor};
  if (quantity < least || quantity > most) {
    throw value.error("is " + to_text(quantity),
                      "from " + to_text(least) + " to " + to_text(most) + " is expected");
  }
  const auto kind = named_in<SourceKind>(source_kinds, json.at("kind"), "kind");
  const auto source = json.at("source");
  auto text = source.as_string();
  if (text.find_first_not_of(" \t\n") == std::string::npos) {
    throw source.error("is empty",
                       kind == SourceKind::assumed ? "give the reason for the assumption"
                                                   : "name the document that the value is from");
  }
  return {quantity, kind, std::move(text)};
}

} // namespace

Sourced<Seconds> read_seconds(const JsonReader& json) {
  return read(json, second_units, Seconds{0.0}, Seconds{10.0});
}

Sourced<Bytes> read_bytes(const JsonReader& json) {
  return read(json, byte_units, Bytes{1.0}, Bytes{1e15});
}

Sourced<BytesPerSecond> read_bytes_per_second(const JsonReader& json) {
  return read(json, bandwidth_units, BytesPerSecond{1e3}, BytesPerSecond{1e15});
}

Sourced<FlopPerSecond> read_flop_per_second(const JsonReader& json) {
  return read(json, flop_units, FlopPerSecond{1e6}, FlopPerSecond{1e19});
}

Sourced<double> read_ratio(const JsonReader& json) { return read(json, ratio_units, 1e-4, 1.0); }

Sourced<double> read_factor(const JsonReader& json) { return read(json, ratio_units, 1e-4, 10.0); }

Sourced<double> read_count(const JsonReader& json) { return read(json, count_units, 0.0, 1e6); }

std::string to_string(SourceKind kind) {
  for (const auto& [name, value] : source_kinds) {
    if (value == kind) {
      return name;
    }
  }
  return "?";
}

} // namespace decodesim
