#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace decodesim {

/// Where the ranks of a run leave messages for each other: files of a folder that all of them see.
/// Each message is written once and may be read by all.
class Rendezvous {
public:
  /// @param patience  how long a message is waited for
  Rendezvous(std::filesystem::path folder, std::chrono::seconds patience);

  /// @throws InputError when the folder cannot be written to
  void put(const std::string& name, const std::string& text) const;

  /// Waits for the message.
  /// @throws SimulationError naming it when it does not come
  [[nodiscard]] std::string get(const std::string& name) const;

  /// Returns when all ranks have called it with this name.
  void meet(const std::string& name, int rank, int ranks) const;

private:
  std::filesystem::path folder_;
  std::chrono::seconds patience_;

  [[nodiscard]] std::filesystem::path path(const std::string& name) const;
};

} // namespace decodesim
