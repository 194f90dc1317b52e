#include "sim/routing/routing.hpp"

#include "sim/error.hpp"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <utility>

namespace decodesim {

namespace {

std::map<std::string, RoutingInfo>& registry() {
  static std::map<std::string, RoutingInfo> all;
  return all;
}

/// A spec cut at its first ":", its name known and its argument there or not as it must be.
std::pair<const RoutingInfo*, std::string> parsed(const std::string& spec,
                                                  const std::string& where) {
  const auto colon = spec.find(':');
  const auto name = spec.substr(0, colon);
  const auto found = registry().find(name);
  if (found == registry().end()) {
    std::vector<std::string> names;
    for (const auto& [one, info] : registry()) {
      names.push_back(one);
    }
    throw InputError::unknown_name(where, "routing", name, names);
  }
  const auto& info = found->second;
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

RegisterRouting::RegisterRouting(RoutingInfo info) {
  const auto name = info.name;
  const auto summary = info.summary;
  const auto [entry, added] = registry().try_emplace(name, std::move(info));
  if (!added) {
    std::fprintf(stderr,
                 "decodesim: routing \"%s\" is registered twice: \"%s\" and \"%s\"\n",
                 name.c_str(),
                 entry->second.summary.c_str(),
                 summary.c_str());
    std::abort();
  }
}

std::vector<RoutingInfo> routings() {
  std::vector<RoutingInfo> all;
  for (const auto& [name, info] : registry()) {
    all.push_back(info);
  }
  return all;
}

std::unique_ptr<Routing> make_routing(const std::string& spec,
                                      const RoutedTokens& tokens,
                                      std::uint64_t seed,
                                      const std::string& where) {
  const auto [info, argument] = parsed(spec, where);
  return info->make(argument, tokens, seed, where);
}

void check_routing(const std::string& spec, const std::string& where) { (void)parsed(spec, where); }

} // namespace decodesim
