#pragma once

#include "sim/result/result.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

/// Where results go and how they look.
namespace decodesim {

struct OutputFlags {
  std::optional<std::string> format;
  std::optional<std::string> file;
  std::optional<std::string> colour;
};

/// @param formats  names that the command's --format takes, the default first
void add_output_flags(CLI::App& app,
                      OutputFlags& flags,
                      const std::vector<std::string>& formats,
                      bool with_colour);

/// Results of one command. Made before the work, so that a wrong flag or an unwritable file is
/// found before a long simulation; writes everything at once, so that nothing is left half-written.
class Output {
public:
  /// @param formats  names that --format takes, the default first
  /// @throws InputError naming the flag or file
  Output(const OutputFlags& flags, const std::vector<std::string>& formats);

  [[nodiscard]] const std::string& format() const { return format_; }

  /// Whether text is coloured: always or never as asked, else on a terminal unless NO_COLOR is set.
  [[nodiscard]] bool colour() const { return colour_; }

  /// To the file if one was named, else to stdout. @throws InputError naming the file
  void write(const std::string& text) const;

private:
  std::string format_;
  bool colour_ = false;
  std::optional<std::string> file_;
};

/// @throws InputError naming `path` when no file can be written there; leaves nothing behind
void check_writable(const std::filesystem::path& path);

/// A folder that is made when it is missing and removed again when nothing was put into it.
class OutputFolder {
public:
  /// @throws InputError naming the path when it cannot be made or written to
  explicit OutputFolder(std::filesystem::path path);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
  std::vector<std::filesystem::path> made_; ///< innermost first
};

} // namespace decodesim
