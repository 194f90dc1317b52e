#pragma once

#include "strategies/program_builder.hpp"

#include <cstdint>
#include <functional>
#include <string>

/// What the blocks of a transformer are written with: one product, one row-wise kernel, the norm
/// before a block.
namespace decodesim {

/// Names the buffer that a matrix is read from: resident, or gathered for the moment.
using WeightBuffer = std::function<BufferId(const std::string& name)>;

/// "L3.qkv_proj"
[[nodiscard]] std::string layer_name(int layer, const char* what);

/// A linear layer in the builder's precision: `m` tokens, `n` outputs, `k` inputs.
[[nodiscard]] Gemm
gemm(const ProgramBuilder& builder, std::int64_t m, std::int64_t n, std::int64_t k, bool bias);

/// A row-wise kernel over activations.
[[nodiscard]] RowKernel row_kernel(const ProgramBuilder& builder,
                                   RowFunction function,
                                   std::int64_t rows,
                                   std::int64_t read_columns,
                                   std::int64_t write_columns);

BufferId
activation(ProgramBuilder& builder, const char* name, std::int64_t rows, std::int64_t columns);

/// Rows of the residual stream that this rank keeps between the blocks: the pass's tokens, or its
/// part of them, rounded up.
[[nodiscard]] std::int64_t stream_rows(const ProgramBuilder& builder, const Pass& pass);

/// Rows that every rank has put a part of, whole again on all of them (an all-gather over tp):
/// nothing to do unless the rows are cut.
/// @param part  stream_rows() x hidden size
/// @return  all rows
BufferId
gather_rows(ProgramBuilder& builder, const Pass& pass, const char* name, int layer, BufferId part);

/// Hidden states of a micro-batch: a pipeline sends them on while the next micro-batch is computed.
BufferId hidden_states(ProgramBuilder& builder, const Pass& pass);

/// Declares an n x k matrix of a layer, and its bias if any, as resident weights.
void declare_matrix(ProgramBuilder& builder,
                    int layer,
                    const char* name,
                    std::int64_t n,
                    std::int64_t k,
                    bool bias);

/// Declares the norm over the hidden states that a block of a layer has.
void declare_norm(ProgramBuilder& builder, int layer, const char* name);

/// The norm before a block: adds the block's input to the residual stream and normalises the sum.
/// In front of a stage's first block the input is the residual stream.
/// @return  the normalised hidden states
BufferId norm_kernel(
    ProgramBuilder& builder, const Pass& pass, const char* name, int layer, BufferId weights);

/// The norm behind a block of models that have such (`Model::post_norms`), over the summed output;
/// nothing in others.
void post_norm_kernel(ProgramBuilder& builder,
                      const Pass& pass,
                      const char* name,
                      int layer,
                      const WeightBuffer& weights);

} // namespace decodesim
