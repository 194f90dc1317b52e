#include "validation/executor/watchdog.hpp"

#include <utility>

namespace decodesim {

Watchdog::Watchdog(std::chrono::milliseconds patience,
                   std::function<Waiting()> waiting,
                   std::function<void(const Waiting&)> on_hang)
    : thread_{[this, patience, waiting = std::move(waiting), on_hang = std::move(on_hang)] {
        Waiting before;
        std::unique_lock lock{mutex_};
        while (!ends_.wait_for(lock, patience, [this] { return is_over_; })) {
          auto now = waiting();
          if (!now.empty() && now == before) {
            on_hang(now);
            return;
          }
          before = std::move(now);
        }
      }} {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock{mutex_};
    is_over_ = true;
  }
  ends_.notify_all();
  thread_.join();
}

} // namespace decodesim
