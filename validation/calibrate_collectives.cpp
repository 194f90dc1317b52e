#include "validation/calibrate_collectives.hpp"

namespace decodesim {

std::vector<ParameterFile> calibrate_collectives() { return {}; }

} // namespace decodesim
