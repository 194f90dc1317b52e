#pragma once

#include "sim/error.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace decodesim {

/// A new empty folder below TMPDIR or the system's, removed with its content at the end of its
/// scope.
class TemporaryFolder {
public:
  /// @throws InputError when none can be made
  TemporaryFolder() {
    // mkdtemp puts letters of its choice in place of the Xs.
    std::string pattern = (std::filesystem::temp_directory_path() / "decodesim-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      throw InputError::at(
          pattern, "cannot be made", "set TMPDIR to a folder that can be written to");
    }
    path_ = pattern;
  }

  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
    return path_ / name;
  }

  /// Names of everything in it, hidden files included, in alphabetical order.
  [[nodiscard]] std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator{path_}) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

private:
  std::filesystem::path path_;
};

} // namespace decodesim
