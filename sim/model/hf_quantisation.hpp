#pragma once

#include "sim/json_reader.hpp"
#include "sim/model/model.hpp"

namespace decodesim::hf {

/// Sets the stored types of a model from the file's `quantization_config`, if it has one: methods
/// fp8, fbgemm_fp8, gptq, awq, mxfp4 (experts alone) and compressed-tensors.
///
/// Embedding, LM head, norms and routers are taken to be left in 16 bits, as those files have them.
/// Where attention is left too (`modules_to_not_convert`), the type is that of the experts alone.
///
/// @throws InputError for other methods, bits and group sizes, and for modules left in 16 bits that
///         are not modelled so
void read_quantisation(Model& model, const JsonReader& config);

} // namespace decodesim::hf
