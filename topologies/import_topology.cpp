#include "topologies/import_topology.hpp"

#include "sim/data_files.hpp"
#include "sim/json_reader.hpp"
#include "topologies/topo_matrix.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace decodesim {

namespace {

using Json = nlohmann::ordered_json;

/// Of any GPU so far (H100, B200): no direct mesh needs more.
constexpr int most_nvlinks = 18;

/// Devices by position in the matrix.
using Group = std::vector<std::size_t>;

class Import {
public:
  Import(const TopoMatrix& matrix, const std::string& where, const std::string& gpu)
      : matrix_{matrix}, where_{where}, assumed_(assumptions()), // braces would make an array of it
        numbers_{numbers_for(gpu)} {}

  [[nodiscard]] Json file(const std::string& gpu, const std::string& name) {
    add_devices();
    const auto sockets = socket_groups();
    for (std::size_t i = 0; i < sockets.size(); ++i) {
      add_socket(sockets[i], std::to_string(i));
    }
    for (std::size_t a = 0; a < sockets.size(); ++a) {
      for (std::size_t b = a + 1; b < sockets.size(); ++b) {
        link("socket" + std::to_string(a), "socket" + std::to_string(b), "socket_link");
      }
    }
    add_nvlinks();
    return assemble(gpu, name, sockets.size());
  }

private:
  static Json assumptions() {
    return Json::parse(read_text(find_data_file(DataKind::import, "nvidia-smi")));
  }

  /// Of the longest beginning of the GPU's name that is known.
  [[nodiscard]] const Json& numbers_for(const std::string& gpu) const {
    const auto base = gpu.substr(gpu.find_last_of('/') + 1);
    std::string best;
    for (const auto& [beginning, numbers] : assumed_["gpus"].items()) {
      if (base.starts_with(beginning) && beginning.size() > best.size()) {
        best = beginning;
      }
    }
    return assumed_["gpus"][best];
  }

  [[nodiscard]] TopoKind kind(std::size_t a, std::size_t b) const {
    return matrix_.joins[a][b].kind;
  }

  [[nodiscard]] bool is_gpu(std::size_t device) const { return matrix_.devices[device].gpu; }

  [[nodiscard]] std::string id(std::size_t device) const {
    const auto gpus = static_cast<std::size_t>(matrix_.gpus());
    return is_gpu(device) ? "gpu" + std::to_string(device) : "nic" + std::to_string(device - gpus);
  }

  void vertex(const std::string& name, const char* of_kind) {
    vertices_.push_back({{"id", name}, {"kind", of_kind}});
  }

  void link(const std::string& from, const std::string& to, const std::string& type) {
    links_.push_back({{"from", from}, {"to", to}, {"type", type}});
  }

  void add_devices() {
    for (std::size_t i = 0; i < matrix_.devices.size(); ++i) {
      vertex(id(i), is_gpu(i) ? "gpu" : "nic");
    }
  }

  /// Members of `group` that hang together by joins of at most `most`.
  [[nodiscard]] std::vector<Group> split(const Group& group, TopoKind most) const {
    std::vector<Group> groups;
    std::set<std::size_t> placed;
    for (const auto first : group) {
      if (placed.contains(first)) {
        continue;
      }
      Group members{first};
      placed.insert(first);
      for (std::size_t next = 0; next < members.size(); ++next) {
        for (const auto other : group) {
          const auto join = kind(members[next], other);
          if (!placed.contains(other) && join != TopoKind::nvlink && join <= most) {
            placed.insert(other);
            members.push_back(other);
          }
        }
      }
      std::sort(members.begin(), members.end());
      check(members, most);
      groups.push_back(members);
    }
    return groups;
  }

  /// No two members are farther apart than what holds their group together.
  void check(const Group& members, TopoKind most) const {
    for (const auto a : members) {
      for (const auto b : members) {
        if (a < b && kind(a, b) > most && kind(a, b) != TopoKind::unknown) {
          throw InputError::at(
              where_,
              matrix_.devices[a].name + " and " + matrix_.devices[b].name +
                  " are farther apart than what joins both to others",
              "no tree of switches and sockets has such a matrix; is a row or column mixed up?");
        }
      }
    }
  }

