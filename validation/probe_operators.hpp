#pragma once

#include "validation/measure/run_file.hpp"
#include "validation/operator_table.hpp"

#include <string>
#include <vector>

namespace decodesim {

/// Single kernels among the probes of a run, each with the median of its samples: products
/// ("gemm"), decode attention ("attention_decode") and row-wise kernels ("row_kernel"). Bandwidth,
/// copies, launches and communication are no kernels of a model and are left out. Probes that
/// failed, or ran while the hardware held its clock down, are there with the reason.
///
/// @param name  of the file, in ids
/// @param gpu   preset or GPU file that stands for the device; empty: the preset of the device's
/// name
/// @throws InputError when the run is no run of probes, or a probe lacks a parameter of its shape
[[nodiscard]] std::vector<OperatorTime>
probe_operators(const RunFile& run, const std::string& name, const std::string& gpu = {});

} // namespace decodesim
