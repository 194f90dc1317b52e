#include "validation/executor/watchdog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

using namespace decodesim;
using ::testing::ElementsAre;

TEST(WatchdogThread, HandsOverWhatWaitsForTooLong) {
  std::promise<Watchdog::Waiting> hang;
  const Watchdog watchdog{std::chrono::milliseconds{1},
                          [] { return Watchdog::Waiting{"send.hidden m0"}; },
                          [&hang](const Watchdog::Waiting& waiting) { hang.set_value(waiting); }};
  EXPECT_THAT(hang.get_future().get(), ElementsAre("send.hidden m0"));
}

// What waits changes each time, then nothing waits: no hang, however long it takes.
TEST(WatchdogThread, LetsARunGoOnThatDoes) {
  std::atomic<int> asked = 0;
  std::atomic<bool> hangs = false;
  std::promise<void> enough;
  {
    const Watchdog watchdog{std::chrono::milliseconds{1},
                            [&] {
                              const int now = ++asked;
                              if (now == 8) {
                                enough.set_value();
                              }
                              return now < 4 ? Watchdog::Waiting{"op " + std::to_string(now)}
                                             : Watchdog::Waiting{};
                            },
                            [&hangs](const Watchdog::Waiting&) { hangs = true; }};
    enough.get_future().wait();
  }
  EXPECT_FALSE(hangs);
}
