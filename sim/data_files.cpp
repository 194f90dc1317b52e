#include "sim/data_files.hpp"

#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>

namespace decodesim {

namespace fs = std::filesystem;

namespace {

fs::path folder(DataKind kind) {
  switch (kind) {
  case DataKind::machine:
    return data_root() / "topologies" / "machines";
  case DataKind::network:
    return data_root() / "topologies" / "networks";
  case DataKind::import:
    return data_root() / "topologies" / "imports";
  case DataKind::gpu:
    return data_root() / "sim" / "device" / "gpus";
  case DataKind::collective_fit:
    return data_root() / "sim" / "network" / "nccl" / "fits";
  case DataKind::kernels:
    return data_root() / "sim" / "device" / "kernels";
  case DataKind::framework:
    return data_root() / "sim" / "host" / "frameworks";
  case DataKind::model:
    return data_root() / "sim" / "model" / "presets";
  }
  return {};
}

} // namespace

fs::path data_root() {
  if (const char* named = std::getenv("DECODESIM_DATA"); named != nullptr && *named != '\0') {
    return named;
  }
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&find_data_file), &info) != 0 &&
      info.dli_fname != nullptr) {
    const auto library_folder = fs::weakly_canonical(info.dli_fname).parent_path();
    // lib/ or lib/<multiarch>/
    for (const auto* up : {"..", "../.."}) {
      if (auto root = library_folder / up / "share" / "decodesim"; fs::is_directory(root)) {
        return root.lexically_normal();
      }
    }
  }
  return DECODESIM_SOURCE_DIR;
}

fs::path find_data_file(DataKind kind, const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos) {
    return {};
  }
  auto path = folder(kind) / (name + ".json");
  return fs::is_regular_file(path) ? path : fs::path{};
}

std::vector<std::string> data_file_names(DataKind kind) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator{folder(kind), ignored}) {
    if (entry.path().extension() == ".json") {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

} // namespace decodesim
