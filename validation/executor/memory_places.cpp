#include "validation/executor/memory_places.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace decodesim {

namespace {

constexpr std::size_t alignment = 256; ///< cudaMalloc's

std::size_t aligned(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

std::size_t whole(Bytes bytes) { return static_cast<std::size_t>(std::ceil(bytes.value())); }

/// When one buffer is alive, in numbers of operations of a part.
struct Lives {
  bool shares = true; ///< compute stream alone, written before it is read, in one part
  bool used = false;
  Part part = Part::prologue;
  std::vector<std::pair<int, int>> ranges; ///< first and last operation, in order
};

std::vector<Lives> lives_of(const Program& program) {
  std::vector<Lives> lives(program.buffers.size());
  for (const auto part : {Part::prologue, Part::body, Part::epilogue}) {
    int index = 0;
    for (const auto& op : program.part(part)) {
      const auto touch = [&](BufferId id, bool writes) {
        auto& life = lives[static_cast<std::size_t>(id)];
        const bool reads_too =
            writes && std::find(op.reads.begin(), op.reads.end(), id) != op.reads.end();
        life.shares = life.shares && op.stream == 0 && (!life.used || life.part == part) &&
                      (life.used || (writes && !reads_too));
        life.used = true;
        life.part = part;
        if (writes && !reads_too) {
          life.ranges.emplace_back(index, index);
        } else if (!life.ranges.empty()) {
          life.ranges.back().second = index;
        }
      };
      for (const auto id : op.reads) {
        touch(id, false);
      }
      for (const auto id : op.writes) {
        touch(id, true);
      }
      ++index;
    }
  }
  return lives;
}

bool overlap(const Lives& a, const Lives& b) {
  if (a.part != b.part) {
    return false; // the compute stream ends one part before the next
  }
  auto left = a.ranges.begin();
  auto right = b.ranges.begin();
  while (left != a.ranges.end() && right != b.ranges.end()) {
    if (left->second < right->first) {
      ++left;
    } else if (right->second < left->first) {
      ++right;
    } else {
      return true;
    }
  }
  return false;
}

/// Bytes that collectives touch of each buffer: padded ones more than the tensor has.
void grow_for_collectives(const Plan& plan, int rank, std::vector<std::size_t>& bytes) {
  const auto& program = plan.program(rank);
  const auto need = [&bytes](const std::vector<BufferId>& ids, std::size_t least) {
    if (!ids.empty()) {
      auto& has = bytes[static_cast<std::size_t>(ids.front())];
      has = std::max(has, least);
    }
  };
  for (const auto part : {Part::prologue, Part::body, Part::epilogue}) {
    for (const auto& op : program.part(part)) {
      const auto* collective = as_collective(op);
      if (collective == nullptr) {
        continue;
      }
      const auto members = plan.group(collective->axis, rank).size();
      const auto one = (whole(collective->total_bytes) + members - 1) / members;
      const bool gathers = collective->kind == CollectiveKind::all_gather;
      const bool scatters = collective->kind == CollectiveKind::reduce_scatter;
      if (op.reads.size() == 1) {
        need(op.reads, gathers ? one : whole(collective->total_bytes));
      }
      need(op.writes, scatters ? one : std::max(one * members, whole(collective->total_bytes)));
    }
  }
}

} // namespace

MemoryPlaces memory_places(const Plan& plan, int rank) {
  const auto& program = plan.program(rank);
  const auto count = program.buffers.size();
  MemoryPlaces places{.offset = std::vector<std::size_t>(count, 0), .bytes = {}};
  for (const auto& buffer : program.buffers) {
    places.bytes.push_back(whole(buffer.bytes));
  }
  grow_for_collectives(plan, rank, places.bytes);
  const auto lives = lives_of(program);
  std::vector<std::size_t> sharing;
  for (std::size_t id = 0; id < count; ++id) {
    const auto& buffer = program.buffers[id];
    if (buffer.kind == BufferKind::gathered_part) {
      places.offset[id] = static_cast<std::size_t>(buffer.offset.value());
    } else if (buffer.kind == BufferKind::activation && lives[id].used && lives[id].shares) {
      sharing.push_back(id);
    } else {
      places.offset[id] = places.total;
      places.total += aligned(places.bytes[id]);
    }
  }
  // The largest first, each as low as what lives beside it allows.
  std::stable_sort(sharing.begin(), sharing.end(), [&places](std::size_t a, std::size_t b) {
    return places.bytes[a] > places.bytes[b];
  });
  std::size_t end = places.total;
  std::vector<std::size_t> placed;
  for (const auto id : sharing) {
    std::vector<std::pair<std::size_t, std::size_t>> taken;
    for (const auto other : placed) {
      if (overlap(lives[id], lives[other])) {
        taken.emplace_back(places.offset[other],
                           places.offset[other] + aligned(places.bytes[other]));
      }
    }
    std::sort(taken.begin(), taken.end());
    auto at = places.total;
    for (const auto& [first, last] : taken) {
      if (at + aligned(places.bytes[id]) <= first) {
        break;
      }
      at = std::max(at, last);
    }
    places.offset[id] = at;
    placed.push_back(id);
    end = std::max(end, at + aligned(places.bytes[id]));
  }
  places.total = end;
  return places;
}

} // namespace decodesim
