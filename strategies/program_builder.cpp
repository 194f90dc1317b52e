#include "strategies/program_builder.hpp"

#include <algorithm>
#include <utility>

namespace decodesim {

std::string per_micro_batch(const char* name, const Pass& pass) {
  return std::string{name} + ".m" + std::to_string(pass.micro_batch);
}

ProgramBuilder::ProgramBuilder(const Model& model,
                               const Layout& layout,
                               Precision precision,
                               Stage stage,
                               const ExpertLoads* loads)
    : model_{model}, layout_{layout}, precision_{precision}, stage_{stage}, expert_loads_{loads} {
  program_.streams = {"compute"};
}

StreamId ProgramBuilder::stream(const std::string& name) {
  auto& streams = program_.streams;
  const auto found = std::find(streams.begin(), streams.end(), name);
  if (found != streams.end()) {
    return static_cast<StreamId>(found - streams.begin());
  }
  streams.push_back(name);
  return static_cast<StreamId>(streams.size()) - 1;
}

EventId ProgramBuilder::event(const std::string& name) {
  const auto [entry, added] = events_.try_emplace(name, program_.event_count);
  program_.event_count += added ? 1 : 0;
  return entry->second;
}

BufferId ProgramBuilder::add_buffer(Buffer buffer) {
  const auto id = static_cast<BufferId>(program_.buffers.size());
  buffers_[buffer.name] = id;
  program_.buffers.push_back(std::move(buffer));
  return id;
}

namespace {

Bytes bytes_of(const std::vector<std::int64_t>& shape, DataType type) {
  double elements = 1.0;
  for (const auto extent : shape) {
    elements *= static_cast<double>(extent);
  }
  return elements * element_bytes(type);
}

} // namespace

BufferId
ProgramBuilder::weights(const std::string& name, std::vector<std::int64_t> shape, DataType type) {
  const auto bytes = bytes_of(shape, type);
  if (gathering_into_ >= 0) {
    const auto offset = std::exchange(gathered_, gathered_ + bytes);
    return add_buffer(
        {name, BufferKind::gathered_part, std::move(shape), type, bytes, gathering_into_, offset});
  }
  program_.weights += bytes;
  return add_buffer({name, BufferKind::weights, std::move(shape), type, bytes});
}

BufferId ProgramBuilder::gather_buffer(const std::string& name, Bytes bytes) {
  if (const auto found = buffers_.find(name); found != buffers_.end()) {
    auto& known = program_.buffers[static_cast<std::size_t>(found->second)];
    known.bytes = std::max(known.bytes, bytes);
    known.shape = {static_cast<std::int64_t>(known.bytes.value())};
    return found->second;
  }
  return add_buffer({name,
                     BufferKind::gathered_weights,
                     {static_cast<std::int64_t>(bytes.value())},
                     DataType::int8,
                     bytes});
}

void ProgramBuilder::gather_into(BufferId buffer, const std::function<void()>& declare) {
  gathering_into_ = buffer;
  gathered_ = Bytes{};
  declare();
  gathering_into_ = -1;
}

BufferId ProgramBuilder::kv_cache(int layer,
                                  std::int64_t kv_heads,
                                  std::int64_t sequences,
                                  std::int64_t tokens) {
  const std::int64_t window = model_.window(layer);
  const auto held = window > 0 ? std::min(window, tokens) : tokens;
  std::vector<std::int64_t> shape{2, sequences, held, kv_heads, model_.head_size};
  std::vector<std::int64_t> token{2, kv_heads, model_.head_size};
  if (model_.latent) {
    shape = {sequences, held, model_.latent->cache_size()};
    token = {model_.latent->cache_size()};
  }
  const auto bytes_per_token = bytes_of(token, precision_.kv_cache);
  program_.kv_bytes_per_token += bytes_per_token;
  if (window > 0) {
    auto& parts = program_.windowed_caches;
    const auto same = std::find_if(parts.begin(), parts.end(), [window](const WindowedCache& part) {
      return part.window == window;
    });
    if (same == parts.end()) {
      parts.push_back({.window = window, .bytes_per_token = bytes_per_token});
    } else {
      same->bytes_per_token += bytes_per_token;
    }
  }
  const auto bytes = bytes_of(shape, precision_.kv_cache);
  return add_buffer({"L" + std::to_string(layer) + ".kv_cache",
                     BufferKind::kv_cache,
                     std::move(shape),
                     precision_.kv_cache,
                     bytes});
}

BufferId ProgramBuilder::activation(const std::string& name,
                                    std::vector<std::int64_t> shape,
                                    DataType type) {
  return decode_activation(
      (pass_.part == Part::prologue ? "prefill." : "") + name, std::move(shape), type);
}

BufferId ProgramBuilder::decode_activation(const std::string& name,
                                           std::vector<std::int64_t> shape,
                                           DataType type) {
  const auto full = name + "." + std::to_string(shape.empty() ? 0 : shape.front());
  if (const auto found = buffers_.find(full); found != buffers_.end()) {
    return found->second;
  }
  const auto bytes = bytes_of(shape, type);
  return add_buffer({full, BufferKind::activation, std::move(shape), type, bytes});
}

BufferId ProgramBuilder::buffer(const std::string& name) const { return buffers_.at(name); }

void ProgramBuilder::begin(const Pass& pass) { pass_ = pass; }

void ProgramBuilder::wait(StreamId stream, EventId event) {
  auto& waits = pending_waits_[stream];
  if (std::find(waits.begin(), waits.end(), event) == waits.end()) {
    waits.push_back(event);
  }
}

void ProgramBuilder::record(StreamId stream, EventId event) {
  auto& operations = pass_.part == Part::prologue ? program_.prologue
                     : pass_.part == Part::body   ? program_.body
                                                  : program_.epilogue;
  for (auto op = operations.rbegin(); op != operations.rend(); ++op) {
    if (op->stream == stream) {
      op->records.push_back(event);
      return;
    }
  }
}

void ProgramBuilder::add(Operation operation) {
  operation.micro_batch = pass_.micro_batch;
  operation.waits = std::exchange(pending_waits_[operation.stream], {});
  auto& operations = pass_.part == Part::prologue ? program_.prologue
                     : pass_.part == Part::body   ? program_.body
                                                  : program_.epilogue;
  operations.push_back(std::move(operation));
}

void ProgramBuilder::kernel(const std::string& name, Kernel kernel, Detail detail) {
  add({.name = name,
       .layer = detail.layer,
       .stream = 0,
       .work = kernel,
       .reads = std::move(detail.reads),
       .writes = std::move(detail.writes),
       .samples = detail.samples});
}

void ProgramBuilder::exchange(const std::string& name, Exchange exchange, Detail detail) {
  add({.name = name,
       .layer = detail.layer,
       .stream = 0,
       .work = std::move(exchange),
       .reads = std::move(detail.reads),
       .writes = std::move(detail.writes)});
}

void ProgramBuilder::collective(StreamId stream,
                                const std::string& name,
                                Collective collective,
                                Detail detail) {
  add({.name = name,
       .layer = detail.layer,
       .stream = stream,
       .work = std::move(collective),
       .reads = std::move(detail.reads),
       .writes = std::move(detail.writes)});
}

void ProgramBuilder::messages(StreamId stream,
                              const std::string& name,
                              PointToPoint messages,
                              Detail detail) {
  add({.name = name,
       .layer = detail.layer,
       .stream = stream,
       .work = std::move(messages),
       .reads = std::move(detail.reads),
       .writes = std::move(detail.writes)});
}

} // namespace decodesim
