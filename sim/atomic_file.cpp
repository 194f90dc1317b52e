#include "sim/atomic_file.hpp"

#include "sim/error.hpp"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace decodesim {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t block_bytes = std::size_t{1} << 20;
constexpr mode_t permissions = 0666; // less the process's umask

/// A name in the target's folder that no other process uses, new at each call.
fs::path temporary_name(const fs::path& target) {
  static std::atomic<int> calls{0};
  fs::path name = target;
  name.replace_filename(".decodesim-" + std::to_string(::getpid()) + "-" + std::to_string(calls++) +
                        ".tmp");
  return name;
}

} // namespace

AtomicFile::AtomicFile(fs::path target) : target_{std::move(target)}, final_{target_} {
  if (target_.empty()) {
    throw InputError::at("output", "is an empty path", "give the name of a file");
  }
  std::error_code ignored; // what is wrong with the path shows when it is opened
  const fs::file_status status = fs::status(target_, ignored);
  if (fs::is_directory(status) || !target_.has_filename()) {
    throw InputError::at(target_.string(), "is a folder", "give the name of a file");
  }
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    descriptor_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) {
      fail(errno);
    }
    return;
  }
  if (fs::is_symlink(fs::symlink_status(target_, ignored))) {
    // A rename would replace the link itself.
    if (const fs::path real = fs::weakly_canonical(target_, ignored); !ignored) {
      final_ = real;
    }
  }
  const fs::path folder = final_.has_parent_path() ? final_.parent_path() : fs::path{"."};
  descriptor_ = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, permissions);
  unnamed_ = descriptor_ >= 0; // else the file system has no files without a name, or refuses
  while (descriptor_ < 0) {
    temporary_ = temporary_name(final_);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions);
    if (descriptor_ < 0 && errno != EEXIST) {
      const int error = errno;
      temporary_.clear();
      fail(error);
    }
  }
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : target_{std::move(other.target_)}, final_{std::move(other.final_)},
      temporary_{std::exchange(other.temporary_, {})}, descriptor_{std::exchange(other.descriptor_,
                                                                                 -1)},
      unnamed_{std::exchange(other.unnamed_, false)}, buffer_{std::move(other.buffer_)} {}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::write(std::string_view text) {
  buffer_.append(text);
  if (buffer_.size() >= block_bytes) {
    flush();
  }
}

void AtomicFile::flush() {
  std::string_view rest{buffer_};
  while (!rest.empty()) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      fail(errno);
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  buffer_.clear();
}

void AtomicFile::close() {
  if (descriptor_ < 0) {
    return;
  }
  flush();
  if (unnamed_) {
    give_name();
  }
  buffer_ = std::string{}; // of thousands of closed files, none keeps its block
  if (::close(std::exchange(descriptor_, -1)) != 0) {
    fail(errno);
  }
}

/// Links the file under a temporary name; a link, unlike a rename, never replaces the target.
void AtomicFile::give_name() {
  const auto self = "/proc/self/fd/" + std::to_string(descriptor_);
  do {
    temporary_ = temporary_name(final_);
    if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, temporary_.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      unnamed_ = false;
      return;
    }
  } while (errno == EEXIST);
  const int error = errno;
  temporary_.clear();
  fail(error);
}

void AtomicFile::commit() {
  close();
  if (temporary_.empty()) {
    return;
  }
  std::error_code error;
  fs::rename(temporary_, final_, error);
  if (error) {
    fail(error.value());
  }
  temporary_.clear();
}

void AtomicFile::discard() noexcept {
  if (descriptor_ >= 0) {
    ::close(std::exchange(descriptor_, -1));
  }
  if (!temporary_.empty()) {
    std::error_code ignored;
    fs::remove(temporary_, ignored);
    temporary_.clear();
  }
}

void AtomicFile::fail(int error) {
  discard();
  throw InputError::at(target_.string(),
                       "cannot be written (" + std::generic_category().message(error) + ")",
                       error == ENOENT || error == ENOTDIR ? "give a path in an existing folder"
                                                           : "");
}

void write_file(const fs::path& path, std::string_view text) {
  AtomicFile file{path};
  file.write(text);
  file.commit();
}

} // namespace decodesim
