#include "validation/cuda/gpu_monitor.hpp"
#include "validation/cuda/probes/probe_list.hpp"
#include "validation/cuda/probes/probe_process.hpp"
#include "validation/cuda/tests/any_device.hpp"
#include "validation/measure/sample_statistics.hpp"

#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <unistd.h>

namespace decodesim {
namespace {

const Probe& probe_named(const std::string& name) {
  const auto& probes = all_probes();
  return *std::find_if(
      probes.begin(), probes.end(), [&](const auto& one) { return one.name == name; });
}

constexpr ProbeSession::Limits limits{.rule = {.least_seconds = 0.005, .most_seconds = 0.2},
                                      .seconds = 30};

class Instrument : public OnDevice {};

// A launch begins a few microseconds after the one before has ended, and %globaltimer moves in
// steps of up to a microsecond: no less than what the kernel spins, less one step, and at most 5 us
// more.
TEST_F(Instrument, ReportsTheTimeThatAKernelSpins) {
  const auto points = run_probe(probe_named("spin"), limits);
  ASSERT_EQ(points.size(), 3u);
  for (const auto& point : points) {
    ASSERT_EQ(point.reason, "");
    const double expected = static_cast<double>(point.number("nanoseconds")) * 1e-3;
    const double median = statistics_of(point.samples_us).median;
    EXPECT_GE(median, expected - 1.0);
    EXPECT_LE(median, expected + 5.0);
  }
}

TEST_F(Instrument, AnEmptyKernelTakesMicroseconds) {
  const auto points = run_probe(probe_named("launch"), limits);
  ASSERT_EQ(points.size(), 7u);
  for (const auto& point : points) {
    ASSERT_EQ(point.reason, "");
    if (point.text("kind") == "device") {
      EXPECT_GT(statistics_of(point.samples_us).median, 0.3);
      EXPECT_LT(statistics_of(point.samples_us).median, 20.0);
    }
  }
}

// The rest needs no device.

TEST(ProbeProcess, GathersLines) {
  const auto end = run_in_process(
      [](const auto& write) {
        write("one");
        write("two");
      },
      10);
  EXPECT_EQ(end.lines, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(end.failure, "");
}

TEST(ProbeProcess, KeepsLinesOfWhatFails) {
  const auto end = run_in_process(
      [](const auto& write) {
        write("one");
        throw std::runtime_error{"out of luck"};
      },
      10);
  EXPECT_EQ(end.lines, std::vector<std::string>{"one"});
  EXPECT_EQ(end.failure, "out of luck");
}

TEST(ProbeProcess, KeepsLinesOfWhatCrashes) {
  const auto end = run_in_process(
      [](const auto& write) {
        write("one");
        raise(SIGKILL);
      },
      10);
  EXPECT_EQ(end.lines, std::vector<std::string>{"one"});
  EXPECT_EQ(end.failure, "was ended by signal 9");
}

TEST(ProbeProcess, EndsWhatHangs) {
  const auto end = run_in_process(
      [](const auto& write) {
        write("one");
        pause();
      },
      0.2);
  EXPECT_EQ(end.lines, std::vector<std::string>{"one"});
  EXPECT_EQ(end.failure, "did not end within 0 s");
}

TEST(ProbeSession, GoesOnAfterAPointThatFails) {
  std::vector<ProbeResult> points;
  ProbeSession session{
      "mine", limits, [&](ProbeResult point) { points.push_back(std::move(point)); }};
  session.point({}, [](ProbeResult&) { throw std::runtime_error{"out of memory"}; });
  session.point({}, [](ProbeResult& point) { point.samples_us = {1.0}; });
  session.finish();
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[0].name, "mine");
  EXPECT_EQ(points[0].reason, "out of memory");
  EXPECT_EQ(points[1].samples_us, std::vector<double>{1.0});
}

TEST(ProbeSession, TellsWhatTheTimeLimitLeftOut) {
  std::vector<ProbeResult> points;
  auto none = limits;
  none.seconds = -1;
  ProbeSession session{
      "mine", none, [&](ProbeResult point) { points.push_back(std::move(point)); }};
  session.point({}, [](ProbeResult& point) { point.samples_us = {1.0}; });
  session.point({}, [](ProbeResult& point) { point.samples_us = {1.0}; });
  session.finish();
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0].number("points_left_out"), 2);
}

// Half of a round trip on loopback: more than a system call, less than a slow disk.
TEST(SocketPingPong, TakesMicroseconds) {
  const auto points = run_probe(probe_named("socket_ping_pong"), limits);
  ASSERT_EQ(points.size(), 9u);
  for (const auto& point : points) {
    ASSERT_EQ(point.reason, "");
    EXPECT_GT(statistics_of(point.samples_us).median, 0.5);
  }
  EXPECT_LT(statistics_of(points.front().samples_us).median,
            statistics_of(points.back().samples_us).median);
}

// With a device there are times; without one every rank fails, and none is left waiting.
TEST(Collectives, EndWithTimesOrReasons) {
  auto few = limits;
  few.seconds = 5;
  const auto points = run_probe(probe_named("collective"), few);
  ASSERT_FALSE(points.empty());
  for (const auto& point : points) {
    EXPECT_NE(point.samples_us.empty(), point.reason.empty()) << point.reason;
  }
}

TEST(GpuMonitor, NamesThrottleReasons) {
  EXPECT_TRUE(throttle_reason_names(0x1).empty());
  EXPECT_EQ(throttle_reason_names(0x1 | 0x4 | 0x40),
            (std::vector<std::string>{"sw_power_cap", "hw_thermal_slowdown"}));
}

} // namespace
} // namespace decodesim
