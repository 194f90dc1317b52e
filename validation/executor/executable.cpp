#include "validation/executor/executable.hpp"

#include "sim/error.hpp"
#include "sim/plan/expert_loads.hpp"

namespace decodesim {

namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw InputError::at("execution", what + ", which the executor cannot run");
}

void check_operation(const Plan& plan, const Program& program, const Operation& op) {
  if (const auto* messages = as_point_to_point(op)) {
    for (const auto& one : messages->messages) {
      if (one.channel == "cache") {
        refuse("the framework sends caches between stages");
      }
    }
  }
  const auto* collective = as_collective(op);
  if (collective != nullptr && op.reads.size() > 1) {
    // Each shard is gathered behind the one before: there is no room for padding.
    const auto members = static_cast<double>(plan.axis(collective->axis).groups.front().size());
    double held = 0;
    for (const auto id : op.reads) {
      held += program.buffers[static_cast<std::size_t>(id)].bytes.value();
    }
    if (held * members != collective->total_bytes.value()) {
      refuse("zero3 gathers a table that embedding and LM head share, and "
             "the ranks do not divide its bytes or those of the final norm");
    }
  }
}

void check_types(const Program& program) {
  for (const auto& buffer : program.buffers) {
    switch (buffer.type) {
    case DataType::fp32:
    case DataType::bf16:
    case DataType::fp16:
    case DataType::fp8:
    case DataType::int8:
      break;
    default:
      throw InputError::at("execution",
                           buffer.name + " is stored in " + to_string(buffer.type),
                           "use one of fp32, bf16, fp16, fp8, int8");
    }
    if (buffer.name == "embedding" && buffer.shape.front() == 0) {
      refuse("the framework keeps the embedding on the host");
    }
  }
}

} // namespace

void check_executable(const Plan& plan, const Model& model) {
  if (model.latent) {
    refuse(model.name + " has latent attention");
  }
  if (model.position == PositionKind::alibi) {
    refuse(model.name + " has ALiBi positions");
  }
  if (model.attention_sinks) {
    refuse(model.name + " has attention sinks");
  }
  if (plan.expert_loads && plan.expert_loads->settings().exchange == MoeExchange::all_gather &&
      plan.expert_loads->grid().ep > 0 && plan.expert_loads->grid().dp > 1) {
    refuse("experts are exchanged by all-gather");
  }
  for (const auto& program : plan.programs) {
    check_types(program);
    for (const auto& buffer : program.buffers) {
      // [2, sequences, tokens, KV heads, head size]
      if (buffer.kind == BufferKind::kv_cache &&
          buffer.shape[2] < plan.prompt_tokens + plan.decode_steps) {
        refuse(buffer.name + " has a window of " + std::to_string(buffer.shape[2]) + " tokens");
      }
    }
    for (const auto part : {Part::prologue, Part::body, Part::epilogue}) {
      for (const auto& op : program.part(part)) {
        check_operation(plan, program, op);
      }
    }
  }
}

std::string unit_of_part(const std::string& name) {
  const auto dot = name.find('.');
  if (name.front() == 'L' && dot != std::string::npos) {
    return name.substr(0, dot);
  }
  return name == "lm_head" || name == "final_norm" ? "head" : "embedding";
}

} // namespace decodesim
