#include "sim/error.hpp"

#include <algorithm>
#include <numeric>

namespace decodesim {

InputError
InputError::at(std::string_view where, std::string_view found, std::string_view allowed) {
  std::string text{where};
  text.append(": ").append(found);
  if (!allowed.empty()) {
    text.append("; ").append(allowed);
  }
  return InputError{text};
}

InputError InputError::unknown_name(std::string_view where,
                                    std::string_view what,
                                    std::string_view name,
                                    const std::vector<std::string>& known) {
  const auto found = std::string{what} + " \"" + std::string{name} + "\" is unknown";
  std::string allowed;
  if (const auto near = nearest_name(name, known); !near.empty()) {
    allowed = "did you mean \"" + near + "\"? ";
  }
  allowed += "known:";
  for (const auto& one : known) {
    allowed += (&one == known.data() ? " " : ", ") + one;
  }
  return at(where, found, allowed);
}

namespace {

/// Levenshtein distance, one row at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

} // namespace

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
  // The beginning of a name, well begun: the first that continues it.
  for (const auto& one : known) {
    if (name.size() >= 3 && one.starts_with(name)) {
      return one;
    }
  }
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const auto& one : known) {
    if (const auto distance = edit_distance(name, one); distance < best_distance) {
      best_distance = distance;
      best = one;
    }
  }
  return best;
}

} // namespace decodesim
