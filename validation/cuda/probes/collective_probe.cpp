#include "validation/cuda/device_buffer.hpp"
#include "validation/cuda/device_error.hpp"
#include "validation/cuda/probes/device_timer.hpp"
#include "validation/cuda/probes/probe_list.hpp"
#include "validation/executor/mps_daemon.hpp"
#include "validation/executor/rank_process.hpp"

#include <algorithm>
#include <csignal>
#include <exception>
#include <new>
#include <pthread.h>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace decodesim {

namespace {

constexpr std::size_t most_bytes = std::size_t{64} << 20;

/// What the processes of all ranks see.
struct Shared {
  pthread_barrier_t barrier;
  ncclUniqueId id;
  bool decision;
};

/// Memory that forked processes share.
class SharedMemory {
public:
  explicit SharedMemory(int ranks) {
    void* memory =
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      throw DeviceError{"cannot share memory between the ranks"};
    }
    shared_ = new (memory) Shared{};
    pthread_barrierattr_t attributes{};
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&shared_->barrier, &attributes, static_cast<unsigned>(ranks));
    pthread_barrierattr_destroy(&attributes);
  }

  ~SharedMemory() { munmap(shared_, sizeof(Shared)); }

  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  [[nodiscard]] Shared& operator*() const { return *shared_; }

private:
  Shared* shared_ = nullptr;
};

void wait_for_all(Shared& shared) { pthread_barrier_wait(&shared.barrier); }

/// What rank 0 says, on all ranks.
bool decided(Shared& shared, bool leads, bool decision) {
  if (leads) {
    shared.decision = decision;
  }
  wait_for_all(shared);
  const bool all = shared.decision;
  wait_for_all(shared); // before it is written again
  return all;
}

/// One NCCL call on arrays of `total` bytes in all.
struct Call {
  std::string kind;
  std::size_t total = 0;
};

/// One rank's communicator and arrays.
class Rank {
public:
  Rank(Shared& shared, int rank, int ranks, cudaStream_t stream)
      : rank_{rank}, ranks_{ranks}, stream_{stream} {
    if (rank == 0) {
      check(ncclGetUniqueId(&shared.id), "start NCCL");
    }
    wait_for_all(shared);
    check(ncclCommInitRank(&communicator_, ranks, shared.id, rank), "join the communicator");
  }

  ~Rank() { ncclCommDestroy(communicator_); }

  Rank(const Rank&) = delete;
  Rank& operator=(const Rank&) = delete;

  void enqueue(const Call& call) const {
    constexpr auto type = ncclBfloat16;
    const auto all = call.total / 2;
    const auto part = all / static_cast<std::size_t>(ranks_);
    const auto* from = send_.at();
    auto* to = receive_.at();
    const std::string what = "call NCCL";
    if (call.kind == "all_reduce") {
      check(ncclAllReduce(from, to, all, type, ncclSum, communicator_, stream_), what);
    } else if (call.kind == "all_gather") {
      check(ncclAllGather(from, to, part, type, communicator_, stream_), what);
    } else if (call.kind == "reduce_scatter") {
      check(ncclReduceScatter(from, to, part, type, ncclSum, communicator_, stream_), what);
    } else if (call.kind == "all_to_all") {
      check(ncclGroupStart(), what);
      for (int peer = 0; peer < ranks_; ++peer) {
        const auto at = static_cast<std::size_t>(peer) * part * 2;
        check(ncclSend(send_.at(at), part, type, peer, communicator_, stream_), what);
        check(ncclRecv(receive_.at(at), part, type, peer, communicator_, stream_), what);
      }
      check(ncclGroupEnd(), what);
    } else { // send_receive: to the next, from the one before
      check(ncclGroupStart(), what);
      check(ncclSend(from, all, type, (rank_ + 1) % ranks_, communicator_, stream_), what);
      check(ncclRecv(to, all, type, (rank_ + ranks_ - 1) % ranks_, communicator_, stream_), what);
      check(ncclGroupEnd(), what);
    }
  }

private:
  int rank_;
  int ranks_;
  cudaStream_t stream_;
  DeviceBuffer send_{most_bytes};
  DeviceBuffer receive_{most_bytes};
  ncclComm_t communicator_ = nullptr;
};

constexpr int calls_in_a_sample = 20;

