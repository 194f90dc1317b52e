#include "validation/calibrate_collectives.hpp"

#include "validation/calibrate_exchanges.hpp"
#include "validation/calibrate_links.hpp"
#include "validation/calibrate_shots.hpp"

namespace decodesim {

std::vector<ParameterFile> calibrate_collectives() {
  auto files = calibrate_links();
  for (auto& file : calibrate_shots()) {
    files.push_back(std::move(file));
  }
  for (auto& file : calibrate_exchanges()) {
    files.push_back(file);
  }
  return files;
}

} // namespace decodesim
