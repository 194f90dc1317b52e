#include "strategies/build_plan.hpp"
#include "strategies/layout_spec.hpp"
#include "tests/support/tiny_model.hpp"
#include "validation/executor/memory_places.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

/// h = 256: buffers are larger than the 256 bytes that they are rounded up to.
Model model() {
  auto made = small_model(4);
  made.hidden_size = 256;
  made.heads = 4;
  made.kv_heads = 2;
  made.ffn_size = 512;
  made.vocabulary_size = 300;
  return made;
}

Plan plan_of(const std::string& spec) {
  return build_plan(model(), parse_layout_spec(spec, 8, "test"), workload(4, 3, 3));
}

} // namespace

// Plays what operations write and read as owners of bytes: nobody may find another's.
TEST(MemoryPlaces, KeepEveryBufferUntilItsLastRead) {
  for (const auto* spec : {"single", "tp2", "sp2", "zero3x2-prefetch", "pp2-interleaved"}) {
    const auto plan = plan_of(spec);
    const auto& program = plan.program(0);
    const auto places = memory_places(plan, 0);
    std::map<std::size_t, BufferId> owner; // of each 256 bytes
    for (const auto part : {Part::prologue, Part::body, Part::body, Part::epilogue}) {
      for (const auto& op : program.part(part)) {
        const auto blocks = [&](BufferId id, auto visit) {
          const auto b = static_cast<std::size_t>(id);
          if (program.buffers[b].kind != BufferKind::activation) {
            return;
          }
          for (auto at = places.offset[b]; at < places.offset[b] + places.bytes[b]; at += 256) {
            visit(at);
          }
        };
        for (const auto id : op.reads) {
          blocks(id, [&](std::size_t at) {
            if (owner.contains(at)) {
              EXPECT_EQ(program.buffers[static_cast<std::size_t>(owner[at])].name,
                        program.buffers[static_cast<std::size_t>(id)].name)
                  << spec << ": " << op.name << " reads what was overwritten";
            }
          });
        }
        for (const auto id : op.writes) {
          blocks(id, [&](std::size_t at) { owner[at] = id; });
        }
      }
    }
    EXPECT_FALSE(owner.empty());
  }
}

// All activations of a single rank are the compute stream's, but for the token ids that one pass
// hands to the next: their memory is the peak of what is alive, and what the fit leaves between.
TEST(MemoryPlaces, TakeLittleMoreThanThePlanSays) {
  const auto plan = plan_of("single");
  const auto& program = plan.program(0);
  const auto places = memory_places(plan, 0);
  const double needed = program.weights.value() +
                        buffer_bytes(program, BufferKind::kv_cache).value() +
                        peak_activation_bytes(program).value();
  EXPECT_GE(static_cast<double>(places.total), needed);
  EXPECT_LT(static_cast<double>(places.total), 1.02 * needed);
}

// 2 of 6 rows are padding: 4 sequences over 3 ranks are 2 rows each, 6 in all.
TEST(MemoryPlaces, HoldThePaddingOfCollectives) {
  auto of = model();
  of.heads = of.kv_heads = 3;
  of.ffn_size = 510;
  const auto plan = build_plan(of, parse_layout_spec("sp3", 3, "test"), workload(4, 1, 2));
  const auto& program = plan.program(0);
  const auto places = memory_places(plan, 0);
  bool found = false;
  for (std::size_t id = 0; id < program.buffers.size(); ++id) {
    if (program.buffers[id].name == "hidden.m0.4") {
      EXPECT_EQ(program.buffers[id].bytes.value(), 4 * 256 * 2.0);
      EXPECT_EQ(places.bytes[id], 6u * 256 * 2);
      found = true;
    }
  }
  EXPECT_TRUE(found);
}

// A part lies in its slot; the parts of a unit follow each other and fill what is gathered.
TEST(GatheredParts, CoverWhatIsGathered) {
  for (const auto* spec : {"zero3x2", "zero3x2-prefetch", "tp2zero3x2", "pp2zero3x2"}) {
    const auto plan = plan_of(spec);
    const auto& program = plan.program(0);
    std::set<std::string> units;
    for (const auto& op : program.body) {
      const auto* gather = as_collective(op);
      if (gather == nullptr || gather->axis != "dp") {
        continue;
      }
      const auto unit = op.layer >= 0 ? "L" + std::to_string(op.layer) + "." : std::string{};
      const bool head = op.name == "all_gather.head";
      double sum = 0;
      for (const auto& buffer : program.buffers) {
        const bool in_layer = buffer.name.front() == 'L';
        const bool of_head = buffer.name == "lm_head" || buffer.name == "final_norm";
        if (buffer.kind == BufferKind::gathered_part &&
            (op.layer >= 0 ? buffer.name.starts_with(unit) : !in_layer && of_head == head)) {
          EXPECT_EQ(buffer.within, op.writes.front()) << buffer.name;
          EXPECT_EQ(buffer.offset.value(), sum) << buffer.name;
          sum += buffer.bytes.value();
        }
      }
      EXPECT_EQ(sum, gather->total_bytes.value()) << spec << " " << op.name << " " << op.layer;
      units.insert(op.name + unit);
    }
    EXPECT_GE(units.size(), 2u) << spec;
  }
}
