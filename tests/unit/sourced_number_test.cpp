#include "sim/json_reader.hpp"
#include "sim/quantity_text.hpp"
#include "sim/sourced_json.hpp"

#include <gtest/gtest.h>

namespace decodesim {
namespace {

using namespace literals;

JsonReader json_of(std::string_view text) { return JsonReader::parse(text, "f.json"); }

template <class Read> std::string message_of(Read read, std::string_view text) {
  try {
    (void)read(json_of(text));
  } catch (const InputError& problem) {
    return problem.what();
  }
  return "no InputError";
}

TEST(SourcedNumber, KeepsValueKindAndSource) {
  const auto number = read_bytes_per_second(json_of(
      R"({"value": 4.8, "unit": "TB/s", "kind": "datasheet", "source": "H200 datasheet"})"));
  EXPECT_DOUBLE_EQ(number.value.value(), 4.8e12);
  EXPECT_EQ(number.kind, SourceKind::datasheet);
  EXPECT_EQ(number.source, "H200 datasheet");
}

TEST(SourcedNumber, ConvertsEveryUnit) {
  const auto in = [](auto read, const std::string& unit) {
    return read(json_of(R"({"value": 2, "kind": "published", "source": "x", "unit": ")" + unit +
                        "\"}"))
        .value.value();
  };
  EXPECT_EQ(in(read_seconds, "s"), 2.0);
  EXPECT_EQ(in(read_seconds, "ms"), 2e-3);
  EXPECT_EQ(in(read_seconds, "us"), 2e-6);
  EXPECT_EQ(in(read_seconds, "ns"), 2e-9);
  EXPECT_EQ(in(read_bytes, "kB"), 2e3);
  EXPECT_EQ(in(read_bytes, "TB"), 2e12);
  EXPECT_EQ(in(read_bytes, "KiB"), 2048.0);
  // 2 MiB is 2 x 2^20, 2 GiB is 2 x 2^30, 2 TiB is 2 x 2^40.
  EXPECT_EQ(in(read_bytes, "MiB"), 2097152.0);
  EXPECT_EQ(in(read_bytes, "GiB"), 2147483648.0);
  EXPECT_EQ(in(read_bytes, "TiB"), 2199023255552.0);
  EXPECT_EQ(in(read_bytes_per_second, "MB/s"), 2e6);
  EXPECT_EQ(in(read_bytes_per_second, "GiB/s"), 2147483648.0);
  // 2 Gbit/s is 2e9 / 8 B/s.
  EXPECT_EQ(in(read_bytes_per_second, "Gbit/s"), 2.5e8);
  EXPECT_EQ(in(read_bytes_per_second, "Mbit/s"), 2.5e5);
  EXPECT_EQ(in(read_flop_per_second, "GFLOP/s"), 2e9);
  EXPECT_EQ(in(read_flop_per_second, "TFLOP/s"), 2e12);
  EXPECT_EQ(in(read_flop_per_second, "PFLOP/s"), 2e15);
}

TEST(SourcedNumber, IsTheNearestDouble) {
  const auto number =
      read_seconds(json_of(R"({"value": 0.11, "unit": "us", "kind": "published", "source": "x"})"));
  EXPECT_EQ(number.value.value(), 1.1e-7);
}

TEST(SourcedNumber, RefusesAnUnknownUnit) {
  EXPECT_EQ(
      message_of(read_seconds, R"({"value": 1, "unit": "u", "kind": "assumed", "source": "x"})"),
      "f.json: /unit: unit \"u\" is unknown; did you mean \"s\"? known: s, ms, us, ns");
}

TEST(SourcedNumber, RefusesTheUnitOfAnotherQuantity) {
  EXPECT_EQ(message_of(read_flop_per_second,
                       R"({"value": 1, "unit": "parsecs", "kind": "assumed", "source": "x"})"),
            "f.json: /unit: unit \"parsecs\" is unknown; known: GFLOP/s, TFLOP/s, PFLOP/s");
}

TEST(SourcedNumber, RefusesAnUnknownKind) {
  EXPECT_EQ(
      message_of(read_seconds, R"({"value": 1, "unit": "s", "kind": "guessed", "source": "x"})"),
      "f.json: /kind: kind \"guessed\" is unknown; known: datasheet, measured, published, "
      "fitted, assumed");
}

TEST(SourcedNumber, RequiresItsSource) {
  EXPECT_EQ(message_of(read_seconds, R"({"value": 1, "unit": "s", "kind": "datasheet"})"),
            "f.json: /: has no \"source\"; it is required");
  EXPECT_EQ(
      message_of(read_seconds, R"({"value": 1, "unit": "s", "kind": "datasheet", "source": " "})"),
      "f.json: /source: is empty; name the document that the value is from");
  EXPECT_EQ(
      message_of(read_seconds, R"({"value": 1, "unit": "s", "kind": "assumed", "source": ""})"),
      "f.json: /source: is empty; give the reason for the assumption");
}

TEST(SourcedNumber, RefusesUnknownKeys) {
  EXPECT_EQ(
      message_of(read_seconds, R"({"value": 1, "units": "s", "kind": "assumed", "source": "x"})"),
      "f.json: /: key \"units\" is unknown; did you mean \"unit\"? known: value, unit, kind, "
      "source");
}

TEST(SourcedNumber, RefusesABareNumber) {
  EXPECT_EQ(message_of(read_seconds, "5"), "f.json: /: is a number; an object is expected");
}

TEST(SourcedNumber, MayBeZeroOnlyWhenItIsATime) {
  EXPECT_EQ(
      message_of(read_seconds, R"({"value": 0, "unit": "us", "kind": "assumed", "source": "x"})"),
      "no InputError");
  EXPECT_EQ(message_of(read_bytes_per_second,
                       R"({"value": 0, "unit": "GB/s", "kind": "assumed", "source": "x"})"),
            "f.json: /value: is 0 B/s; from 1 kB/s to 1000 TB/s is expected");
}

TEST(SourcedNumber, IsWithinReason) {
  const auto with_value = [](const std::string& value, const std::string& unit) {
    return R"({"value": )" + value + R"(, "unit": ")" + unit +
           R"(", "kind": "assumed", "source": "x"})";
  };
  EXPECT_EQ(message_of(read_seconds, with_value("-1", "us")),
            "f.json: /value: is -1 us; from 0 s to 10 s is expected");
  EXPECT_EQ(message_of(read_seconds, with_value("1e3", "s")),
            "f.json: /value: is 1000 s; from 0 s to 10 s is expected");
  EXPECT_EQ(message_of(read_bytes, with_value("2000", "TB")),
            "f.json: /value: is 2000 TB; from 1 B to 1000 TB is expected");
  EXPECT_EQ(message_of(read_ratio, with_value("1.5", "ratio")),
            "f.json: /value: is 1.5; from 0.0001 to 1 is expected");
  EXPECT_EQ(message_of(read_seconds, with_value("\"1\"", "us")),
            "f.json: /value: is \"1\"; a finite number is expected");
}

TEST(QuantityText, UsesTheUnitThatPeopleUse) {
  EXPECT_EQ(to_text(0.96_us), "960 ns");
  EXPECT_EQ(to_text(7.96_us), "7.96 us");
  EXPECT_EQ(to_text(Seconds{0.0}), "0 s");
  EXPECT_EQ(to_text(2039.0_GBps), "2.039 TB/s");
  EXPECT_EQ(to_text(300.0_GBps), "300 GB/s");
  // 999.96 GB/s in four digits is 1000 GB/s, which is written 1 TB/s.
  EXPECT_EQ(to_text(999.96_GBps), "1 TB/s");
  EXPECT_EQ(to_text(312.0_TFLOPs), "312 TFLOP/s");
  EXPECT_EQ(to_text(1.5_GiB), "1.611 GB");
}

} // namespace
} // namespace decodesim
