#pragma once

#include "sim/error.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace decodesim {

/// A file of the running test, removed with this.
class InputFile {
public:
  explicit InputFile(std::string_view text, const std::string& name = "input.json")
      : folder_{std::filesystem::path{::testing::TempDir()} /
                (std::string{"decodesim-"} + this_test().test_suite_name() + "-" +
                 this_test().name())},
        path_{folder_ / name} {
    std::filesystem::create_directories(folder_);
    std::ofstream{path_} << text;
  }

  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  ~InputFile() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// Message of the InputError that `action` throws, with the file's bare name for its path.
  template <class Action> [[nodiscard]] std::string message_of(Action action) const {
    try {
      action();
    } catch (const InputError& problem) {
      std::string text = problem.what();
      if (const auto at = text.find(path_.string()); at != std::string::npos) {
        text.replace(at, path_.string().size(), path_.filename().string());
      }
      return text;
    }
    return "no InputError";
  }

private:
  /// Tests run side by side, so each has a folder of its own.
  static const ::testing::TestInfo& this_test() {
    return *::testing::UnitTest::GetInstance()->current_test_info();
  }

  std::filesystem::path folder_;
  std::filesystem::path path_;
};

/// `text` with its only occurrence of `from` replaced; a test that no longer applies fails.
[[nodiscard]] inline std::string
changed(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  EXPECT_EQ(text.find(from, at + 1), std::string::npos) << "occurs twice: " << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

} // namespace decodesim
