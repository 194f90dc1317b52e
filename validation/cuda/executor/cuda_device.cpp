#include "validation/cuda/executor/cuda_device.hpp"

#include "sim/error.hpp"
#include "validation/cuda/device_error.hpp"
#include "validation/cuda/kernels/plan_kernels.cuh"

#include <cstring>

namespace decodesim {

namespace {

ncclDataType_t nccl_type(DataType type) {
  switch (type) {
  case DataType::fp32:
    return ncclFloat32;
  case DataType::bf16:
    return ncclBfloat16;
  case DataType::fp16:
    return ncclFloat16;
  default:
    throw std::runtime_error{"NCCL sums no " + to_string(type)};
  }
}

std::size_t elements(std::int64_t bytes, DataType type) {
  return static_cast<std::size_t>(static_cast<double>(bytes) / element_bytes(type).value());
}

} // namespace

CudaDevice::CudaDevice(int gpu, const Rendezvous& rendezvous)
    : gpu_{(check(cudaSetDevice(gpu), "use a GPU"), gpu)}, rendezvous_{rendezvous} {}

CudaDevice::~CudaDevice() {
  for (auto* graph : graphs_) {
    cudaGraphExecDestroy(graph);
  }
  for (auto* one : communicators_) {
    ncclCommAbort(one);
  }
  for (const auto& one : events_) {
    cudaEventDestroy(one.event);
  }
  for (auto* one : streams_) {
    cudaStreamDestroy(one);
  }
  for (auto* one : memory_) {
    cudaFree(one);
  }
}

void* CudaDevice::allocate(const std::string& name, std::size_t bytes) {
  void* memory = nullptr;
  if (bytes == 0) {
    return memory;
  }
  if (const auto result = cudaMalloc(&memory, bytes); result != cudaSuccess) {
    std::size_t left = 0;
    std::size_t all = 0;
    cudaMemGetInfo(&left, &all);
    throw InputError::at(
        "GPU " + std::to_string(gpu_),
        name + " need " + std::to_string(bytes) + " bytes (" + cudaGetErrorString(result) + ")",
        "of " + std::to_string(all) + " bytes " + std::to_string(left) + " are free");
  }
  memory_.push_back(memory);
  check(cudaMemset(memory, 0, bytes), "clear memory");
  check(cudaDeviceSynchronize(), "clear memory");
  return memory;
}

void CudaDevice::upload(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) {
    check(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), "copy to the device");
    // From memory that is not page-locked it returns before the last part has arrived.
    check(cudaDeviceSynchronize(), "copy to the device");
  }
}

void CudaDevice::download(void* to, const void* from, std::size_t bytes) {
  check(cudaDeviceSynchronize(), "finish the work before a copy");
  check(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost), "copy from the device");
}

void CudaDevice::fill(const Array& array, const WeightPiece& piece) {
  launch_fill(array, piece, nullptr);
  check(cudaGetLastError(), "write weights");
  check(cudaDeviceSynchronize(), "write weights");
}

void CudaDevice::copy(void* to, const void* from, std::size_t bytes) {
  check(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToDevice), "copy on the device");
  check(cudaDeviceSynchronize(), "copy on the device");
}

StreamHandle CudaDevice::create_stream(const std::string&) {
  cudaStream_t made = nullptr;
  check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "make a stream");
  streams_.push_back(made);
  return static_cast<StreamHandle>(streams_.size()) - 1;
}

EventHandle CudaDevice::create_event(bool timed) {
  cudaEvent_t made = nullptr;
  check(cudaEventCreateWithFlags(&made, timed ? cudaEventDefault : cudaEventDisableTiming),
        "make an event");
  const std::lock_guard lock{mutex_};
  events_.push_back({made, timed});
  return static_cast<EventHandle>(events_.size()) - 1;
}

CudaDevice::Event CudaDevice::event(EventHandle handle) {
  const std::lock_guard lock{mutex_};
  return events_[static_cast<std::size_t>(handle)];
}

CommunicatorHandle CudaDevice::create_communicator(const Communicator& members, int rank) {
  ncclUniqueId id;
  const int index = members.index_of(rank);
  if (index == 0) {
    check(ncclGetUniqueId(&id), "make the id of a communicator");
    rendezvous_.put(members.name, {id.internal, sizeof id.internal});
  } else {
    const auto text = rendezvous_.get(members.name);
    if (text.size() != sizeof id.internal) {
      throw std::runtime_error{"the id of " + members.name + " is cut"};
    }
    std::memcpy(id.internal, text.data(), sizeof id.internal);
  }
  ncclComm_t made = nullptr;
  check(ncclCommInitRank(&made, static_cast<int>(members.ranks.size()), id, index),
        "join a communicator");
  communicators_.push_back(made);
  return static_cast<CommunicatorHandle>(communicators_.size()) - 1;
}

