#pragma once

#include "validation/executor/kernel_calls.hpp"
#include "validation/executor/weight_pieces.hpp"

#include <cuda_runtime.h>

/// The kernels of plans that are no matrix products: what each computes is said where its call is
/// (validation/executor/kernel_calls.hpp), and by the CPU's version. All enqueue and return.
namespace decodesim {

void launch(const NormCall& call, cudaStream_t stream);
void launch(const HeadNormCall& call, cudaStream_t stream);
void launch(const CacheWriteCall& call, cudaStream_t stream);
void launch(const ActivationCall& call, cudaStream_t stream);
void launch(const SumCall& call, cudaStream_t stream);
void launch(const TopKCall& call, cudaStream_t stream);
void launch(const ExpertSumCall& call, cudaStream_t stream);
void launch(const CombineSumCall& call, cudaStream_t stream);
void launch(const PackRowsCall& call, cudaStream_t stream);
void launch(const EmbeddingCall& call, cudaStream_t stream);
void launch(const SamplingCall& call, cudaStream_t stream);
void launch(const CopyCall& call, cudaStream_t stream);

/// Of the heads of both kinds of attention below.
constexpr int most_head_size = 256;

/// One query token of each sequence; heads of any size up to most_head_size (see DecodeAttention).
void launch_decode_attention(const AttentionCall& call, cudaStream_t stream);
/// Several query tokens of each.
void launch_prefill_attention(const AttentionCall& call, cudaStream_t stream);

/// Rows that a grouped product reads, one pair's after another, to `out`.
void launch_gather_pairs(const GroupedProductCall& call, const Array& out, cudaStream_t stream);

/// Elements of fp32, bf16 or fp16 as fp8 (e4m3) or int8, where 8.0 is the largest int8.
void launch_quantise(const Array& from,
                     const Array& to,
                     std::int64_t elements,
                     cudaStream_t stream);
/// Sums of int8 products to activations, each times `scale`, plus a bias for each column if any.
void launch_dequantise(const std::int32_t* from,
                       const Array& to,
                       std::int64_t rows,
                       std::int64_t columns,
                       float scale,
                       const std::optional<Array>& bias,
                       cudaStream_t stream);
/// Writes a WeightPiece; in int8 the numbers are scaled so that `spread` is 127.
void launch_fill(const Array& array, const WeightPiece& piece, cudaStream_t stream);

} // namespace decodesim
