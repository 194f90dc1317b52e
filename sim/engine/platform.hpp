#pragma once

#include "sim/network/transfer.hpp"
#include "topologies/machine.hpp"

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <map>
#include <memory>
#include <vector>

namespace simgrid::s4u {
class Comm;
class Host;
class Link;
} // namespace simgrid::s4u

namespace decodesim {

/// A list of SimGrid links that a kind of flow crosses, with a cap: what a flow is started on.
using RouteId = int;

/// The machine as SimGrid sees it: one host per GPU (where actors live), one link per direction and
/// one for the memory of each GPU, and an ordered pair of pseudo hosts per route.
///
/// Settings are chosen here and nowhere else: network/model CM02, no TCP window (TCP-gamma 0), no
/// cross traffic, precision 1e-12 s. Every SimGrid link has latency 0, because CM02 would otherwise
/// share a link by the inverse of the routes' latencies; latencies are slept by the caller. Then
/// flows share links max-min fairly, and a flow alone takes exactly bytes / bandwidth.
///
/// One at a time in a process. SimGrid's clock does not begin at zero for the second one.
///
/// Use: construct, add_route() for every route that will be needed, seal(), then start flows.
class Platform {
public:
  explicit Platform(const Machine& machine);
  ~Platform();
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;

  /// The route of a flow; equal routes are shared.
  /// @param memory_gpus  GPUs whose memory the flow crosses, once per entry
  /// @param gpus         of the flow's members, for its shared caps; may be empty without any
  RouteId add_route(const Flow& flow,
                    const std::vector<int>& memory_gpus,
                    const std::vector<int>& gpus = {});

  /// A route for the kernels of a GPU, whose cap is set at each start: over its memory, or where
  /// ranks share a GPU over that GPU's throughput, of which a second has throughput_per_second.
  RouteId add_kernel_route(int gpu);

  void seal();

  static constexpr double throughput_per_second = 1e12;

  /// Host on which the actors of a GPU's rank live.
  [[nodiscard]] simgrid::s4u::Host* host(int gpu);

  /// Blocks the calling actor until the bytes are through.
  void transfer(RouteId route, Bytes bytes);

  /// Starts the bytes without waiting for them.
  [[nodiscard]] boost::intrusive_ptr<simgrid::s4u::Comm> start(RouteId route, Bytes bytes);

  /// As transfer, at most at `cap`; only one such flow of a route at a time.
  void transfer_capped(RouteId route, Bytes bytes, BytesPerSecond cap);

private:
  struct Route {
    simgrid::s4u::Host* from = nullptr;
    simgrid::s4u::Host* to = nullptr;
    simgrid::s4u::Link* cap = nullptr;
  };

  Route next_route();
  RouteId add(const std::vector<simgrid::s4u::Link*>& links, simgrid::s4u::Link* cap);
  simgrid::s4u::Link* link(LinkDirection direction);
  simgrid::s4u::Link* memory(int gpu);
  simgrid::s4u::Link* throughput();
  simgrid::s4u::Link* shared_cap(const SharedCap& cap);

  struct Impl;
  const Machine& machine_;
  std::unique_ptr<Impl> impl_;
  std::vector<Route> routes_;
};

} // namespace decodesim
