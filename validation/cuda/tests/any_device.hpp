#pragma once

#include "validation/cuda/probes/probe_process.hpp"

#include <gtest/gtest.h>

#include <cuda_runtime.h>

namespace decodesim {

/// Skips every test where there is no CUDA device. A process of its own looks for it: one that has
/// looked cannot fork any more, which probes do.
class OnDevice : public ::testing::Test {
protected:
  void SetUp() override {
    const auto found = run_in_process(
        [](const std::function<void(const std::string&)>& write) {
          int devices = 0;
          if (cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0) {
            write("found");
          }
        },
        60);
    if (found.lines.empty()) {
      GTEST_SKIP() << "no CUDA device, or this process has used it";
    }
  }
};

} // namespace decodesim
