#include "validation/cuda/device_buffer.hpp"
#include "validation/cuda/probes/device_timer.hpp"
#include "validation/cuda/probes/probe_list.hpp"

#include <cstring>
#include <string>

namespace decodesim {

namespace {

constexpr std::size_t most_bytes = std::size_t{512} << 20;

/// Page-locked memory of the host.
class PinnedBuffer {
public:
  explicit PinnedBuffer(std::size_t bytes) {
    check(cudaMallocHost(&data_, bytes), "allocate page-locked memory");
    std::memset(data_, 1, bytes);
  }

  ~PinnedBuffer() { cudaFreeHost(data_); }

  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;

  [[nodiscard]] void* data() const { return data_; }

private:
  void* data_ = nullptr;
};

} // namespace

void probe_transfers(ProbeSession& session) {
  DeviceTimer timer{session.limits().rule};
  const DeviceBuffer device{most_bytes};
  const DeviceBuffer other{most_bytes};
  const PinnedBuffer host{most_bytes};
  for (const std::string kind : {"host_to_device", "device_to_host", "device_to_device"}) {
    for (std::size_t bytes = 4096; bytes <= most_bytes; bytes *= 4) {
      ProbeResult shape{
          .parameters = {{"kind", kind}, {"array_bytes", static_cast<std::int64_t>(bytes)}},
          .l2 = bytes <= timer.l2_bytes() ? "warm" : "flushed",
          .bytes = static_cast<std::int64_t>(bytes)};
      if (kind != "device_to_device") {
        shape.parameters["host_memory"] = "pinned";
      }
      session.point(shape, [&](ProbeResult& point) {
        timer.time_eager(point, 1, [&](int) {
          if (kind == "host_to_device") {
            check(cudaMemcpyAsync(
                      device.at(), host.data(), bytes, cudaMemcpyHostToDevice, timer.stream()),
                  "copy to the device");
          } else if (kind == "device_to_host") {
            check(cudaMemcpyAsync(
                      host.data(), device.at(), bytes, cudaMemcpyDeviceToHost, timer.stream()),
                  "copy to the host");
          } else {
            check(cudaMemcpyAsync(
                      other.at(), device.at(), bytes, cudaMemcpyDeviceToDevice, timer.stream()),
                  "copy on the device");
          }
        });
      });
    }
  }
}

} // namespace decodesim
