#include "sim/scenario/mapping.hpp"

#include "sim/error.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>

namespace decodesim {

namespace {

constexpr std::string_view forms =
    "use tp, pp and dp in some order, innermost first (\"tp,pp,dp\"), or one GPU index per rank "
    "(\"0,4,1,5\")";

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

bool names_the_axes(std::vector<std::string> parts) {
  std::sort(parts.begin(), parts.end());
  return parts == std::vector<std::string>{"dp", "pp", "tp"};
}

/// GPU indices of a list, distinct and in range.
std::vector<int> parse_gpus(const std::string& mapping, int gpu_count, const std::string& where) {
  std::vector<int> gpus;
  std::vector<int> rank_of_gpu(static_cast<std::size_t>(gpu_count), -1);
  for (const auto& part : split(mapping)) {
    int gpu = -1;
    const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), gpu);
    if (part.empty() || error == std::errc::invalid_argument || stop != part.data() + part.size()) {
      throw InputError::at(where, "is \"" + mapping + "\"", forms);
    }
    if (error != std::errc{} || gpu < 0 || gpu >= gpu_count) {
      throw InputError::at(where,
                           "names GPU " + part,
                           "the machine's GPUs are 0 to " + std::to_string(gpu_count - 1));
    }
    auto& rank = rank_of_gpu[static_cast<std::size_t>(gpu)];
    if (rank != -1) {
      throw InputError::at(where,
                           "puts ranks " + std::to_string(rank) + " and " +
                               std::to_string(gpus.size()) + " on GPU " + part,
                           "each GPU takes one rank");
    }
    rank = static_cast<int>(gpus.size());
    gpus.push_back(gpu);
  }
  return gpus;
}

} // namespace

void check_mapping(const std::string& mapping, int gpu_count, const std::string& where) {
  if (!names_the_axes(split(mapping))) {
    (void)parse_gpus(mapping, gpu_count, where);
  }
}

std::vector<int> gpu_of_rank(const std::string& mapping,
                             const Layout& layout,
                             int gpu_count,
                             const std::string& where) {
  const auto ranks = std::int64_t{layout.tp} * layout.pp * layout.dp;
  if (ranks > gpu_count) {
    throw LayoutError{"needs " + std::to_string(ranks) + " GPUs (tp " + std::to_string(layout.tp) +
                      " x pp " + std::to_string(layout.pp) + " x dp " + std::to_string(layout.dp) +
                      "); the machine has " + std::to_string(gpu_count)};
  }
  const auto parts = split(mapping);
  if (!names_the_axes(parts)) {
    auto gpus = parse_gpus(mapping, gpu_count, where);
    if (static_cast<std::int64_t>(gpus.size()) != ranks) {
      throw LayoutError{where + ": lists " + std::to_string(gpus.size()) +
                        " GPUs; the layout has " + std::to_string(ranks) + " ranks"};
    }
    return gpus;
  }
  // GPU = sum over the axes of index x stride; the first axis named has stride 1.
  int tp_stride = 0;
  int pp_stride = 0;
  int dp_stride = 0;
  int stride = 1;
  for (const auto& axis : parts) {
    (axis == "tp" ? tp_stride : axis == "pp" ? pp_stride : dp_stride) = stride;
    stride *= axis == "tp" ? layout.tp : axis == "pp" ? layout.pp : layout.dp;
  }
  std::vector<int> gpus;
  for (int rank = 0; rank < layout.ranks(); ++rank) {
    // Rank = (dp index x pp + stage) x tp + tp index.
    const int tp_index = rank % layout.tp;
    const int stage = rank / layout.tp % layout.pp;
    const int dp_index = rank / layout.tp / layout.pp;
    gpus.push_back(tp_index * tp_stride + stage * pp_stride + dp_index * dp_stride);
  }
  return gpus;
}

} // namespace decodesim
