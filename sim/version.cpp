#include "sim/version.hpp"

#include "decodesim_revision.hpp" // written by cmake/WriteRevision.cmake at every build

namespace decodesim {

std::string version() { return DECODESIM_VERSION; }

std::string revision() { return DECODESIM_REVISION; }

} // namespace decodesim
