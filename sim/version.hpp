#pragma once

#include <string>

namespace decodesim {

/// "0.1.0": what results quote.
[[nodiscard]] std::string version();

/// Commit that the program was built from ("1a2b3c4d5e6f", "-dirty" with local changes); "unknown"
/// outside a git checkout.
[[nodiscard]] std::string revision();

} // namespace decodesim
