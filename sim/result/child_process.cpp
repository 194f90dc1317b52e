#include "sim/result/child_process.hpp"

#include "sim/error.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <iterator>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace decodesim {

namespace {

/// What a frame of the pipe holds: one of these, the payload's length, the payload.
enum class Frame : char {
  report = 'P',
  result = 'R',
  input_error = 'I',
  layout_error = 'L',
  simulation_error = 'S',
  other_error = 'X'
};

std::runtime_error system_failure(const std::string& what) {
  return std::runtime_error{what + ": " + std::strerror(errno)};
}

// ------------------------------------------------------------------------------ in the child

void write_all(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    const auto written = ::write(fd, data, size);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      ::_exit(1); // the parent is gone
    }
    data += written;
    size -= static_cast<std::size_t>(written);
  }
}

void send(int fd, Frame frame, const std::string& payload) {
  const auto kind = static_cast<char>(frame);
  const std::uint64_t size = payload.size();
  std::string bytes(1 + sizeof size, kind);
  std::memcpy(bytes.data() + 1, &size, sizeof size);
  bytes += payload;
  write_all(fd, bytes.data(), bytes.size());
}

[[noreturn]] void run_child(const ChildTask& task, int fd, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) {
    ::_exit(1); // the parent died before prctl
  }
  try {
    const auto report = [fd](int step, int steps) {
      send(fd, Frame::report, std::to_string(step) + " " + std::to_string(steps));
    };
    send(fd, Frame::result, task.work(report));
  } catch (const LayoutError& problem) {
    send(fd, Frame::layout_error, problem.what());
  } catch (const InputError& problem) {
    send(fd, Frame::input_error, problem.what());
  } catch (const SimulationError& problem) {
    send(fd, Frame::simulation_error, problem.what());
  } catch (const std::exception& problem) {
    send(fd, Frame::other_error, problem.what());
  } catch (...) {
    send(fd, Frame::other_error, "unknown exception");
  }
  std::cout.flush();
  std::fflush(nullptr);
  ::_exit(0); // destructors of statics belong to the parent
}

// ----------------------------------------------------------------------------- in the parent

/// A running child; killed and waited for when it goes out of scope.
class Child {
public:
  Child(const ChildTask& task, std::size_t index) : task_{&task}, index_{index} {
    int ends[2];
    if (::pipe(ends) != 0) {
      throw system_failure("cannot open a pipe");
    }
    const auto parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      run_child(task, ends[1], parent);
    }
    const auto failure = errno;
    ::close(ends[1]);
    fd_ = ends[0];
    if (pid_ < 0) {
      ::close(fd_);
      errno = failure;
      throw system_failure("cannot start a process");
    }
  }

  Child(Child&& other) noexcept
      : task_{other.task_}, index_{other.index_}, pid_{std::exchange(other.pid_, -1)},
        fd_{std::exchange(other.fd_, -1)}, unread_{std::move(other.unread_)}, result_{std::move(
                                                                                  other.result_)} {}

  Child& operator=(Child&& other) noexcept {
    std::swap(task_, other.task_);
    std::swap(index_, other.index_);
    std::swap(pid_, other.pid_);
    std::swap(fd_, other.fd_);
    std::swap(unread_, other.unread_);
    std::swap(result_, other.result_);
    return *this;
  }

  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      (void)wait();
    }
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }

  [[nodiscard]] int fd() const { return fd_; }

  [[nodiscard]] std::size_t index() const { return index_; }

  [[nodiscard]] std::string take_result() { return std::move(*result_); }

  /// Handles what has arrived. @return false once the child has ended with a result
  bool read() {
    char buffer[65536];
    const auto count = ::read(fd_, buffer, sizeof buffer);
    if (count < 0) {
      if (errno == EINTR) {
        return true;
      }
      throw system_failure("cannot read from a process");
    }
    if (count > 0) {
      unread_.append(buffer, static_cast<std::size_t>(count));
      handle_frames();
      return true;
    }
    const int status = wait();
    if (!result_) {
      throw std::runtime_error{task_->name + ": " + death(status)};
    }
    return false;
  }

private:
  void handle_frames() {
    constexpr std::size_t header = 1 + sizeof(std::uint64_t);
    while (unread_.size() >= header) {
      std::uint64_t size = 0;
      std::memcpy(&size, unread_.data() + 1, sizeof size);
      if (unread_.size() - header < size) {
        return;
      }
      const auto frame = static_cast<Frame>(unread_[0]);
      auto payload = unread_.substr(header, size);
      unread_.erase(0, header + size);
      handle(frame, std::move(payload));
    }
  }

  void handle(Frame frame, std::string payload) {
    const auto named = [&] { return task_->name + ": " + payload; };
    switch (frame) {
    case Frame::report:
      if (task_->on_report) {
        char* end = nullptr;
        const auto step = std::strtol(payload.c_str(), &end, 10);
        const auto steps = std::strtol(end, nullptr, 10);
        task_->on_report(static_cast<int>(step), static_cast<int>(steps));
      }
      return;
    case Frame::result:
      result_ = std::move(payload);
      return;
    case Frame::input_error:
      throw InputError{named()};
    case Frame::layout_error:
      throw LayoutError{named()};
    case Frame::simulation_error:
      throw SimulationError{named()};
    case Frame::other_error:
      throw std::runtime_error{named()};
    }
  }

  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

  static std::string death(int status) {
    if (WIFSIGNALED(status)) {
      const int number = WTERMSIG(status);
      return "its process was killed by signal " + std::to_string(number) + " (" +
             ::strsignal(number) + ")" +
             (number == SIGKILL ? "; memory may have run out, use fewer processes at once" : "");
    }
    return "its process ended with code " + std::to_string(WEXITSTATUS(status)) + " and no result";
  }

  const ChildTask* task_;
  std::size_t index_;
  pid_t pid_ = -1;
  int fd_ = -1;
  std::string unread_;
  std::optional<std::string> result_;
};

} // namespace

std::vector<std::string> run_in_children(const std::vector<ChildTask>& tasks, int at_once) {
  std::vector<std::string> results(tasks.size());
  std::vector<Child> running;
  std::size_t next = 0;
  while (next < tasks.size() || !running.empty()) {
    while (next < tasks.size() && running.size() < static_cast<std::size_t>(std::max(1, at_once))) {
      // A child must not inherit text that is still to be written: it would write it again.
      std::cout.flush();
      std::fflush(nullptr);
      running.emplace_back(tasks[next], next);
      ++next;
    }
    std::vector<pollfd> waiting;
    for (const auto& child : running) {
      waiting.push_back({.fd = child.fd(), .events = POLLIN, .revents = 0});
    }
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) {
      throw system_failure("cannot wait for processes");
    }
    for (std::size_t i = running.size(); i-- > 0;) {
      if (waiting[i].revents != 0 && !running[i].read()) {
        results[running[i].index()] = running[i].take_result();
        running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }
  return results;
}

} // namespace decodesim
