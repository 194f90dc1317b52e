#pragma once

#include "sim/device/gpu.hpp"
#include "sim/device/kernel_parameters.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace decodesim {

/// A number as kernel files have it: `{"value": 5.14, "unit": "us", "kind": ..., "source": ...}`.
struct FittedNumber {
  double value = 0;
  std::string unit;
  std::string source;
};

/// Mean absolute error of one range of rows.
struct Residual {
  std::string range; ///< "rows 1-16"
  double mean_absolute = 0;
  int rows = 0;
};

/// What a calibration found for one class.
struct FittedClass {
  std::map<std::string, FittedNumber> parameters; ///< by name in files
  std::vector<Residual> residuals;
};

/// Text of the kernel file at `path` with the parameters of the fitted classes in place of those it
/// has. Numbers that nothing was fitted to stay as they are, with their sources.
/// @throws InputError when the file cannot be read
[[nodiscard]] std::string updated_kernel_file(const std::filesystem::path& path,
                                              const std::map<std::string, FittedClass>& classes);

/// Text of a kernel file for a GPU that has none: the fitted classes, and all other numbers as the
/// GPU has them, which are its relative's and assumed.
[[nodiscard]] std::string new_kernel_file(const Gpu& gpu,
                                          const std::map<std::string, FittedClass>& classes);

} // namespace decodesim
