#pragma once

#include "tests/cuda_on_cpu/emulation.hpp"

#include <memory>

/// What streams and graphs know of each other.
namespace cuda_on_cpu {

/// A piece of work in a graph, and the nodes that it comes after.
struct Node {
  std::string name;
  Work work;
  std::vector<std::size_t> after;
};

/// A graph that is recorded, from the origin and what streams came to it.
struct Capture {
  cudaStream_t origin;
  std::vector<cudaStream_t> streams;
  std::vector<Node> nodes;
  bool has_ended = false;
};

[[nodiscard]] cudaGraph_t new_graph(std::vector<Node> nodes);

/// @returns whether it ran, rather than wait
bool try_to_run(const std::string& name, const Attempt& attempt);

/// Pieces of work that ran in this process. Each takes a microsecond of the device's time.
[[nodiscard]] unsigned pieces_run();

} // namespace cuda_on_cpu
