#include "tests/cuda_on_cpu/thread_block.hpp"

#include "tests/cuda_on_cpu/emulation.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <csetjmp>
#include <cstring>
#include <map>
#include <memory>
#include <ucontext.h>

namespace cuda_on_cpu {

uint3 thread_index;
uint3 block_index;
dim3 block_size;
dim3 grid_size;

namespace {

constexpr std::size_t stack_bytes = 128 << 10;
constexpr std::size_t warp_size = 32;
constexpr int poison = 0xff; // NaN in every type

enum class State { ready, at_barrier, at_exchange, ended };

struct Fiber {
  std::unique_ptr<char[]> stack;
  std::jmp_buf left_at;
  uint3 index{};
  State state = State::ready;
  int line = 0;
  unsigned mask = 0;
  int other_lane = 0;
  std::array<char, 16> value{};
};

std::vector<Fiber> fibers(1024);
std::jmp_buf scheduler;
std::size_t running = 0;
std::size_t threads = 0;
const std::function<void()>* body = nullptr;
std::vector<char> dynamic_memory;
std::map<void*, std::size_t> variables;
std::size_t variables_may_take = 0;

/// Back to the scheduler, until it comes back here.
void leave() {
  if (_setjmp(fibers[running].left_at) == 0) {
    _longjmp(scheduler, 1);
  }
}

/// A fiber serves block after block.
void run_threads() {
  while (true) {
    (*body)();
    fibers[running].state = State::ended;
    leave();
  }
}

void start(Fiber& fiber) {
  fiber.stack = std::make_unique_for_overwrite<char[]>(stack_bytes);
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = fiber.stack.get();
  context.uc_stack.ss_size = stack_bytes;
  makecontext(&context, run_threads, 0);
  setcontext(&context);
}

void resume(std::size_t number) {
  running = number;
  auto& fiber = fibers[number];
  thread_index = fiber.index;
  if (_setjmp(scheduler) == 0) {
    if (!fiber.stack) {
      start(fiber);
    }
    _longjmp(fiber.left_at, 1);
  }
}

/// Waits until `needed` threads have arrived at one place.
/// @returns whether it is the last of them, which goes on at once and has to release the others
bool is_last_to(State state, int line, std::size_t& arrived, std::size_t needed) {
  fibers[running].state = state;
  fibers[running].line = line;
  if (++arrived < needed) {
    leave();
    return false;
  }
  arrived = 0;
  return true;
}

void release(State state, std::size_t first, std::size_t count) {
  const int line = fibers[running].line;
  for (std::size_t i = first; i < first + count; ++i) {
    if (fibers[i].state == state) {
      if (fibers[i].line != line) {
        breach("has threads that wait for each other at lines " + std::to_string(line) + " and " +
               std::to_string(fibers[i].line));
      }
      fibers[i].state = State::ready;
    }
  }
}

void exchange_values(std::size_t first, unsigned mask) {
  std::array<std::array<char, 16>, warp_size> values;
  for (std::size_t i = 0; i < warp_size; ++i) {
    values[i] = fibers[first + i].value;
  }
  for (std::size_t i = first; i < first + warp_size; ++i) {
    if (fibers[i].state == State::at_exchange) {
      breach_unless(fibers[i].mask == mask, "exchanges values under different masks");
      fibers[i].value = values[static_cast<std::size_t>(fibers[i].other_lane)];
    }
  }
}

[[noreturn]] void say_who_waits() {
  std::size_t waiting = 0;
  int line = 0;
  for (std::size_t i = 0; i < threads; ++i) {
    if (fibers[i].state != State::ended) {
      ++waiting;
      line = fibers[i].line;
    }
  }
  breach("has " + std::to_string(waiting) + " of " + std::to_string(threads) +
         " threads that wait for the others for ever, at line " + std::to_string(line));
}

} // namespace

void run_block(const std::function<void()>& thread,
               unsigned draw,
               std::size_t dynamic_bytes,
               std::size_t static_bytes) {
  body = &thread;
  threads = std::size_t{block_size.x} * block_size.y * block_size.z;
  dynamic_memory.assign(dynamic_bytes, static_cast<char>(poison));
  variables.clear();
  variables_may_take = static_bytes;
  for (unsigned i = 0; i < threads; ++i) {
    fibers[i].index = {
        i % block_size.x, i / block_size.x % block_size.y, i / (block_size.x * block_size.y)};
    fibers[i].state = State::ready;
  }
  const auto order = drawn_order(static_cast<int>(threads), draw);
  for (std::size_t ended = 0; ended < threads;) {
    bool moved = false;
    ended = 0;
    for (const int i : order) {
      const auto number = static_cast<std::size_t>(i);
      if (fibers[number].state == State::ready) {
        moved = true;
        resume(number);
      }
      ended += fibers[number].state == State::ended ? 1 : 0;
    }
    if (!moved) {
      say_who_waits();
    }
  }
}

void wait_for_block(int line) {
  static std::size_t arrived = 0;
  if (is_last_to(State::at_barrier, line, arrived, threads)) {
    release(State::at_barrier, 0, threads);
  }
}

void exchange_with_lane(void* value, std::size_t bytes, unsigned mask, int lane, int line) {
  static std::array<std::size_t, 1024 / warp_size> arrived{};
  const auto first = running / warp_size * warp_size;
  auto& own = fibers[running];
  breach_unless(first + warp_size <= threads, "exchanges values in a warp that is not whole");
  breach_unless((mask >> own_lane() & mask >> lane & 1U) != 0,
                "exchanges values with a lane that takes no part");
  std::memcpy(own.value.data(), value, bytes);
  own.mask = mask;
  own.other_lane = lane;
  const auto needed = static_cast<std::size_t>(std::popcount(mask));
  if (is_last_to(State::at_exchange, line, arrived[first / warp_size], needed)) {
    exchange_values(first, mask);
    release(State::at_exchange, first, warp_size);
  }
  std::memcpy(value, own.value.data(), bytes);
}

int own_lane() { return static_cast<int>(running % warp_size); }

void* dynamic_shared_memory() { return dynamic_memory.data(); }

void use_shared_variable(void* variable, std::size_t bytes) {
  if (!variables.try_emplace(variable, bytes).second) {
    return;
  }
  std::memset(variable, poison, bytes);
  std::size_t sum = 0;
  for (const auto& [at, size] : variables) {
    sum += size;
  }
  if (sum > variables_may_take) {
    breach("has variables of " + std::to_string(sum) + " bytes in shared memory, where " +
           std::to_string(variables_may_take) + " are left");
  }
}

} // namespace cuda_on_cpu
