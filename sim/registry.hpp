#pragma once

#include "sim/error.hpp"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace decodesim {

/// Plug-ins of one kind by name, registered before main() by objects in their own files.
/// `Info` has the members `name` and `summary`.
template <class Info> class Registry {
public:
  /// A name that is taken stops the program with both summaries.
  static void add(Info info) {
    const auto name = info.name;
    const auto summary = info.summary;
    const auto [entry, added] = table().try_emplace(name, std::move(info));
    if (!added) {
      std::fprintf(stderr,
                   "decodesim: \"%s\" is registered twice: \"%s\" and \"%s\"\n",
                   name.c_str(),
                   entry->second.summary.c_str(),
                   summary.c_str());
      std::abort();
    }
  }

  /// All registered, in name order.
  [[nodiscard]] static std::vector<Info> all() {
    std::vector<Info> list;
    for (const auto& [name, info] : table()) {
      list.push_back(info);
    }
    return list;
  }

  [[nodiscard]] static std::vector<std::string> names() {
    std::vector<std::string> list;
    for (const auto& [name, info] : table()) {
      list.push_back(name);
    }
    return list;
  }

  /// @param what  the kind in messages: "strategy"
  /// @throws InputError naming `where` and the known names
  [[nodiscard]] static const Info&
  named(const std::string& name, const std::string& where, const char* what) {
    if (const auto found = table().find(name); found != table().end()) {
      return found->second;
    }
    throw InputError::unknown_name(where, what, name, names());
  }

private:
  static std::map<std::string, Info>& table() {
    static std::map<std::string, Info> all;
    return all;
  }
};

} // namespace decodesim