/// Time of one call on this rank, from a start that all ranks share.
double sample(const Rank& rank, const Call& call, DeviceTimer& timer, Shared& shared) {
  wait_for_all(shared);
  return timer.elapsed_us([&] {
    for (int i = 0; i < calls_in_a_sample; ++i) {
      rank.enqueue(call);
    }
  }) / calls_in_a_sample;
}

/// Rank 0 decides how many samples are enough; the others follow.
void measure(const Rank& rank,
             bool leads,
             const Call& call,
             DeviceTimer& timer,
             const StoppingRule& rule,
             Shared& shared,
             ProbeResult& point) {
  (void)sample(rank, call, timer, shared);
  if (!leads) {
    while (decided(shared, false, true)) {
      (void)sample(rank, call, timer, shared);
    }
    return;
  }
  const auto samples = take_samples(rule, [&] {
    (void)decided(shared, true, true);
    return sample(rank, call, timer, shared);
  });
  (void)decided(shared, true, false);
  point.samples_us = samples.values;
  point.converged = samples.converged;
  point.repeats = calls_in_a_sample;
}

/// One point on rank 0. What fails ends the probe, since the other ranks only wait then.
void lead(const Rank& rank,
          const Call& call,
          DeviceTimer& timer,
          const StoppingRule& rule,
          Shared& shared,
          const ProbeResult& shape,
          ProbeSession& session) {
  bool begun = false;
  std::exception_ptr failure;
  session.point(shape, [&](ProbeResult& point) {
    begun = decided(shared, true, true);
    try {
      measure(rank, true, call, timer, rule, shared, point);
    } catch (...) {
      failure = std::current_exception();
      throw;
    }
  });
  if (failure) {
    std::rethrow_exception(failure);
  }
  if (!begun) { // the time limit
    (void)decided(shared, true, false);
  }
}

/// All points of one rank; rank 0 reports them.
void run_rank(int rank, int ranks, Shared& shared, ProbeSession& session) {
  int gpus = 0;
  check(cudaGetDeviceCount(&gpus), "find a CUDA device");
  if (gpus < ranks) {
    let_ranks_share_a_gpu(rank, ranks);
  }
  check(cudaSetDevice(rank % gpus), "use the rank's device");
  DeviceTimer timer{session.limits().rule};
  const Rank own{shared, rank, ranks, timer.stream()};
  auto rule = session.limits().rule;
  rule.least_samples = 5;
  for (const std::string kind :
       {"all_reduce", "all_gather", "reduce_scatter", "all_to_all", "send_receive"}) {
    for (std::size_t bytes = 1024; bytes <= most_bytes; bytes *= 8) {
      const Call call{kind, bytes};
      ProbeResult shape{.parameters = {{"kind", kind},
                                       {"ranks", ranks},
                                       {"gpus", std::min(gpus, ranks)},
                                       {"mps", mps_is_running() ? 1 : 0},
                                       {"launch", "eager"},
                                       {"total_bytes", static_cast<std::int64_t>(bytes)}},
                        .bytes = static_cast<std::int64_t>(bytes)};
      if (rank == 0) {
        lead(own, call, timer, rule, shared, shape, session);
      } else if (decided(shared, false, true)) {
        measure(own, false, call, timer, rule, shared, shape);
      }
    }
  }
}

/// Ends the ranks that are left.
void stop(const std::vector<pid_t>& processes) {
  for (const auto process : processes) {
    kill(process, SIGKILL);
    waitpid(process, nullptr, 0);
  }
}

} // namespace

void probe_collectives(ProbeSession& session) {
  const int ranks = session.limits().ranks;
  const SharedMemory shared{ranks};
  const pid_t leader = getpid();
  std::vector<pid_t> others;
  for (int rank = 1; rank < ranks; ++rank) {
    const pid_t process = fork();
    if (process < 0) {
      stop(others);
      throw DeviceError{"cannot start a process for each rank"};
    }
    if (process == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL); // rank 0 may be ended at any time
      try {
        run_rank(rank, ranks, *shared, session);
        _exit(0);
      } catch (...) {
        // Rank 0 would wait for ever: it is told, and ended.
        session.point({.parameters = {{"ranks", ranks}, {"rank", rank}}},
                      [](ProbeResult&) { throw; });
        if (getppid() == leader) {
          kill(leader, SIGKILL);
        }
        _exit(1);
      }
    }
    others.push_back(process);
  }
  try {
    run_rank(0, ranks, *shared, session);
  } catch (...) {
    stop(others);
    throw;
  }
  for (const auto process : others) {
    waitpid(process, nullptr, 0);
  }
}

} // namespace decodesim
