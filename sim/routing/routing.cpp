#include "sim/routing/routing.hpp"

#include "sim/registry.hpp"

#include <utility>

namespace decodesim {

namespace {

/// A spec cut at its first ":", its name known and its argument there or not as it must be.
std::pair<const RoutingInfo*, std::string> parsed(const std::string& spec,
                                                  const std::string& where) {
  const auto colon = spec.find(':');
  const auto name = spec.substr(0, colon);
  const auto& info = Registry<RoutingInfo>::named(name, where, "routing");
  auto argument = colon == std::string::npos ? std::string{} : spec.substr(colon + 1);
  if (info.argument.empty() && colon != std::string::npos) {
    throw InputError::at(where, "is \"" + spec + "\"", name + " takes no argument");
  }
  if (!info.argument.empty() && argument.empty()) {
    throw InputError::at(
        where, "is \"" + spec + "\"", "write " + name + ":" + info.argument + "; " + info.summary);
  }
  return {&info, std::move(argument)};
}

} // namespace

RegisterRouting::RegisterRouting(RoutingInfo info) { Registry<RoutingInfo>::add(std::move(info)); }

std::vector<RoutingInfo> routings() { return Registry<RoutingInfo>::all(); }

std::unique_ptr<Routing> make_routing(const std::string& spec,
                                      const RoutedTokens& tokens,
                                      std::uint64_t seed,
                                      const std::string& where) {
  const auto [info, argument] = parsed(spec, where);
  return info->make(argument, tokens, seed, where);
}

void check_routing(const std::string& spec, const std::string& where) { (void)parsed(spec, where); }

} // namespace decodesim
