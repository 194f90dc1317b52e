#include "validation/validate_operators.hpp"

#include "sim/error.hpp"

namespace decodesim {

ComparisonReport validate_operators(const std::filesystem::path& file) {
  throw InputError::at(file.string(), "cannot be compared yet");
}

} // namespace decodesim
