#include "validation/validate_collectives.hpp"

#include "sim/error.hpp"

namespace decodesim {

ComparisonReport validate_collectives(const std::filesystem::path& file,
                                      const CollectiveSystem& /*system*/) {
  throw InputError::at(file.string(), "cannot be compared yet");
}

} // namespace decodesim