  /// Devices by socket; what only CPU affinity places goes where its CPUs are.
  [[nodiscard]] std::vector<Group> socket_groups() const {
    Group all(matrix_.devices.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    auto groups = split(all, TopoKind::node);
    for (std::size_t i = 0; i < groups.size(); ++i) {
      for (std::size_t j = i + 1; j < groups.size();) {
        if (same_cpus(groups[i], groups[j])) {
          groups[i].insert(groups[i].end(), groups[j].begin(), groups[j].end());
          std::sort(groups[i].begin(), groups[i].end());
          groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(j));
          j = i + 1;
        } else {
          ++j;
        }
      }
    }
    return groups;
  }

  /// Whether some GPUs of both name the same CPUs, or none names any, and no join says that they
  /// are on two sockets.
  [[nodiscard]] bool same_cpus(const Group& a, const Group& b) const {
    const auto names_none = [&](const Group& group) {
      return std::all_of(group.begin(), group.end(), [&](std::size_t device) {
        return matrix_.devices[device].cpus.empty();
      });
    };
    bool same = names_none(a) && names_none(b);
    for (const auto one : a) {
      for (const auto other : b) {
        if (kind(one, other) == TopoKind::sys) {
          return false;
        }
        const auto& cpus = matrix_.devices[one].cpus;
        same = same || (!cpus.empty() && cpus == matrix_.devices[other].cpus);
      }
    }
    return same;
  }

  void add_socket(const Group& group, const std::string& number) {
    const auto socket = "socket" + number;
    vertex(socket, "socket");
    vertex("memory" + number, "host_memory");
    link(socket, "memory" + number, "host_memory");
    const auto bridges = split(group, TopoKind::phb);
    for (const auto& bridge : bridges) {
      const auto trees = split(bridge, TopoKind::pxb);
      // One bridge of the socket is the socket itself: a way over it is PHB, of two is NODE.
      auto parent = socket;
      if (bridges.size() > 1) {
        parent = "root" + std::to_string(root_ports_++);
        vertex(parent, "root_port");
        link(parent, socket, "pcie");
      }
      for (const auto& tree : trees) {
        add_tree(tree, parent);
      }
    }
  }

  void add_tree(const Group& tree, const std::string& parent) {
    const auto leaves = split(tree, TopoKind::pix);
    auto above = parent;
    if (leaves.size() > 1) {
      above = add_switch(parent);
    }
    for (const auto& leaf : leaves) {
      // A device alone still has its own switch below another: over one switch would be PIX.
      const auto direct = leaf.size() == 1 && leaves.size() == 1;
      const auto host = direct ? above : add_switch(above);
      for (const auto device : leaf) {
        link(id(device), host, "pcie");
      }
    }
  }

  std::string add_switch(const std::string& parent) {
    auto name = "switch" + std::to_string(switches_++);
    vertex(name, "pcie_switch");
    link(name, parent, "pcie");
    return name;
  }

  void add_nvlinks() {
    const auto count = static_cast<std::size_t>(matrix_.gpus());
    std::vector<bool> placed(count, false);
    for (std::size_t first = 0; first < count; ++first) {
      if (placed[first]) {
        continue;
      }
      Group members{first};
      placed[first] = true;
      for (std::size_t next = 0; next < members.size(); ++next) {
        for (std::size_t other = 0; other < count; ++other) {
          if (!placed[other] && kind(members[next], other) == TopoKind::nvlink) {
            placed[other] = true;
            members.push_back(other);
          }
        }
      }
      std::sort(members.begin(), members.end());
      join_by_nvlink(members);
    }
  }

