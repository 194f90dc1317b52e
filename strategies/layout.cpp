#include "strategies/layout.hpp"

#include "strategies/registry.hpp"

#include <algorithm>
#include <cctype>

namespace decodesim {

namespace {

/// Whether the strategy's own degree is dp. Names that nobody registered count as tp-like, so that
/// every layout has a tag.
bool splits_batch(const std::string& strategy) {
  const auto all = layer_strategies();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& info) { return info.name == strategy; });
  return found != all.end() && found->splits_batch;
}

/// "tp8", and "zero3x8" where the name ends in a digit.
std::string with_degree(const std::string& name, int degree) {
  const bool ends_in_digit = !name.empty() && std::isdigit(static_cast<unsigned char>(name.back()));
  return name + (ends_in_digit ? "x" : "") + std::to_string(degree);
}

} // namespace

std::string Layout::tag() const {
  const bool plain = strategy == "tp";
  const bool split = !plain && splits_batch(strategy);
  std::string text;
  if (tp > 1 || (!plain && !split)) {
    text += with_degree(split ? "tp" : strategy, tp);
  }
  if (pp > 1) {
    text += with_degree("pp", pp);
  }
  if (split || (ep > 0 ? dp != dp_for_experts(ep, tp) : dp > 1)) {
    text += with_degree(split ? strategy : "dp", dp);
  }
  if (ep > 0) {
    text += with_degree("ep", ep);
  }
  if (text.empty()) {
    text = "single";
  }
  if (pp > 1) {
    text += "-" + schedule;
  }
  if (micro_batches != 0) {
    text += "-m" + std::to_string(micro_batches);
  }
  if (virtual_stages != 0) {
    text += "-v" + std::to_string(virtual_stages);
  }
  if (prefetch) {
    text += "-prefetch";
  }
  for (std::size_t i = 0; i < stage_layers.size(); ++i) {
    text += (i == 0 ? "-layers" : "+") + std::to_string(stage_layers[i]);
  }
  return text;
}

} // namespace decodesim
