#pragma once

#include "sim/plan/plan.hpp"

#include <string>
#include <vector>

namespace decodesim::testing {

/// One line per operation, so that a test can state an exact list: stream, name, layer,
/// micro-batch, work with its sizes, events.
///
///     compute qkv_proj L0 m0: gemm 3x8x8
///     gather all_gather.layer L0 m0: all_gather dp 960 B, waits 2, records 3
///     send send.hidden m1: send 1 hidden 48 B, waits 0
std::vector<std::string> lines(const Program& program, const std::vector<Operation>& operations);

/// "embedding m0", ...: the operations of one stream, without their work.
std::vector<std::string>
names(const Program& program, const std::vector<Operation>& operations, const std::string& stream);

} // namespace decodesim::testing
