#include "validation/executor/memory_contents.hpp"

#include "validation/executor/executable.hpp"
#include "validation/executor/weight_pieces.hpp"

#include <set>
#include <string>
#include <vector>

namespace decodesim {

MemoryContents::MemoryContents(const Plan& plan,
                               const Model& model,
                               const RankPlace& place,
                               Device& device,
                               const KernelResolver& arrays)
    : plan_{plan}, program_{place.program()}, model_{model}, place_{place}, device_{device},
      arrays_{arrays} {}

void MemoryContents::write() {
  for (std::size_t id = 0; id < program_.buffers.size(); ++id) {
    const auto& buffer = program_.buffers[id];
    if (buffer.kind != BufferKind::weights || buffer.name.ends_with(".shard")) {
      continue;
    }
    for (const auto& piece : weight_pieces(buffer, model_, place_)) {
      device_.fill(array(static_cast<BufferId>(id)), piece);
    }
  }
  fill_shards();
  write_prompts();
}

/// Each unit is written whole where it is gathered, then this rank's part is kept.
void MemoryContents::fill_shards() {
  const auto buffer = [this](BufferId id) -> const Buffer& {
    return program_.buffers[static_cast<std::size_t>(id)];
  };
  const auto members = plan_.group("dp", place_.rank).size();
  std::set<BufferId> filled;
  for (const auto& op : program_.prologue) {
    if (as_collective(op) == nullptr || op.reads.empty() ||
        !buffer(op.reads.front()).name.ends_with(".shard")) {
      continue;
    }
    auto* gathered = static_cast<std::byte*>(array(op.writes.front()).data);
    for (const auto shard : op.reads) {
      const auto bytes = static_cast<std::size_t>(buffer(shard).bytes.value());
      if (filled.insert(shard).second) {
        const auto& name = buffer(shard).name;
        fill_unit(name.substr(0, name.size() - std::string{".shard"}.size()));
        device_.copy(
            array(shard).data, gathered + bytes * static_cast<std::size_t>(place_.dp_index), bytes);
      }
      gathered += bytes * members;
    }
  }
}

/// Writes the parts of gather buffers that belong to a unit.
void MemoryContents::fill_unit(const std::string& unit) {
  for (std::size_t id = 0; id < program_.buffers.size(); ++id) {
    const auto& buffer = program_.buffers[id];
    if (buffer.kind == BufferKind::gathered_part && unit_of_part(buffer.name) == unit) {
      for (const auto& piece : weight_pieces(buffer, model_, place_)) {
        device_.fill(array(static_cast<BufferId>(id)), piece);
      }
    }
  }
}

void MemoryContents::write_prompts() {
  for (const auto& op : program_.prologue) {
    const auto* kernel = as_kernel(op);
    const auto* row = kernel == nullptr ? nullptr : std::get_if<RowKernel>(kernel);
    if (row == nullptr || row->function != RowFunction::embedding) {
      continue;
    }
    std::vector<std::int32_t> ids;
    const auto first = place_.first_sequence() + place_.first_of(op.micro_batch);
    for (std::int64_t i = 0; i < row->rows; ++i) {
      ids.push_back(prompt_token(model_, first + i / plan_.prompt_tokens, i % plan_.prompt_tokens));
    }
    device_.upload(array(op.reads.front()).data, ids.data(), ids.size() * sizeof(ids[0]));
  }
}

} // namespace decodesim
