#pragma once

#include <filesystem>
#include <string>

namespace decodesim {

/// A file of fitted parameters as a calibration makes it.
struct ParameterFile {
  std::filesystem::path path; ///< below the program's data, "sim/device/kernels/x.json"
  std::string text;           ///< the whole file
};

} // namespace decodesim
