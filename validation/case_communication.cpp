#include "validation/case_communication.hpp"

#include "validation/case_scenario.hpp"
#include "validation/collective_time.hpp"

#include <numeric>

namespace decodesim {

namespace {

constexpr const char* all_reduce_metric = "allreduce_latency";
constexpr const char* dispatch_metric = "dispatch_latency";
constexpr const char* combine_metric = "combine_latency";

/// GPUs of the row: the first of each node.
std::vector<int> gpus_of(const Case& one, const Machine& machine) {
  if (one.gpus < 2 || one.gpus % one.nodes != 0) {
    throw CaseProblem{CaseStatus::invalid,
                      std::to_string(one.gpus) + " GPUs on " + std::to_string(one.nodes) +
                          " nodes; two or more are expected, equally many on each"};
  }
  const int per_node = one.gpus / one.nodes;
  std::vector<int> gpus;
  for (int node = 0; node < one.nodes; ++node) {
    for (int gpu = 0; gpu < per_node; ++gpu) {
      gpus.push_back(node * machine.gpus_per_node() + gpu);
    }
  }
  return gpus;
}

Bytes payload_of(const Case& one) {
  const auto bytes = first_number(one.output_tokens);
  if (!bytes || *bytes < 1) {
    throw CaseProblem{CaseStatus::invalid,
                      "the output length is \"" + one.output_tokens + "\"; bytes are expected"};
  }
  return Bytes{static_cast<double>(*bytes)};
}

CollectiveBench::TokenExchange exchange_of(const Case& one) {
  const auto model = model_of(one);
  const auto tokens = first_number(one.batch);
  if (!model.moe || !tokens || *tokens < one.gpus) {
    throw CaseProblem{CaseStatus::invalid,
                      "an exchange needs a model with experts, and a token of each rank in the "
                      "batch"};
  }
  const bool low_latency = one.framework.find("normal") == std::string::npos;
  return {.kernels = low_latency ? "deepep-ll" : "deepep-normal",
          .tokens = static_cast<double>(*tokens) / one.gpus,
          .token_bytes = Bytes{2.0 * static_cast<double>(model.hidden_size)},
          .experts_per_token = model.moe->experts_per_token,
          .direction = one.metric == combine_metric ? Exchange::Direction::combine
                                                    : Exchange::Direction::dispatch};
}

} // namespace

bool is_communication(const Case& one) {
  return one.metric == all_reduce_metric || one.metric == dispatch_metric ||
         one.metric == combine_metric;
}

CaseOutcome simulate_communication(const Case& one) {
  if (!one.problem.empty()) {
    throw CaseProblem{CaseStatus::invalid, one.problem};
  }
  if (one.unit != "us") {
    throw CaseProblem{CaseStatus::invalid,
                      "unit " + one.unit + " of " + one.metric + "; us is expected"};
  }
  CaseScenario found;
  choose_machine(one, found);
  const auto gpus = gpus_of(one, found.machine);
  const auto in_us = [](Seconds time) { return time.value() * 1e6; };
  CaseOutcome outcome{.status = CaseStatus::ok, .reason = joined(found.notes), .simulated = {}};
  if (one.metric == all_reduce_metric) {
    const auto bytes = payload_of(one);
    const auto time_with = [&](const char* collectives) {
      return in_us(CollectiveBench{found.machine, gpus, collectives}.time(
          CollectiveKind::all_reduce, bytes));
    };
    outcome.simulated = time_with("nccl");
    outcome.roofline = outcome.bandwidth_only = time_with("ideal");
  } else {
    outcome.simulated =
        in_us(CollectiveBench{found.machine, gpus, "nccl"}.exchange(exchange_of(one)));
  }
  return outcome;
}

} // namespace decodesim
