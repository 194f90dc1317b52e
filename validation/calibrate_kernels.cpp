#include "validation/calibrate_kernels.hpp"

namespace decodesim {

std::vector<ParameterFile> calibrate_kernels() { return {}; }

} // namespace decodesim
