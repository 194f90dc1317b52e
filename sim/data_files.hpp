#pragma once

#include <filesystem>
#include <string>
#include <vector>

/// The data that comes with the program: machines, networks, what imports assume, GPUs, their
/// kernels, frameworks, model presets.
///
/// They are looked up below one root: `$DECODESIM_DATA` if set, else `share/decodesim` beside the
/// installed library, else the source tree the library was built from.
namespace decodesim {

enum class DataKind { machine, network, import, gpu, kernels, framework, collective_fit, model };

/// Folder that holds what comes with the program, under the names of the source tree.
[[nodiscard]] std::filesystem::path data_root();

/// Path of the preset `name` ("dgx-a100-80g"), or an empty path when there is none.
[[nodiscard]] std::filesystem::path find_data_file(DataKind kind, const std::string& name);

/// Names of all presets of a kind, in alphabetical order.
[[nodiscard]] std::vector<std::string> data_file_names(DataKind kind);

} // namespace decodesim
