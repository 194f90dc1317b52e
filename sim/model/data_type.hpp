#pragma once

#include "sim/units.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace decodesim {

/// Element types of weights, cache and activations. Enumerators are the names used in files and
/// flags.
enum class DataType {
  fp32,
  bf16,
  fp16,
  fp8,
  int8,
  int4,     ///< a scale per 128 weights
  int4_g64, ///< per 64
  int4_g32, ///< per 32
  mxfp4,
  q4_0,   ///< GGUF, blocks of 32 weights with a scale
  q4_k_m, ///< GGUF's usual mixture of 4 and 6 bits
  q8_0    ///< GGUF, blocks of 32 weights with a scale
};

/// Bytes that one stored element takes, scales included.
///
/// int4 is group-wise quantisation with one 16-bit scale per 128 weights (GPTQ's and AWQ's usual
/// group size): 4 + 16/128 = 4.125 bits; int4_g64 4.25, int4_g32 4.5. mxfp4 has one 8-bit scale per
/// 32 weights: 4 + 8/32 = 4.25 bits (OCP Microscaling Formats Specification 1.0, section 5). GGUF's
/// q4_0 and q8_0 have a 16-bit scale per 32 weights: 4.5 and 8.5 bits (llama.cpp, ggml-common.h);
/// q4_k_m mixes types: 4.85 bits on average over a Llama model (llama.cpp, quantize README). int8
/// and fp8 keep one scale per channel, block or tensor, which is left out (below 0.1 %).
[[nodiscard]] Bytes element_bytes(DataType type);

/// Whether the type is a quantised format of linear weights. Norms then stay in bf16, and embedding
/// and LM head too, as in GPTQ, AWQ and fp8 checkpoints, unless quantises_tables().
[[nodiscard]] bool is_quantised(DataType type);

/// Whether embedding and LM head have the type as well, as in GGUF files.
[[nodiscard]] bool quantises_tables(DataType type);

/// Type in which products with weights of this type are computed: fp32, bf16, fp16, fp8 or int8 as
/// such; those of 4 bits and GGUF's are widened to bf16 (weight-only quantisation).
[[nodiscard]] DataType compute_type(DataType weight_type);

[[nodiscard]] std::string to_string(DataType type);

/// @throws InputError naming `where` when the name is not a known type
[[nodiscard]] DataType data_type_named(std::string_view name, std::string_view where);

[[nodiscard]] std::vector<std::string> data_type_names();

} // namespace decodesim
