#include "sim/engine/platform.hpp"

#include <simgrid/s4u.hpp>
#include <xbt/log.h>

#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <utility>

namespace sg4 = simgrid::s4u;

namespace decodesim {

namespace {

/// SimGrid counts whole bytes; a flow of 28,672.5 bytes would lose half a byte. All sizes and
/// bandwidths are therefore multiplied by this, which leaves times unchanged: up to 1e12 bytes fit
/// into 64 bits, and a byte is cut into 2^20 parts.
constexpr double byte_scale = 1048576.0;

std::uint64_t scaled(Bytes bytes) {
  return static_cast<std::uint64_t>(std::llround(std::max(1.0, bytes.value() * byte_scale)));
}

/// SimGrid's engine is one per process at a time. A platform cannot be added to one that has run,
/// so each has its own; the clock goes on from where the last one stopped.
std::unique_ptr<sg4::Engine> make_engine() {
  // Results never go to the log, and plans that would hang are refused before.
  xbt_log_control_set("root.thres:critical");
  static char name[] = "decodesim";
#ifdef DECODESIM_THREAD_CONTEXTS
  // AddressSanitizer follows threads, but not stacks that are switched by hand.
  static char factory[] = "--cfg=contexts/factory:thread"; // once the engine is made it is too late
  char* argv[] = {name, factory, nullptr};
  int argc = 2;
#else
  char* argv[] = {name, nullptr};
  int argc = 1;
#endif
  auto engine = std::make_unique<sg4::Engine>(&argc, argv);
  static bool configured = false; // settings outlive an engine, and models may be chosen only once
  if (!std::exchange(configured, true)) {
    sg4::Engine::set_config("network/model:CM02");
    sg4::Engine::set_config("network/TCP-gamma:0");
    sg4::Engine::set_config("network/crosstraffic:0");
    sg4::Engine::set_config("surf/precision:1e-12");
  }
  return engine;
}

} // namespace

struct Platform::Impl {
  std::unique_ptr<sg4::Engine> engine = make_engine();
  sg4::NetZone* root = nullptr;
  sg4::NetZone* ways = nullptr; ///< of the pseudo hosts and the routes between them
  std::vector<sg4::Host*> way_hosts;
  std::vector<sg4::Host*> hosts;
  std::vector<sg4::Link*> links;               ///< by LinkDirection, made on first use
  std::vector<sg4::Link*> memories;            ///< by GPU, made on first use
  sg4::Link* throughput = nullptr;             ///< of the GPU that all ranks share
  std::map<SharedCap, sg4::Link*> shared_caps; ///< members are GPUs here
  using RouteKey =
      std::tuple<std::vector<LinkDirection>, std::vector<int>, double, std::vector<SharedCap>>;
  std::map<RouteKey, RouteId> known;
};

Platform::Platform(const Machine& machine) : machine_{machine}, impl_{std::make_unique<Impl>()} {
  // Neither a zone per route nor a root that routes: both cost the square of their number.
  impl_->root = sg4::create_empty_zone("root");
  impl_->ways = sg4::create_full_zone("ways")->set_parent(impl_->root);
  impl_->hosts.resize(static_cast<std::size_t>(machine.gpu_count()), nullptr);
  impl_->links.resize(2 * machine.links.size(), nullptr);
  impl_->memories.resize(static_cast<std::size_t>(machine.gpu_count()), nullptr);
}

Platform::~Platform() = default;

sg4::Host* Platform::host(int gpu) {
  auto& host = impl_->hosts[static_cast<std::size_t>(gpu)];
  if (host == nullptr) {
    host = impl_->root->create_host("gpu" + std::to_string(gpu), 1.0)->seal();
  }
  return host;
}

sg4::Link* Platform::link(LinkDirection direction) {
  auto& link = impl_->links[static_cast<std::size_t>(direction)];
  if (link == nullptr) {
    const auto bandwidth = machine_.link(direction).bandwidth.value.value();
    link = impl_->root->create_link("link" + std::to_string(direction), bandwidth * byte_scale)
               ->set_latency(0.0)
               ->seal();
  }
  return link;
}

sg4::Link* Platform::memory(int gpu) {
  auto& link = impl_->memories[static_cast<std::size_t>(gpu)];
  if (link == nullptr) {
    link = impl_->root
               ->create_link("memory" + std::to_string(gpu),
                             machine_.gpu.memory_bandwidth.value.value() * byte_scale)
               ->set_latency(0.0)
               ->seal();
  }
  return link;
}

sg4::Link* Platform::throughput() {
  auto& link = impl_->throughput;
  if (link == nullptr) {
    link = impl_->root->create_link("throughput", throughput_per_second * byte_scale)
               ->set_latency(0.0)
               ->seal();
  }
  return link;
}

sg4::Link* Platform::shared_cap(const SharedCap& cap) {
  auto& link = impl_->shared_caps[cap];
  if (link == nullptr) {
    link = impl_->root
               ->create_link("share" + std::to_string(impl_->shared_caps.size()),
                             cap.bandwidth.value() * byte_scale)
               ->set_latency(0.0)
               ->seal();
  }
  return link;
}

/// Route 0 leads from host 1 to host 0, 1 back, 2 and 3 join hosts 2 and 0, 4 and 5 hosts 2 and 1:
/// n hosts name n (n - 1) routes.
Platform::Route Platform::next_route() {
  auto& hosts = impl_->way_hosts;
  const auto pair = routes_.size() / 2;
  while (hosts.size() * (hosts.size() - 1) / 2 <= pair || hosts.size() < 2) {
    hosts.push_back(impl_->ways->create_host("way" + std::to_string(hosts.size()), 1.0)->seal());
  }
  const auto last = hosts.size() - 1;
  auto* newer = hosts[last];
  auto* older = hosts[pair - last * (last - 1) / 2];
  return routes_.size() % 2 == 0 ? Route{.from = newer, .to = older}
                                 : Route{.from = older, .to = newer};
}

RouteId Platform::add(const std::vector<sg4::Link*>& links, sg4::Link* cap) {
  auto route = next_route();
  route.cap = cap;
  std::vector<sg4::LinkInRoute> in_route;
  if (cap != nullptr) {
    in_route.emplace_back(cap);
  }
  for (const auto* one : links) {
    in_route.emplace_back(one);
  }
  impl_->ways->add_route(
      route.from->get_netpoint(), route.to->get_netpoint(), nullptr, nullptr, in_route, false);
  routes_.push_back(route);
  return static_cast<RouteId>(routes_.size()) - 1;
}

RouteId Platform::add_route(const Flow& flow,
                            const std::vector<int>& memory_gpus,
                            const std::vector<int>& gpus) {
  const double cap = flow.cap ? flow.cap->value() : 0.0;
  auto shared_caps = flow.shared_caps;
  for (auto& one : shared_caps) {
    one.member = gpus[static_cast<std::size_t>(one.member)];
  }
  const auto [entry, added] =
      impl_->known.try_emplace({flow.links, memory_gpus, cap, shared_caps}, -1);
  if (!added) {
    return entry->second;
  }
  std::vector<sg4::Link*> links;
  for (const auto direction : flow.links) {
    links.push_back(link(direction));
  }
  for (const int gpu : memory_gpus) {
    links.push_back(memory(gpu));
  }
  for (const auto& one : shared_caps) {
    links.push_back(shared_cap(one));
  }
  sg4::Link* cap_link = nullptr;
  if (flow.cap) {
    // A FATPIPE link gives each flow its whole bandwidth: a cap, not a shared resource.
    cap_link = impl_->root->create_link("cap" + std::to_string(routes_.size()), cap * byte_scale)
                   ->set_sharing_policy(sg4::Link::SharingPolicy::FATPIPE)
                   ->set_latency(0.0)
                   ->seal();
  }
  entry->second = add(links, cap_link);
  return entry->second;
}

RouteId Platform::add_kernel_route(int gpu) {
  auto* cap = impl_->root
                  ->create_link("kernel" + std::to_string(gpu),
                                machine_.gpu.memory_bandwidth.value.value() * byte_scale)
                  ->set_sharing_policy(sg4::Link::SharingPolicy::FATPIPE)
                  ->set_latency(0.0)
                  ->seal();
  return add({machine_.shared_gpu ? throughput() : memory(gpu)}, cap);
}

void Platform::seal() { impl_->root->seal(); }

void Platform::transfer(RouteId id, Bytes bytes) {
  const auto& route = routes_[static_cast<std::size_t>(id)];
  sg4::Comm::sendto(route.from, route.to, scaled(bytes));
}

boost::intrusive_ptr<sg4::Comm> Platform::start(RouteId id, Bytes bytes) {
  const auto& route = routes_[static_cast<std::size_t>(id)];
  return sg4::Comm::sendto_async(route.from, route.to, scaled(bytes));
}

void Platform::transfer_capped(RouteId id, Bytes bytes, BytesPerSecond cap) {
  routes_[static_cast<std::size_t>(id)].cap->set_bandwidth(cap.value() * byte_scale);
  transfer(id, bytes);
}

} // namespace decodesim
