#pragma once

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <string>

namespace decodesim {

/// A file of fitted parameters as a calibration makes it.
struct ParameterFile {
  std::filesystem::path path; ///< below the program's data, "sim/device/kernels/x.json"
  std::string text;           ///< the whole file
};

/// JSON as all parameter files are written: a number with its unit and kind on one line, its source
/// on the next.
[[nodiscard]] std::string parameter_text(const nlohmann::ordered_json& file);

} // namespace decodesim
