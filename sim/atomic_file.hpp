#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace decodesim {

/// A file that appears whole or not at all: it is written beside its target under a temporary name
/// and renamed by `commit`. Without a commit nothing is left and an older target is untouched.
///
/// A target that is a device, a pipe or a terminal ("/dev/stdout") is written directly.
class AtomicFile {
public:
  /// @throws InputError naming the target when its folder is missing or not writable, or the target
  ///         is a folder
  explicit AtomicFile(std::filesystem::path target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;

  /// Text is gathered in memory and written in large blocks.
  /// @throws InputError naming the target when the disk is full or fails
  void write(std::string_view text);

  /// Writes what is gathered and closes the file; it still has its temporary name. Sets of files
  /// call this on each before they commit the first.
  /// @throws InputError as `write`
  void close();

  /// Closes the file and gives it its name, replacing an older file.
  /// @throws InputError naming the target
  void commit();

private:
  void flush();
  void give_name();
  void discard() noexcept;
  [[noreturn]] void fail(int error);

  std::filesystem::path target_;    ///< as given, for messages
  std::filesystem::path final_;     ///< with symbolic links followed
  std::filesystem::path temporary_; ///< empty when the target is written directly
  int descriptor_ = -1;
  bool unnamed_ = false; ///< the file has no name yet: nothing is left if the program is killed
  std::string buffer_;
};

/// Writes a whole file, as AtomicFile does.
/// @throws InputError naming the path
void write_file(const std::filesystem::path& path, std::string_view text);

} // namespace decodesim
