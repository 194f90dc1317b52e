#include "validation/calibrate_frameworks.hpp"

namespace decodesim {

std::vector<ParameterFile> calibrate_frameworks() { return {}; }

} // namespace decodesim
