#pragma once

#include <string_view>

namespace decodesim {

enum class CollectiveKind { all_reduce, all_gather, reduce_scatter, broadcast };

[[nodiscard]] std::string_view to_string(CollectiveKind kind);

} // namespace decodesim