void CudaDevice::prepare(const KernelCall& call) {
  if (const auto* product = std::get_if<ProductCall>(&call)) {
    products_.prepare(*product);
  } else if (const auto* grouped = std::get_if<GroupedProductCall>(&call)) {
    products_.prepare(*grouped);
  } else if (const auto* attention = std::get_if<AttentionCall>(&call)) {
    if (attention->head_size > most_head_size) {
      throw InputError::at("execution",
                           "has heads of " + std::to_string(attention->head_size),
                           "attention here has heads of at most " + std::to_string(most_head_size));
    }
    decode_attention_.prepare(*attention);
  } else if (const auto* write = std::get_if<CacheWriteCall>(&call)) {
    if (write->to.cache.type != write->qkv.type) {
      throw InputError::at("--kv-cache-dtype",
                           "the cache is in " + to_string(write->to.cache.type),
                           "kernels here take that of the activations, " +
                               to_string(write->qkv.type));
    }
  }
}

/// A timed event in a graph is one that the host may ask about afterwards.
void CudaDevice::record(EventHandle handle, StreamHandle on) {
  const auto one = event(handle);
  const auto flags = captures_ && one.timed ? cudaEventRecordExternal : cudaEventRecordDefault;
  check(cudaEventRecordWithFlags(one.event, stream(on), flags), "record an event");
}

void CudaDevice::wait(StreamHandle on, EventHandle handle) {
  check(cudaStreamWaitEvent(stream(on), event(handle).event, 0), "wait for an event");
}

void CudaDevice::launch(const KernelCall& call, StreamHandle on) {
  const auto to = stream(on);
  if (const auto* product = std::get_if<ProductCall>(&call)) {
    products_.run(*product, to);
  } else if (const auto* grouped = std::get_if<GroupedProductCall>(&call)) {
    products_.run(*grouped, to);
  } else if (const auto* attention = std::get_if<AttentionCall>(&call)) {
    if (attention->query_tokens == 1) {
      decode_attention_.run(*attention, to);
    } else {
      launch_prefill_attention(*attention, to);
    }
  } else {
    std::visit(
        [to](const auto& one) {
          if constexpr (requires { decodesim::launch(one, to); }) {
            decodesim::launch(one, to);
          }
        },
        call);
  }
  check(cudaGetLastError(), "enqueue a kernel");
}

void CudaDevice::collective(const CollectiveCall& call, StreamHandle on) {
  const auto part = static_cast<std::size_t>(call.part_bytes);
  const auto with = communicator(call.communicator);
  switch (call.kind) {
  case CollectiveKind::all_gather:
    check(ncclAllGather(call.from, call.to, part, ncclInt8, with, stream(on)), "gather");
    return;
  case CollectiveKind::all_reduce:
    check(ncclAllReduce(call.from,
                        call.to,
                        elements(call.part_bytes, call.type),
                        nccl_type(call.type),
                        ncclSum,
                        with,
                        stream(on)),
          "reduce");
    return;
  case CollectiveKind::reduce_scatter:
    check(ncclReduceScatter(call.from,
                            call.to,
                            elements(call.part_bytes, call.type),
                            nccl_type(call.type),
                            ncclSum,
                            with,
                            stream(on)),
          "reduce and scatter");
    return;
  default:
    throw std::runtime_error{"no plan has a collective of the kind " +
                             std::string{to_string(call.kind)}};
  }
}

void CudaDevice::group_start() { check(ncclGroupStart(), "start a group"); }

void CudaDevice::group_end() { check(ncclGroupEnd(), "end a group"); }

void CudaDevice::send(
    CommunicatorHandle with, int peer, const void* from, std::int64_t bytes, StreamHandle on) {
  check(ncclSend(
            from, static_cast<std::size_t>(bytes), ncclInt8, peer, communicator(with), stream(on)),
        "send");
}

void CudaDevice::receive(
    CommunicatorHandle with, int peer, void* to, std::int64_t bytes, StreamHandle on) {
  check(
      ncclRecv(to, static_cast<std::size_t>(bytes), ncclInt8, peer, communicator(with), stream(on)),
      "receive");
}

void CudaDevice::begin_capture(StreamHandle on) {
  check(cudaStreamBeginCapture(stream(on), cudaStreamCaptureModeThreadLocal), "capture a graph");
  captures_ = true;
}

GraphHandle CudaDevice::end_capture(StreamHandle on) {
  captures_ = false;
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream(on), &graph), "capture a graph");
  cudaGraphExec_t made = nullptr;
  const auto result = cudaGraphInstantiate(&made, graph, 0);
  cudaGraphDestroy(graph);
  check(result, "make a graph");
  check(cudaGraphUpload(made, stream(on)), "upload a graph");
  graphs_.push_back(made);
  return static_cast<GraphHandle>(graphs_.size()) - 1;
}

void CudaDevice::launch_graph(GraphHandle graph, StreamHandle on) {
  check(cudaGraphLaunch(graphs_[static_cast<std::size_t>(graph)], stream(on)), "launch a graph");
}

bool CudaDevice::is_done(EventHandle handle) {
  // A thread of its own that asks is on GPU 0, and would take memory there.
  check(cudaSetDevice(gpu_), "use a GPU");
  const auto result = cudaEventQuery(event(handle).event);
  if (result == cudaErrorNotReady) {
    return false;
  }
  check(result, "run what was enqueued");
  return true;
}

double CudaDevice::elapsed_us(EventHandle from, EventHandle to) {
  float ms = 0.0F;
  check(cudaEventElapsedTime(&ms, event(from).event, event(to).event), "read a time");
  return 1e3 * static_cast<double>(ms);
}

} // namespace decodesim
