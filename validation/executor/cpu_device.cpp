#include "validation/executor/cpu_device.hpp"

#include "sim/error.hpp"
#include "validation/executor/stored_elements.hpp"
#include "validation/executor/weight_value.hpp"

#include <chrono>
#include <cstring>

namespace decodesim {

void CpuFabric::send(const std::string& communicator, int from, int to, Bytes bytes) {
  const std::lock_guard lock{mutex_};
  queues_[{communicator, from, to}].push_back(std::move(bytes));
  arrived_.notify_all();
}

CpuFabric::Bytes CpuFabric::receive(const std::string& communicator, int from, int to) {
  std::unique_lock lock{mutex_};
  auto& queue = queues_[{communicator, from, to}];
  arrived_.wait(lock, [&] { return failed_ || !queue.empty(); });
  if (queue.empty()) {
    throw SimulationError{"another rank failed while " + communicator + " was waited for"};
  }
  auto bytes = std::move(queue.front());
  queue.pop_front();
  return bytes;
}

void CpuFabric::fail() {
  const std::lock_guard lock{mutex_};
  failed_ = true;
  arrived_.notify_all();
}

void* CpuDevice::allocate(const std::string&, std::size_t bytes) {
  memory_.push_back(std::make_unique<std::byte[]>(bytes));
  return memory_.back().get();
}

void CpuDevice::upload(void* to, const void* from, std::size_t bytes) { copy(to, from, bytes); }

void CpuDevice::download(void* to, const void* from, std::size_t bytes) { copy(to, from, bytes); }

void CpuDevice::copy(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) {
    std::memmove(to, from, bytes);
  }
}

void CpuDevice::fill(const Array& array, const WeightPiece& piece) {
  StoredElements elements{array};
  for (std::int64_t r = 0; r < piece.rows; ++r) {
    for (std::int64_t c = 0; c < piece.columns; ++c) {
      const auto index = (piece.first_row + r) * piece.whole_columns + piece.first_column + c;
      elements.set(piece.offset + r * piece.columns + c,
                   piece.middle +
                       piece.spread * weight_value(piece.seed, static_cast<std::uint64_t>(index)));
    }
  }
}

StreamHandle CpuDevice::create_stream(const std::string&) { return streams_++; }

EventHandle CpuDevice::create_event(bool) {
  recorded_us_.push_back(-1.0);
  return static_cast<EventHandle>(recorded_us_.size()) - 1;
}

CommunicatorHandle CpuDevice::create_communicator(const Communicator& members, int rank) {
  communicators_.push_back({members, members.index_of(rank)});
  return static_cast<CommunicatorHandle>(communicators_.size()) - 1;
}

void CpuDevice::record(EventHandle event, StreamHandle) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  recorded_us_[static_cast<std::size_t>(event)] =
      std::chrono::duration<double, std::micro>(now).count();
}

void CpuDevice::wait(StreamHandle, EventHandle) {}

void CpuDevice::launch(const KernelCall& call, StreamHandle) { compute_on_cpu(call); }

void CpuDevice::collective(const CollectiveCall& call, StreamHandle) {
  const auto& [members, index] = communicators_[static_cast<std::size_t>(call.communicator)];
  const auto count = static_cast<int>(members.ranks.size());
  const bool gathers = call.kind == CollectiveKind::all_gather;
  const auto part = static_cast<std::size_t>(call.part_bytes);
  const auto given =
      part * (call.kind == CollectiveKind::reduce_scatter ? static_cast<std::size_t>(count) : 1);
  const auto* from = static_cast<const std::byte*>(call.from);
  for (int to = 0; to < count; ++to) {
    fabric_.send(members.name, index, to, {from, from + given});
  }
  std::vector<std::vector<std::byte>> all;
  for (int one = 0; one < count; ++one) {
    all.push_back(fabric_.receive(members.name, one, index));
  }
  auto* to = static_cast<std::byte*>(call.to);
  if (gathers) {
    for (const auto& one : all) {
      std::memcpy(to, one.data(), part);
      to += part;
    }
    return;
  }
  const auto skipped =
      call.kind == CollectiveKind::reduce_scatter ? part * static_cast<std::size_t>(index) : 0;
  const auto elements =
      static_cast<std::int64_t>(static_cast<double>(part) / element_bytes(call.type).value());
  StoredElements sums{{.data = to, .type = call.type, .elements = elements}};
  for (std::int64_t i = 0; i < elements; ++i) {
    float sum = 0;
    for (auto& one : all) {
      sum += StoredElements{{.data = one.data() + skipped, .type = call.type, .elements = elements}}
                 .at(i);
    }
    sums.set(i, sum);
  }
}

void CpuDevice::group_start() { receives_.clear(); }

void CpuDevice::group_end() {
  for (const auto& one : receives_) {
    const auto& [members, index] = communicators_[static_cast<std::size_t>(one.communicator)];
    const auto bytes = fabric_.receive(members.name, one.peer, index);
    if (static_cast<std::int64_t>(bytes.size()) != one.bytes) {
      throw SimulationError{members.name + ": " + std::to_string(bytes.size()) +
                            " bytes were sent, " + std::to_string(one.bytes) +
                            " are to be received"};
    }
    copy(one.to, bytes.data(), bytes.size());
  }
}

void CpuDevice::send(
    CommunicatorHandle communicator, int peer, const void* from, std::int64_t bytes, StreamHandle) {
  const auto& [members, index] = communicators_[static_cast<std::size_t>(communicator)];
  const auto* begin = static_cast<const std::byte*>(from);
  fabric_.send(members.name, index, peer, {begin, begin + bytes});
}

void CpuDevice::receive(
    CommunicatorHandle communicator, int peer, void* to, std::int64_t bytes, StreamHandle) {
  receives_.push_back({communicator, peer, to, bytes});
}

void CpuDevice::begin_capture(StreamHandle) { throw SimulationError{"the CPU has no graphs"}; }

GraphHandle CpuDevice::end_capture(StreamHandle) { throw SimulationError{"the CPU has no graphs"}; }

void CpuDevice::launch_graph(GraphHandle, StreamHandle) {
  throw SimulationError{"the CPU has no graphs"};
}

bool CpuDevice::is_done(EventHandle event) {
  return recorded_us_[static_cast<std::size_t>(event)] >= 0;
}

double CpuDevice::elapsed_us(EventHandle from, EventHandle to) {
  return recorded_us_[static_cast<std::size_t>(to)] - recorded_us_[static_cast<std::size_t>(from)];
}

} // namespace decodesim
