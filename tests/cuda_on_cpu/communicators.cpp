#include "sim/atomic_file.hpp"
#include "sim/json_reader.hpp"
#include "tests/cuda_on_cpu/emulation.hpp"

#include <cstring>
#include <map>
#include <nccl.h>
#include <optional>
#include <set>

using namespace cuda_on_cpu;

namespace fs = std::filesystem;

/// A folder for each communicator, in which its ranks, which are processes, leave files.
struct ncclComm {
  fs::path folder;
  int rank = 0;
  int ranks = 0;
  unsigned long enqueued = 0; ///< operations
  unsigned long ended = 0;
  std::map<std::string, unsigned long> messages; ///< enqueued, by sender and receiver
};

namespace {

constexpr int most_pauses_to_join = 1'000'000; // of 50 us and more: a minute

enum class Kind { all_reduce, reduce_scatter, all_gather, send, receive };

/// A call inside of a group.
struct Part {
  Kind kind;
  const char* from;
  char* to;
  std::size_t count; ///< elements; of one rank where ranks have parts
  cudaDataType_t type;
  int peer;
  std::string file{}; ///< of the message; of a collective without the rank that leaves it
  bool is_done = false;

  [[nodiscard]] std::size_t bytes() const { return count * size_of(type); }

  [[nodiscard]] bool is_message() const { return kind == Kind::send || kind == Kind::receive; }

