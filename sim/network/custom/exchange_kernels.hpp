#pragma once

#include "sim/network/path.hpp"

#include <optional>
#include <string>
#include <vector>

/// Kernels that take tokens to their experts and back.
namespace decodesim::custom {

/// t = base + (n-1) per_peer + bytes that a GPU sends or receives / bandwidth.
struct ExchangeCost {
  Seconds base;
  Seconds per_peer;
  BytesPerSecond bandwidth; ///< of a GPU and direction
};

/// Ways of exchanging tokens, as in `--moe-kernels`: "nccl" (NCCL's grouped sends and receives),
/// "deepep-ll" and "deepep-normal" (DeepEP's kernels).
[[nodiscard]] std::vector<std::string> exchange_kernel_names();

/// @throws InputError naming `where` and the known names
[[nodiscard]] std::string exchange_kernels_named(const std::string& name, const std::string& where);

/// Whether they send a token once for each of its experts, not once for each GPU that has some.
[[nodiscard]] bool copies_for_each_expert(const std::string& name);

/// Bytes on the wire for a byte of the rows, over whatever links.
/// @param combine  the way back
[[nodiscard]] double bytes_ratio(const std::string& name, bool combine);

/// What an exchange costs over one transport; nothing where the kernels were not measured over it:
/// then they cost what the machine's transport does.
/// @param combine  the way back
/// @param machine_bandwidth  of the machine's transport
/// @throws InputError with the JSON pointer of the first mistake in `sim/network/custom/fits`
[[nodiscard]] std::optional<ExchangeCost> exchange_cost(const std::string& name,
                                                        bool combine,
                                                        Transport transport,
                                                        int compute_capability,
                                                        BytesPerSecond machine_bandwidth);

} // namespace decodesim::custom
