#pragma once

#include "sim/network/collective_kind.hpp"
#include "sim/network/transfer.hpp"

#include <optional>
#include <string>
#include <vector>

namespace decodesim {

/// One edge of a ring: what member `from` sends to member `to`.
struct RingEdge {
  int from = 0;
  int to = 0;
  const Path* path = nullptr;
};

/// Links between one GPU and the switch that can reduce.
struct SwitchPort {
  LinkDirection up = 0;
  LinkDirection down = 0;
  Seconds latency;               ///< of one of the two links
  double efficiency_ratio = 1.0; ///< of the bandwidth that other collectives reach
};

/// A group of ranks as its collectives see it. Members are numbered in the order of the first ring,
/// which keeps those of a node together; member 0 is the root.
class GroupNetwork {
public:
  virtual ~GroupNetwork() = default;

  [[nodiscard]] virtual int members() const = 0; ///< at least 2
  /// Server that the member's GPU is in.
  [[nodiscard]] virtual int node(int member) const = 0;
  [[nodiscard]] virtual const Path& path(int from, int to) const = 0;
  [[nodiscard]] virtual const TransportCost& cost(Transport transport) const = 0;
  /// Rings (`members()` edges each, from the root) over which equal parts of the data go at once,
  /// so that several NICs or links are used. At least one.
  [[nodiscard]] virtual const std::vector<std::vector<RingEdge>>& channels() const = 0;
  /// Nothing when no switch that reduces joins the member to the others of its node.
  [[nodiscard]] virtual std::optional<SwitchPort> switch_port(int member) const = 0;
  /// Of its GPUs: 90 for 9.0.
  [[nodiscard]] virtual int compute_capability() const = 0;
  /// Whether the CPUs of its nodes are AMD's.
  [[nodiscard]] virtual bool amd_cpu() const = 0;
};

/// How finely a collective is played. Enumerators are the names used in flags and files.
enum class Fidelity {
  flow, ///< one fluid flow for all that moves at once
  step  ///< every chunk a message
};

[[nodiscard]] std::string to_string(Fidelity fidelity);
/// @throws InputError naming `where` and the known names
[[nodiscard]] Fidelity fidelity_named(const std::string& name, const std::string& where);

/// One collective among a group.
struct CollectiveTask {
  CollectiveKind kind = CollectiveKind::all_reduce;
  Bytes total_bytes; ///< the whole array: reduced, gathered (all parts) or before scattering
  Fidelity fidelity = Fidelity::flow;
};

/// A way to move a collective's data. One file of `sim/network/algorithms/` each, which ends with a
/// registration object in an unnamed namespace.
struct CollectiveAlgorithm {
  std::string name;      ///< as in `--collectives`
  std::string summary;   ///< one line
  std::string reference; ///< paper or system
  /// @throws LayoutError when the group cannot run it (no switch that reduces, uneven nodes)
  Transfer (*transfer)(const CollectiveTask& task, const GroupNetwork& group) = nullptr;
  /// What all members receive together, in units of the task's array.
  double (*arrays_received)(CollectiveKind kind, int members) = nullptr;
  bool ideal = false; ///< messages, too, take bytes over bandwidth alone
};

struct RegisterCollectiveAlgorithm {
  explicit RegisterCollectiveAlgorithm(CollectiveAlgorithm algorithm);
};

/// All registered, in name order.
[[nodiscard]] std::vector<CollectiveAlgorithm> collective_algorithms();

/// @throws InputError naming `where` and the known names
[[nodiscard]] const CollectiveAlgorithm& collective_algorithm_named(const std::string& name,
                                                                    const std::string& where);

} // namespace decodesim