  void join_by_nvlink(const Group& members) {
    std::set<int> counts; // NVLinks of each pair, 0 for those without
    int most_of_one = 0;
    for (const auto a : members) {
      int sum = 0;
      for (const auto b : members) {
        if (a != b) {
          const int links = kind(a, b) == TopoKind::nvlink ? matrix_.joins[a][b].nvlinks : 0;
          counts.insert(links);
          sum += links;
        }
      }
      most_of_one = std::max(most_of_one, sum);
    }
    if (most_of_one > most_nvlinks) {
      if (counts.size() > 1) {
        throw InputError::at(where_,
                             "gives a GPU " + std::to_string(most_of_one) +
                                 " NVLinks to others, not as many to each",
                             "direct links are " + std::to_string(most_nvlinks) +
                                 " at most, and behind an NVSwitch all pairs are alike");
      }
      const auto name = "nvswitch" + std::to_string(nvswitches_++);
      vertex(name, "nvswitch");
      for (const auto gpu : members) {
        link(id(gpu), name, nvlink_type(*counts.begin()));
      }
      nvlinks_ = std::max(nvlinks_, *counts.begin());
      return;
    }
    nvlinks_ = std::max(nvlinks_, most_of_one);
    for (const auto a : members) {
      for (const auto b : members) {
        if (a < b && kind(a, b) == TopoKind::nvlink) {
          link(id(a), id(b), nvlink_type(matrix_.joins[a][b].nvlinks));
        }
      }
    }
  }

  std::string nvlink_type(int links) {
    nvlink_types_.insert(links);
    return "nv" + std::to_string(links);
  }

  /// A number of the data file times `factor`.
  static Json times(Json number, int factor) {
    number["value"] = number["value"].get<double>() * factor;
    return number;
  }

  [[nodiscard]] Json link_types(std::size_t sockets) const {
    Json types = Json::object();
    for (const int links : nvlink_types_) {
      if (!numbers_.contains("nvlink")) {
        throw InputError::at(where_, "has NVLinks, which this GPU does not have", "check --gpu");
      }
      types["nv" + std::to_string(links)] = {
          {"kind", "nvlink"},
          {"physical_links", links},
          {"bandwidth", times(numbers_["nvlink"]["bandwidth"], links)},
          {"latency", numbers_["nvlink"]["latency"]}};
    }
    const auto add = [&](const std::string& name, const char* of_kind, const Json& numbers) {
      types[name] = {
          {"kind", of_kind}, {"bandwidth", numbers["bandwidth"]}, {"latency", numbers["latency"]}};
    };
    add("pcie", "pcie", numbers_["pcie"]);
    if (sockets > 1) {
      add("socket_link", "upi", assumed_["socket_link"]);
    }
    add("host_memory", "memory", assumed_["host_memory"]);
    return types;
  }

  [[nodiscard]] Json
  assemble(const std::string& gpu, const std::string& name, std::size_t sockets) const {
    const auto nics = matrix_.devices.size() - static_cast<std::size_t>(matrix_.gpus());
    Json file;
    file["format_version"] = 1;
    file["name"] = name;
    file["summary"] = "imported: " + std::to_string(matrix_.gpus()) + " x " + gpu + ", " +
                      std::to_string(nics) + " NICs, " + std::to_string(sockets) + " sockets";
    file["source"] = "nvidia-smi topo -m, " + where_ + "; links and costs are assumed";
    file["gpu"] = gpu;
    for (std::size_t i = 0; i < matrix_.devices.size(); ++i) {
      if (!matrix_.devices[i].interface.empty()) {
        file["_nics"][id(i)] = matrix_.devices[i].interface;
      }
    }
    file["nodes"] = vertices_;
    file["link_types"] = link_types(sockets);
    file["links"] = links_;
    auto transports = numbers_["transports"];
    if (nvlink_types_.empty()) {
      transports.erase("nvlink");
    } else {
      transports["nvlink"]["bandwidth"] = times(transports["nvlink"]["bandwidth"], nvlinks_);
    }
    file["transports"] = transports;
    if (nics > 0) {
      file["_network_link"] = "assumed: not told by nvidia-smi";
      file["network_link"] = numbers_["network_link"];
    }
    return file;
  }

  const TopoMatrix& matrix_;
  const std::string& where_;
  Json assumed_;
  const Json& numbers_;
  Json vertices_ = Json::array();
  Json links_ = Json::array();
  std::set<int> nvlink_types_;
  int nvlinks_ = 0; ///< of the GPU that has most
  int root_ports_ = 0;
  int switches_ = 0;
  int nvswitches_ = 0;
};

} // namespace

std::string import_topology(const std::string& text,
                            const std::string& where,
                            const std::string& gpu,
                            const std::string& name) {
  const auto matrix = read_topo_matrix(text, where);
  return Import{matrix, where, gpu}.file(gpu, name).dump(2) + "\n";
}

} // namespace decodesim
