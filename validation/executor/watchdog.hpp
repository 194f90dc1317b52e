#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace decodesim {

/// Watches a run from a thread of its own, since a host that enqueues work behind a hanging
/// operation hangs in a call of the driver. When the operations that wait are the same for as long
/// as its patience, it hands them over, once.
class Watchdog {
public:
  using Waiting = std::vector<std::string>;

  /// @param waiting  what waits now; called in the watchdog's thread
  /// @param on_hang  called in it, too; may end the program
  Watchdog(std::chrono::milliseconds patience,
           std::function<Waiting()> waiting,
           std::function<void(const Waiting&)> on_hang);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

private:
  std::mutex mutex_;
  std::condition_variable ends_;
  bool is_over_ = false;
  std::thread thread_;
};

} // namespace decodesim
