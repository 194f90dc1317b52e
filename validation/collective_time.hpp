#pragma once

#include "sim/engine/communication.hpp"

#include <memory>
#include <string>
#include <vector>

namespace decodesim {

/// Collectives among some GPUs of a machine, with nothing else going on.
class CollectiveBench {
public:
  /// @param gpus         machine GPU indices, at least 2
  /// @param collectives  registered collective algorithm
  CollectiveBench(Machine machine, std::vector<int> gpus, const std::string& collectives);
  ~CollectiveBench();

  [[nodiscard]] Seconds time(CollectiveKind kind, Bytes total_bytes) const;

  /// Algorithm and protocol that NCCL chooses: "ring-ll".
  [[nodiscard]] std::string chosen(CollectiveKind kind, Bytes total_bytes) const;

  /// The GPUs as their collectives see them.
  [[nodiscard]] const GroupNetwork& network() const;

  /// Tokens to their experts, drawn evenly, or back: every GPU sends the same to every other.
  /// @param kernels  see exchange_kernel_names()
  struct TokenExchange {
    std::string kernels;
    double tokens = 0; ///< of each GPU
    Bytes token_bytes; ///< in 16 bits
    int experts_per_token = 1;
    Exchange::Direction direction = Exchange::Direction::dispatch;
  };

  [[nodiscard]] Seconds exchange(const TokenExchange& exchange) const;

  [[nodiscard]] BytesPerSecond bandwidth(LinkDirection link) const;

  /// A message from the first GPU to the second.
  [[nodiscard]] Seconds message(Bytes bytes) const;

private:
  Machine machine_;
  std::vector<int> gpus_;
  SimulationOptions options_;
  Plan plan_;
  std::unique_ptr<Communication> communication_;
};

} // namespace decodesim
