#include "sim/cli/progress.hpp"

#include <iostream>
#include <sys/ioctl.h>
#include <unistd.h>

namespace decodesim {

namespace {

std::size_t terminal_width() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

constexpr const char* erase_line = "\r\x1b[K";

} // namespace

ProgressLine::ProgressLine(int layouts)
    : layouts_{layouts}, terminal_{::isatty(STDERR_FILENO) == 1} {}

ProgressLine::~ProgressLine() {
  if (!shown_.empty()) {
    std::cerr << erase_line << std::flush;
  }
}

void ProgressLine::show(const std::string& layout, int step, int steps) {
  if (!terminal_ || steps <= 0) {
    return;
  }
  percent_of_layout_[layout] = static_cast<int>(100LL * step / steps);
  int done = 0;
  std::string running;
  for (const auto& [name, percent] : percent_of_layout_) {
    if (percent >= 100) {
      ++done;
    } else {
      running += "  " + name + " " + std::to_string(percent) + " %";
    }
  }
  auto text = "simulated " + std::to_string(done) + " of " + std::to_string(layouts_) + running;
  text.resize(std::min(text.size(), terminal_width() - 1));
  if (text != shown_) {
    shown_ = text;
    std::cerr << erase_line << text << std::flush;
  }
}

} // namespace decodesim
