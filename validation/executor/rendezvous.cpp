#include "validation/executor/rendezvous.hpp"

#include "sim/atomic_file.hpp"
#include "sim/error.hpp"

#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

namespace decodesim {

Rendezvous::Rendezvous(std::filesystem::path folder, std::chrono::seconds patience)
    : folder_{std::move(folder)}, patience_{patience} {}

/// Names of communicators have brackets and commas, but no slash.
std::filesystem::path Rendezvous::path(const std::string& name) const { return folder_ / name; }

void Rendezvous::put(const std::string& name, const std::string& text) const {
  write_file(path(name), text);
}

std::string Rendezvous::get(const std::string& name) const {
  const auto end = std::chrono::steady_clock::now() + patience_;
  while (!std::filesystem::exists(path(name))) {
    if (std::chrono::steady_clock::now() > end) {
      throw SimulationError{"\"" + name + "\" did not come in " +
                            std::to_string(patience_.count()) + " s: another rank has ended"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  std::ifstream file{path(name), std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

void Rendezvous::meet(const std::string& name, int rank, int ranks) const {
  put(name + "." + std::to_string(rank), "");
  for (int other = 0; other < ranks; ++other) {
    (void)get(name + "." + std::to_string(other));
  }
}

} // namespace decodesim
