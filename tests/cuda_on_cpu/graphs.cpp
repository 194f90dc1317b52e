#include "tests/cuda_on_cpu/streams.hpp"

#include <algorithm>

using namespace cuda_on_cpu;

struct CUgraph_st {
  std::vector<Node> nodes;
};

struct CUgraphExec_st {
  std::shared_ptr<const std::vector<Node>> nodes;
};

namespace cuda_on_cpu {

namespace {

unsigned pieces = 0;

/// One launch: nodes run when those before them have.
class GraphRun {
public:
  explicit GraphRun(std::shared_ptr<const std::vector<Node>> nodes)
      : nodes_{std::move(nodes)}, is_done_(nodes_->size()) {
    for (const auto& node : *nodes_) {
      attempts_.push_back(node.work());
    }
  }

  bool attempt() {
    for (bool moved = true; moved;) {
      moved = false;
      for (const int i : drawn_order(static_cast<int>(nodes_->size()), pieces)) {
        const auto at = static_cast<std::size_t>(i);
        if (is_ready(at) && try_to_run((*nodes_)[at].name, attempts_[at])) {
          is_done_[at] = moved = true;
        }
      }
    }
    return std::find(is_done_.begin(), is_done_.end(), false) == is_done_.end();
  }

private:
  std::shared_ptr<const std::vector<Node>> nodes_;
  std::vector<Attempt> attempts_;
  std::vector<bool> is_done_;

  [[nodiscard]] bool is_ready(std::size_t at) const {
    const auto& after = (*nodes_)[at].after;
    return !is_done_[at] &&
           std::all_of(after.begin(), after.end(), [this](auto one) { return is_done_[one]; });
  }
};

} // namespace

Work without_waiting(std::function<void()> run) {
  return [run = std::move(run)]() -> Attempt {
    return [run] {
      run();
      return true;
    };
  };
}

bool try_to_run(const std::string& name, const Attempt& attempt) {
  const auto outer = std::exchange(running_kernel, name);
  const bool ran = attempt();
  running_kernel = outer;
  pieces += ran ? 1 : 0;
  return ran;
}

unsigned pieces_run() { return pieces; }

cudaGraph_t new_graph(std::vector<Node> nodes) { return new CUgraph_st{std::move(nodes)}; }

} // namespace cuda_on_cpu

extern "C" {

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t graph, unsigned long long) {
  const Call call;
  *made = new CUgraphExec_st{std::make_shared<const std::vector<Node>>(graph->nodes)};
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  const Call call;
  enqueue(stream, "graph", [nodes = graph->nodes]() -> Attempt {
    const auto run = std::make_shared<GraphRun>(nodes);
    return [run] { return run->attempt(); };
  });
  return cudaSuccess;
}
}
