#pragma once

namespace decodesim {

/// Whether this process's kernels run beside those of other processes (CUDA MPS) rather than in
/// turns: a control daemon answers on its pipe.
[[nodiscard]] bool mps_is_running();

} // namespace decodesim
