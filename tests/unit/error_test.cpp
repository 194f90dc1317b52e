#include "sim/error.hpp"
#include "sim/json_reader.hpp"
#include "sim/units.hpp"

#include <gtest/gtest.h>

namespace decodesim {
namespace {

using namespace literals;

template <class Action> std::string message_of(Action action) {
  try {
    action();
  } catch (const InputError& problem) {
    return problem.what();
  }
  return "no InputError";
}

TEST(Units, DivideIntoTheRightDimension) {
  // 2 GB over 4 GB/s is half a second.
  const Seconds time = 2.0_GB / 4.0_GBps;
  EXPECT_DOUBLE_EQ(time.value(), 0.5);
  // 400 Gbit/s is 50 GB/s; the ratio of equal dimensions is a plain number.
  const double ratio = 400.0_Gbps / 50.0_GBps;
  EXPECT_DOUBLE_EQ(ratio, 1.0);
}

TEST(InputErrorMessage, NamesPlaceFoundAndAllowed) {
  EXPECT_STREQ(InputError::at("x.json: /a", "is 3", "use 1 or 2").what(),
               "x.json: /a: is 3; use 1 or 2");
}

TEST(InputErrorMessage, SuggestsTheNearestName) {
  // "dgx-a10080g" misses one character of the first name.
  const auto error =
      InputError::unknown_name("--machine", "machine", "dgx-a10080g", {"dgx-a100-80g", "pcie"});
  EXPECT_STREQ(error.what(),
               "--machine: machine \"dgx-a10080g\" is unknown; did you mean \"dgx-a100-80g\"? "
               "known: dgx-a100-80g, pcie");
}

TEST(InputErrorMessage, SuggestsNothingWhenNothingIsNear) {
  EXPECT_EQ(nearest_name("completely-different", {"tp", "zero3"}), "");
}

TEST(JsonReader, ReportsLineAndColumnOfASyntaxError) {
  const auto text = message_of([] { (void)JsonReader::parse("{\n  \"a\": ,\n}", "f.json"); });
  // The comma is the eighth character of line 2.
  EXPECT_TRUE(text.starts_with("f.json: is not valid JSON at line 2, column 8")) << text;
}

TEST(JsonReader, RefusesAKeyGivenTwice) {
  EXPECT_EQ(message_of([] { (void)JsonReader::parse(R"({"a": 1, "a": 2})", "f.json"); }),
            "f.json: key \"a\" is given twice; give it once");
}

TEST(JsonReader, NamesThePointerOfAWrongValue) {
  const auto file = JsonReader::parse(R"({"links": [{"count": 2.5}]})", "f.json");
  EXPECT_EQ(message_of([&] { (void)file.at("links").elements()[0].at("count").as_integer(1, 8); }),
            "f.json: /links/0/count: is 2.5; a whole number from 1 to 8 is expected");
}

TEST(JsonReader, RefusesUnknownKeysButNotComments) {
  const auto file = JsonReader::parse(R"({"_note": "x", "bandwith": 1})", "f.json");
  EXPECT_EQ(message_of([&] {
              file.allow_only({"bandwidth", "latency"});
            }),
            "f.json: /: key \"bandwith\" is unknown; did you mean \"bandwidth\"? known: bandwidth, "
            "latency");
}

} // namespace
} // namespace decodesim
