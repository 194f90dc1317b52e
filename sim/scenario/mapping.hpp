#pragma once

#include "strategies/layout.hpp"

#include <string>
#include <vector>

namespace decodesim {

/// Machine GPU of each rank of a layout, distinct.
///
/// @param mapping    "tp,pp,dp" in any order, innermost first: ranks that differ in the first axis
/// sit
///                   on neighbouring GPUs; or one GPU index per rank, "0,4,1,5"
/// @param gpu_count  GPUs of the machine
/// @param where      named in messages: "--mapping"
/// @throws InputError when the mapping is neither, or names a GPU twice or one that is not there
/// @throws LayoutError when it does not suit this layout: more ranks than GPUs, or a list of
/// another
///         length
[[nodiscard]] std::vector<int> gpu_of_rank(const std::string& mapping,
                                           const Layout& layout,
                                           int gpu_count,
                                           const std::string& where);

/// Checks what does not depend on a layout. @throws InputError as gpu_of_rank
void check_mapping(const std::string& mapping, int gpu_count, const std::string& where);

} // namespace decodesim
