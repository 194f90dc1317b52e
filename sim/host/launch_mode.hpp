#pragma once

#include <string>

namespace decodesim {

/// How a host gets its GPU to work. Enumerators are the names used in flags and files.
enum class LaunchMode {
  graph, ///< one launch per step (CUDA graph); prefill is launched eagerly
  eager  ///< one host launch per operation; a step is host-bound when kernels are shorter than that
};

[[nodiscard]] std::string to_string(LaunchMode mode);
/// @throws InputError naming `where` and the known names
[[nodiscard]] LaunchMode launch_mode_named(const std::string& name, const std::string& where);

} // namespace decodesim
