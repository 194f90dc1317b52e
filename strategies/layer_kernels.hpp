#pragma once

#include "strategies/program_builder.hpp"

#include <cstdint>
#include <string>

/// What the blocks of a layer have in common: names, shapes in the types of the run, buffers.
namespace decodesim {

/// "L3.qkv_proj"
[[nodiscard]] std::string layer_name(int layer, const char* what);

/// Product of m rows with a weight matrix n x k, in the types of weights and activations.
[[nodiscard]] Gemm
gemm(const ProgramBuilder& builder, std::int64_t m, std::int64_t n, std::int64_t k, bool bias);

[[nodiscard]] RowKernel row_kernel(const ProgramBuilder& builder,
                                   RowFunction function,
                                   std::int64_t rows,
                                   std::int64_t read_columns,
                                   std::int64_t write_columns);

BufferId
activation(ProgramBuilder& builder, const char* name, std::int64_t rows, std::int64_t columns);

/// Hidden states of a micro-batch: a pipeline sends them on while the next micro-batch is computed.
BufferId hidden_states(ProgramBuilder& builder, const Pass& pass);

/// The norm before a block: adds the block's input to the residual stream and normalises the sum.
/// In front of a stage's first block the input is the residual stream.
BufferId norm_kernel(
    ProgramBuilder& builder, const Pass& pass, const char* name, int layer, BufferId weights);

} // namespace decodesim
