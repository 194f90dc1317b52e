#pragma once

#include "validation/parameter_file.hpp"

#include <vector>

namespace decodesim {

/// Fits what NCCL's kernels cost on each kind of link and GPU that was measured with nccl-tests
/// (`validation/data/collectives-fit/aic_nccl.csv`): files of `sim/network/nccl/fits/`.
///
/// NCCL's cost model says which algorithm and protocol ran each row; the rows of one make a fit of
/// the form in `sim/network/nccl/link_calibration.hpp`, whose flow is at most as fast as the
/// machine's links. The cost is the sum of sqrt(1 + (10 ln(model / measured))^2) - 1, which grows
/// linearly for rows far off, so that a few disturbed ones do not bend it.
[[nodiscard]] std::vector<ParameterFile> calibrate_links();

} // namespace decodesim