  /// What all ranks have to agree on.
  [[nodiscard]] std::string head() const {
    return std::to_string(static_cast<int>(kind == Kind::receive ? Kind::send : kind)) + " " +
           std::to_string(count) + " " + std::to_string(type) + "\n";
  }
};

/// Calls that move at once.
struct Group {
  ncclComm* with;
  cudaStream_t stream;
  std::vector<Part> parts;
};

thread_local int open_groups = 0;
thread_local std::vector<Group> groups;

std::string file_of(const Part& part, ncclComm& with, std::size_t index) {
  if (!part.is_message()) {
    return "collective." + std::to_string(with.enqueued) + "." + std::to_string(index) + ".";
  }
  const bool sends = part.kind == Kind::send;
  const auto pair = std::to_string(sends ? with.rank : part.peer) + "." +
                    std::to_string(sends ? part.peer : with.rank) + ".";
  return "message." + pair + std::to_string(with.messages[pair]++);
}

void leave(const ncclComm& with, const Part& part) {
  if (part.kind != Kind::receive) {
    const int arrays = part.kind == Kind::reduce_scatter ? with.ranks : 1;
    decodesim::write_file(
        with.folder / (part.file + (part.is_message() ? "" : std::to_string(with.rank))),
        part.head() + std::string{part.from, part.bytes() * static_cast<std::size_t>(arrays)});
  }
}

/// What a file holds behind its head; nothing while it is not there.
std::optional<std::string> content(const fs::path& path, const Part& part) {
  if (!fs::exists(path)) {
    return std::nullopt;
  }
  const auto text = decodesim::read_text(path);
  if (!text.starts_with(part.head())) {
    breach("calls " + part.head() + "where another rank calls " + text.substr(0, text.find('\n')));
  }
  return text.substr(part.head().size());
}

/// Puts arrays beside each other, or sums them: rounded after each rank, in their order.
void combine(const ncclComm& with, const Part& part, const std::vector<std::string>& arrays) {
  const bool sums = part.kind == Kind::all_reduce || part.kind == Kind::reduce_scatter;
  const auto first =
      part.kind == Kind::reduce_scatter ? static_cast<std::size_t>(with.rank) * part.bytes() : 0;
  for (std::size_t rank = 0; rank < arrays.size(); ++rank) {
    const auto* array = arrays[rank].data() + first;
    if (!sums || rank == 0) {
      std::memcpy(part.to + rank * part.bytes(), array, part.bytes());
      continue;
    }
    for (std::size_t i = 0; i < part.count; ++i) {
      const auto sum = element(part.to, part.type, i) + element(array, part.type, i);
      set_element(part.to, part.type, i, sum);
    }
  }
}

/// @returns whether all that the part needs was there. A message is removed by its receiver, which
///          the sender waits for, as it may of NCCL.
bool take(const ncclComm& with, const Part& part) {
  if (part.kind == Kind::send) {
    return !fs::exists(with.folder / part.file);
  }
  std::vector<std::string> arrays;
  for (int rank = 0; rank < (part.is_message() ? 1 : with.ranks); ++rank) {
    const auto own = part.is_message() ? "" : std::to_string(rank);
    const auto array = content(with.folder / (part.file + own), part);
    if (!array) {
      return false;
    }
    arrays.push_back(*array);
  }
  combine(with, part, arrays);
  if (part.kind == Kind::receive) {
    fs::remove(with.folder / part.file);
  }
  return true;
}

/// An operation begins after those before it on its communicator.
Attempt attempt_of(Group group) {
  for (std::size_t i = 0; i < group.parts.size(); ++i) {
    group.parts[i].file = file_of(group.parts[i], *group.with, i);
  }
  const auto number = group.with->enqueued++;
  return [group = std::move(group), number, has_begun = false]() mutable {
    auto& with = *group.with;
    if (with.ended != number) {
      return false;
    }
    for (const auto& part : group.parts) {
      if (!has_begun) {
        leave(with, part);
      }
    }
    has_begun = true;
    bool is_done = true;
    for (auto& part : group.parts) {
      part.is_done = part.is_done || take(with, part);
      is_done = is_done && part.is_done;
    }
    with.ended += is_done ? 1 : 0;
    return is_done;
  };
}

ncclResult_t enqueue_groups() {
  for (auto& group : std::exchange(groups, {})) {
    enqueue(group.stream, "a communication", [group] { return attempt_of(group); });
  }
  return ncclSuccess;
}

void check_memory(const ncclComm& with, const Part& part) {
  const auto all = part.bytes() * static_cast<std::size_t>(with.ranks);
  const auto from = part.kind == Kind::reduce_scatter ? all : part.bytes();
  const auto to = part.kind == Kind::all_gather ? all : part.bytes();
  breach_unless(part.bytes() == 0 ||
                    ((part.kind == Kind::receive || is_on_device(part.from, from)) &&
                     (part.kind == Kind::send || is_on_device(part.to, to))),
                "communicates what is not on the device");
  if (part.is_message()) {
    breach_unless(part.peer >= 0 && part.peer < with.ranks, "names a rank that does not exist");
    return;
  }
  // NCCL's documentation, "In-place Operations": a rank's own part is where the whole array has it.
  const auto own = static_cast<std::size_t>(with.rank) * part.bytes();
  const bool is_in_place = part.kind == Kind::all_reduce   ? part.from == part.to
                           : part.kind == Kind::all_gather ? part.from == part.to + own
                                                           : part.to == part.from + own;
  breach_unless(is_in_place || part.from + from <= part.to || part.to + to <= part.from,
                "communicates between arrays that overlap");
}

ncclResult_t add(ncclComm_t with, cudaStream_t stream, const Part& part) {
  const Call call;
  check_memory(*with, part);
  const auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& one) {
    return one.with == with && one.stream == stream;
  });
  if (group == groups.end()) {
    groups.push_back({with, stream, {part}});
  } else {
    group->parts.push_back(part);
  }
  return open_groups > 0 ? ncclSuccess : enqueue_groups();
}

Part part_of(
    Kind kind, const void* from, void* to, std::size_t count, ncclDataType_t type, int peer = -1) {
  const auto of = type == ncclInt8       ? CUDA_R_8I
                  : type == ncclFloat32  ? CUDA_R_32F
                  : type == ncclBfloat16 ? CUDA_R_16BF
                                         : CUDA_R_16F;
  breach_unless(of != CUDA_R_16F || type == ncclFloat16, "communicates in another type");
  return {kind, static_cast<const char*>(from), static_cast<char*>(to), count, of, peer};
}

} // namespace

