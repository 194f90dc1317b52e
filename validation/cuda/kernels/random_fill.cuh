#pragma once

#include "sim/model/data_type.hpp"

#include <cstdint>
#include <cuda_runtime.h>

namespace decodesim {

/// Fills `elements` values of a type with pseudo-random numbers in [-scale, scale), which depend on
/// seed and index alone (so that a shard equals the part of the whole at the same index). int8: the
/// nearest whole numbers.
/// @throws DeviceError for types other than fp32, bf16, fp16, fp8 (e4m3) and int8
void fill_random(void* data,
                 std::int64_t elements,
                 DataType type,
                 float scale,
                 std::uint64_t seed,
                 cudaStream_t stream);

} // namespace decodesim
