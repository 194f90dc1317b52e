#pragma once

#include "validation/cuda/device_error.hpp"

#include <cstddef>
#include <optional>
#include <utility>

namespace decodesim {

/// Memory of the current device, freed at the end of its scope.
class DeviceBuffer {
public:
  /// @throws DeviceError when there is not as much
  explicit DeviceBuffer(std::size_t bytes) : bytes_{bytes} {
    check(cudaMalloc(&data_, bytes), "allocate " + std::to_string(bytes) + " bytes on the device");
  }

  DeviceBuffer(DeviceBuffer&& other) noexcept
      : data_{std::exchange(other.data_, nullptr)}, bytes_{std::exchange(other.bytes_, 0)} {}

  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(DeviceBuffer&&) = delete;

  ~DeviceBuffer() { cudaFree(data_); }

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  /// Address `offset` bytes from the start.
  template <class T = void> [[nodiscard]] T* at(std::size_t offset = 0) const {
    return reinterpret_cast<T*>(static_cast<std::byte*>(data_) + offset);
  }

private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Memory of the current device that grows before it is used.
class GrowingBuffer {
public:
  /// Has as many bytes from here on; the content is lost when it grows.
  void reserve(std::size_t bytes) {
    if (bytes > (buffer_ ? buffer_->bytes() : 0)) {
      check(cudaDeviceSynchronize(), "finish work before memory grows");
      buffer_.reset();
      buffer_.emplace(bytes);
    }
  }

  /// Null before anything was reserved.
  template <class T = void> [[nodiscard]] T* data() const {
    return buffer_ ? buffer_->at<T>() : nullptr;
  }

private:
  std::optional<DeviceBuffer> buffer_;
};

} // namespace decodesim
