#include "validation/cuda/probes/probe_process.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <poll.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace decodesim {

namespace {

/// Begins the line that tells why `work` threw.
constexpr const char* failure_mark = "!";

/// After a probe's own limit: for the point that it is at, and for its end.
constexpr double grace_s = 20;

void write_line(int descriptor, const std::string& line) {
  const auto text = line + "\n";
  for (std::size_t written = 0; written < text.size();) {
    const auto more = write(descriptor, text.data() + written, text.size() - written);
    if (more < 0 && errno != EINTR) {
      _exit(1); // nobody reads any more
    }
    written += more > 0 ? static_cast<std::size_t>(more) : 0;
  }
}

[[noreturn]] void
run_child(const std::function<void(const std::function<void(const std::string&)>&)>& work,
          int descriptor) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    work([descriptor](const std::string& line) { write_line(descriptor, line); });
  } catch (const std::exception& problem) {
    write_line(descriptor, std::string{failure_mark} + problem.what());
    _exit(1);
  }
  _exit(0);
}

/// Reads until all writers are gone. @returns whether that was within the limit
bool read_all(int descriptor, double limit_s, std::string& text) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(limit_s);
  std::array<char, 65536> block{};
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd waiting{.fd = descriptor, .events = POLLIN, .revents = 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready < 0 && errno == EINTR) {
      continue;
    }
    if (ready <= 0) {
      return false;
    }
    const auto count = read(descriptor, block.data(), block.size());
    if (count <= 0) {
      return true;
    }
    text.append(block.data(), static_cast<std::size_t>(count));
  }
}

/// Whole lines; what a killed process left without a line break is dropped.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t start = 0;
  for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
    lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

} // namespace

LineProcessEnd
run_in_process(const std::function<void(const std::function<void(const std::string&)>&)>& work,
               double limit_s) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) {
    throw std::runtime_error{std::string{"cannot make a pipe: "} + std::strerror(errno)};
  }
  std::fflush(nullptr);
  const pid_t process = fork();
  if (process < 0) {
    throw std::runtime_error{std::string{"cannot start a process: "} + std::strerror(errno)};
  }
  if (process == 0) {
    close(ends[0]);
    run_child(work, ends[1]);
  }
  close(ends[1]);
  setpgid(process, process); // either of both is first
  std::string text;
  const bool in_time = read_all(ends[0], limit_s, text);
  close(ends[0]);
  kill(-process, SIGKILL);
  int status = 0;
  waitpid(process, &status, 0);

  LineProcessEnd end{.lines = lines_of(text)};
  if (!end.lines.empty() && end.lines.back().starts_with(failure_mark)) {
    end.failure = end.lines.back().substr(1);
    end.lines.pop_back();
  } else if (!in_time) {
    end.failure = "did not end within " + std::to_string(static_cast<int>(limit_s)) + " s";
  } else if (WIFSIGNALED(status)) {
    end.failure = "was ended by signal " + std::to_string(WTERMSIG(status));
  }
  return end;
}

std::vector<ProbeResult> run_probe(const Probe& probe, const ProbeSession::Limits& limits) {
  const auto end = run_in_process(
      [&](const std::function<void(const std::string&)>& write) {
        ProbeSession session{
            probe.name, limits, [&](const ProbeResult& point) { write(probe_line(point)); }};
        probe.run(session);
        session.finish();
      },
      limits.seconds + grace_s);
  std::vector<ProbeResult> points;
  for (const auto& line : end.lines) {
    points.push_back(parse_probe_line(line));
  }
  if (!end.failure.empty()) {
    points.push_back({.name = probe.name, .reason = end.failure});
  }
  return points;
}

} // namespace decodesim