extern "C" {

const char* ncclGetErrorString(ncclResult_t) { return "NCCL refuses"; }

const char* ncclGetLastError(ncclComm_t) { return "emulated"; }

ncclResult_t ncclGetVersion(int* version) {
  *version = NCCL_VERSION_CODE;
  return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  const Call call;
  auto folder = (fs::temp_directory_path() / "nccl-XXXXXX").string();
  breach_unless(::mkdtemp(folder.data()) != nullptr, "has no folder for temporary files");
  *id = {};
  folder.copy(id->internal, sizeof id->internal - 1);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t* made, int ranks, ncclUniqueId id, int rank) {
  Call call;
  breach_unless(!is_capturing(), "joins a communicator during a capture");
  *made = new ncclComm{id.internal, rank, ranks};
  const char* host = std::getenv("NCCL_HOSTID");
  const auto file = [&](int of) { return (*made)->folder / ("join." + std::to_string(of)); };
  decodesim::write_file(file(rank), host == nullptr ? "" : host);
  std::set<std::string> hosts;
  for (int other = 0; other < ranks; ++other) {
    for (int pauses = 0; !fs::exists(file(other)); ++pauses) {
      breach_unless(pauses < most_pauses_to_join, "waits for a rank that does not join");
      call.pause();
    }
    if (!hosts.insert(decodesim::read_text(file(other))).second) {
      return ncclInvalidUsage; // NCCL: two ranks with one GPU of one host
    }
  }
  return ncclSuccess;
}

/// The last rank removes the folder.
ncclResult_t ncclCommAbort(ncclComm_t communicator) {
  const auto& with = *communicator;
  breach_unless(with.enqueued == with.ended, "gives up a communicator whose work has not ended");
  const auto file = [&](int rank) { return with.folder / ("left." + std::to_string(rank)); };
  decodesim::write_file(file(with.rank), "");
  bool have_all_left = true;
  for (int rank = 0; rank < with.ranks; ++rank) {
    have_all_left = have_all_left && fs::exists(file(rank));
  }
  if (have_all_left) {
    std::error_code ignored;
    fs::remove_all(with.folder, ignored);
  }
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  ++open_groups;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  const Call call;
  breach_unless(open_groups > 0, "ends a group that was not started");
  return --open_groups > 0 ? ncclSuccess : enqueue_groups();
}

ncclResult_t ncclAllReduce(const void* from,
                           void* to,
                           std::size_t count,
                           ncclDataType_t type,
                           ncclRedOp_t,
                           ncclComm_t with,
                           cudaStream_t stream) {
  return add(with, stream, part_of(Kind::all_reduce, from, to, count, type));
}

ncclResult_t ncclReduceScatter(const void* from,
                               void* to,
                               std::size_t count,
                               ncclDataType_t type,
                               ncclRedOp_t,
                               ncclComm_t with,
                               cudaStream_t stream) {
  return add(with, stream, part_of(Kind::reduce_scatter, from, to, count, type));
}

ncclResult_t ncclAllGather(const void* from,
                           void* to,
                           std::size_t count,
                           ncclDataType_t type,
                           ncclComm_t with,
                           cudaStream_t stream) {
  return add(with, stream, part_of(Kind::all_gather, from, to, count, type));
}

ncclResult_t ncclSend(const void* from,
                      std::size_t count,
                      ncclDataType_t type,
                      int peer,
                      ncclComm_t with,
                      cudaStream_t stream) {
  return add(with, stream, part_of(Kind::send, from, nullptr, count, type, peer));
}

ncclResult_t ncclRecv(void* to,
                      std::size_t count,
                      ncclDataType_t type,
                      int peer,
                      ncclComm_t with,
                      cudaStream_t stream) {
  return add(with, stream, part_of(Kind::receive, nullptr, to, count, type, peer));
}
}
