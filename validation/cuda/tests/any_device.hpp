#pragma once

#include <gtest/gtest.h>

#include <cuda_runtime.h>

namespace decodesim {

/// Skips every test where there is no CUDA device.
class OnDevice : public ::testing::Test {
protected:
  void SetUp() override {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
      GTEST_SKIP() << "no CUDA device";
    }
  }
};

} // namespace decodesim
