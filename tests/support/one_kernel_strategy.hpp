#pragma once

#include "sim/model/model.hpp"

namespace decodesim::testing {

/// Registered as "one_kernel": a layer is one kernel that moves `one_kernel_bytes` whatever the
/// batch; embedding and head do nothing, the last layer's kernel yields the tokens. With one layer
/// a stage all stages are equal, and so are the passes of prefill and decode.
extern double one_kernel_bytes;

/// Hidden states take as many bytes as token ids (2 elements of 2 bytes), so that with prompts of
/// one token all messages of a pipeline are equal: 4 bytes per sequence.
Model one_kernel_model(int layers);

} // namespace decodesim::testing
