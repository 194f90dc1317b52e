#include "validation/probe_operators.hpp"

#include "sim/error.hpp"
#include "sim/model/data_type.hpp"
#include "sim/plan/operation.hpp"
#include "validation/case_names.hpp"
#include "validation/measure/sample_statistics.hpp"

#include <array>
#include <utility>

namespace decodesim {

namespace {

/// Functions of row-wise kernels by their names in run files.
constexpr std::array row_functions{std::pair{"norm", RowFunction::norm},
                                   std::pair{"residual_add", RowFunction::residual_add},
                                   std::pair{"rotary", RowFunction::rotary},
                                   std::pair{"gated_activation", RowFunction::gated_activation},
                                   std::pair{"embedding", RowFunction::embedding},
                                   std::pair{"sampling", RowFunction::sampling}};

RowFunction row_function_named(const std::string& name, const std::string& where) {
  std::vector<std::string> known;
  for (const auto& [text, function] : row_functions) {
    if (name == text) {
      return function;
    }
    known.emplace_back(text);
  }
  throw InputError::unknown_name(where, "row-wise function", name, known);
}

std::string shape_of(const ProbeResult& probe) {
  std::string text = probe.name;
  for (const auto& [name, value] : probe.parameters) {
    text += ", " + name + " ";
    text += std::holds_alternative<std::string>(value)
                ? std::get<std::string>(value)
                : std::to_string(std::get<std::int64_t>(value));
  }
  return text;
}

/// Fills in what the kernel does; false when the probe is no kernel of a model.
bool describe(const ProbeResult& probe, const std::string& where, OperatorTime& time) {
  const auto type_of = [&] { return data_type_named(probe.text("dtype"), where); };
  Bytes read_again;
  if (probe.name == "gemm") {
    const auto type = type_of();
    const Gemm gemm{.m = probe.number("m"),
                    .n = probe.number("n"),
                    .k = probe.number("k"),
                    .weights = type,
                    .activations = type == DataType::fp16 ? DataType::fp16 : DataType::bf16};
    time.operation = type == DataType::fp8 ? KernelClass::gemm_fp8 : KernelClass::gemm;
    time.work = {kernel_work(gemm)};
    time.rows = static_cast<double>(gemm.m);
    read_again = static_cast<double>(gemm.n) * static_cast<double>(gemm.k) * element_bytes(type);
  } else if (probe.name == "attention_decode") {
    const auto type = type_of();
    const Attention attention{.sequences = static_cast<int>(probe.number("batch")),
                              .context_tokens = probe.number("context"),
                              .heads = static_cast<int>(probe.number("heads")),
                              .kv_heads = static_cast<int>(probe.number("kv_heads")),
                              .head_size = static_cast<int>(probe.number("head_size")),
                              .kv_cache = type,
                              .activations = type};
    time.operation = KernelClass::attention_decode;
    time.work = {kernel_work(attention)};
    time.rows = attention.sequences;
    read_again = 2.0 * time.rows * static_cast<double>(attention.context_tokens) *
                 attention.kv_heads * attention.head_size * element_bytes(type);
  } else if (probe.name == "row_kernel") {
    const RowKernel kernel{.function = row_function_named(probe.text("function"), where),
                           .rows = probe.number("rows"),
                           .read_columns = probe.number("read_columns"),
                           .write_columns = probe.number("write_columns"),
                           .type = type_of()};
    time.work = {kernel_work(kernel)};
    time.operation = time.work.front().kernel_class;
    time.rows = static_cast<double>(kernel.rows);
  } else {
    return false;
  }
  time.repeated = probe.l2 == "warm" ? read_again : Bytes{};
  return true;
}

/// "hw_thermal_slowdown" if the hardware held the clock down; a cap of power is how the GPU works.
std::string slowdown_of(const ProbeResult& probe) {
  for (const auto& reason : probe.throttle_reasons) {
    if (reason.ends_with("slowdown")) {
      return reason;
    }
  }
  return {};
}

} // namespace

std::vector<OperatorTime>
probe_operators(const RunFile& run, const std::string& name, const std::string& gpu) {
  if (run.kind != "probes") {
    throw InputError::at(name, "is a run of kind \"" + run.kind + "\"", "give a run of probes");
  }
  const auto preset = gpu.empty() ? gpu_preset_for(run.provenance.device).value_or("") : gpu;
  std::vector<OperatorTime> times;
  for (std::size_t i = 0; i < run.probes.size(); ++i) {
    const auto& probe = run.probes[i];
    const auto where = name + ": /probes/" + std::to_string(i);
    OperatorTime time{.id = where + ": " + shape_of(probe), .gpu = preset, .reason = probe.reason};
    bool is_kernel = false;
    try {
      is_kernel = describe(probe, where, time);
    } catch (const InputError& problem) {
      throw InputError{where + ": " + problem.what()};
    }
    if (!is_kernel) {
      continue;
    }
    if (const auto slowdown = slowdown_of(probe); time.reason.empty() && !slowdown.empty()) {
      time.reason = "the GPU was throttled: " + slowdown;
    }
    if (time.reason.empty() && preset.empty()) {
      time.reason = "no GPU preset is known as \"" + run.provenance.device + "\"";
    }
    time.measured = Seconds{statistics_of(probe.samples_us).median * 1e-6};
    times.push_back(std::move(time));
  }
  return times;
}

} // namespace decodesim
