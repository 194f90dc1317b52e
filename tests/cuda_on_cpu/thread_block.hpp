#pragma once

#include <cstddef>
#include <cuda_runtime.h>
#include <functional>

/// The threads of a block, each a fiber of its own: it runs until it has to wait for others.
namespace cuda_on_cpu {

extern uint3 thread_index;
extern uint3 block_index;
extern dim3 block_size;
extern dim3 grid_size;

/// Runs the threads of block `block_index`. It is a breach if some wait for others that never come.
/// @param draw           number of the block's own, for the order of its threads
/// @param dynamic_bytes  of its shared memory
/// @param static_bytes   most that its variables in shared memory may take
void run_block(const std::function<void()>& thread,
               unsigned draw,
               std::size_t dynamic_bytes,
               std::size_t static_bytes);

// What threads call. `line` is the source's, for messages and since all have to wait at the same
// one.

/// __syncthreads()
void wait_for_block(int line);

/// Puts the value of another lane over the own one. @param bytes  16 at most
void exchange_with_lane(void* value, std::size_t bytes, unsigned mask, int lane, int line);

[[nodiscard]] int own_lane();

[[nodiscard]] void* dynamic_shared_memory();

/// A variable in shared memory: each block finds NaN in it.
void use_shared_variable(void* variable, std::size_t bytes);

} // namespace cuda_on_cpu
