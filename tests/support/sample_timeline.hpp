#pragma once

#include "sim/engine/timeline.hpp"
#include "sim/plan/plan.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace decodesim {

/// What `sample_timeline` holds.
inline constexpr int sample_steps = 3;
/// A step: 2 launches; 2 layers of 2 x 3 operations and one wait; 2 sends; 2 bubbles; 2 receives;
/// sampling.
inline constexpr std::int64_t sample_spans = sample_steps * (2 + 2 * (2 * 3 + 1) + 2 + 2 + 2 + 1);
/// The wait of the late rank in each layer.
inline constexpr std::int64_t sample_empty_spans = sample_steps * 2;
inline constexpr std::int64_t sample_kernels = sample_steps * (2 * 2 * 3 + 2 + 2 + 1);
inline constexpr std::int64_t sample_arrows = sample_steps * 2;
inline constexpr std::int64_t sample_counter_samples = sample_steps * (3 + 2);

struct SampleTimeline {
  Plan plan;
  Timeline timeline;
};

/// A timeline made by hand, with a span of every kind: ranks 0 and 1 run two layers tensor parallel
/// (qkv_proj, attention, an all-reduce that rank 0 reaches late in layer 0 and rank 1 in layer 1),
/// then each sends to rank 2, the second stage, which is idle until then and samples.
///
/// A step lasts 101 us and a third; its ends are no whole nanoseconds.
[[nodiscard]] inline SampleTimeline sample_timeline() {
  SampleTimeline sample;
  Plan& plan = sample.plan;
  plan.layout = "tp2pp2";
  plan.decode_steps = sample_steps;

  Program first;
  first.role = "stage 0, 8 sequences";
  first.streams = {"compute", "to next stage"};
  const auto add = [](Program& program, std::string name, int layer, StreamId stream, auto work) {
    Operation operation;
    operation.name = std::move(name);
    operation.layer = layer;
    operation.micro_batch = layer < 0 ? 0 : -1;
    operation.stream = stream;
    operation.work = std::move(work);
    program.body.push_back(std::move(operation));
  };
  for (int layer = 0; layer < 2; ++layer) {
    add(first, "qkv_proj", layer, 0, Kernel{Gemm{.m = 8, .n = 3072, .k = 4096}});
    add(first,
        "attention",
        layer,
        0,
        Kernel{Attention{
            .sequences = 8, .context_tokens = 513, .heads = 16, .kv_heads = 4, .head_size = 128}});
    // The quotes show whether names are escaped.
    add(first,
        "all_reduce.\"attn\"",
        layer,
        0,
        Collective{CollectiveKind::all_reduce, "tp", Bytes{65536.0}});
  }
  const auto message = [](Message::Direction direction, int peer) {
    Message one;
    one.direction = direction;
    one.axis = "pp";
    one.peer = peer;
    one.channel = "pp.next";
    one.bytes = Bytes{32768.0};
    return PointToPoint{{one}};
  };
  add(first, "send", -1, 1, message(Message::Direction::send, 1));

  Program last;
  last.role = "stage 1, 8 sequences";
  last.streams = {"compute", "from rank 0", "from rank 1"};
  for (int from = 0; from < 2; ++from) {
    add(last, "receive", -1, from + 1, message(Message::Direction::receive, 0));
  }
  add(last,
      "sampling",
      -1,
      0,
      Kernel{RowKernel{.function = RowFunction::sampling,
                       .rows = 8,
                       .read_columns = 128256,
                       .write_columns = 1}});
  plan.programs = {first, last};
  plan.program_of_rank = {0, 0, 1};
  plan.axes.resize(2);
  plan.axes[0].name = "tp";
  plan.axes[0].groups = {{0, 1}};
  plan.axes[0].group_of_rank = {0, 0, -1};

  Timeline& timeline = sample.timeline;
  timeline.gpu_of_rank = {"gpu0", "gpu1", "gpu2"};
  timeline.link_names = {"gpu0->nvswitch", "nvswitch->gpu0"};
  constexpr double us = 1e-6;
  for (int step = 0; step < sample_steps; ++step) {
    double now = 0.0;
    const auto at = [&](double offset) { return step * (304.0 / 3.0) * us + offset; };
    const auto span =
        [&](int rank, int stream, int operation, SpanKind kind, double from, double to) {
          timeline.spans.push_back({.start_s = at(from),
                                    .end_s = at(to),
                                    .rank = rank,
                                    .stream = stream,
                                    .kind = kind,
                                    .step = step,
                                    .operation = operation});
        };
    for (int rank = 0; rank < 2; ++rank) {
      span(rank, 0, 0, SpanKind::launch, 0.0, 3.0 * us);
    }
    now = 3.0 * us;
    for (int layer = 0; layer < 2; ++layer) {
      for (int rank = 0; rank < 2; ++rank) {
        const int first_operation = 3 * layer;
        const bool late = rank == layer;
        const double attention = (late ? 9.0 : 7.0) * us;
        const double arrival = now + 20.0 * us + attention;
        span(rank, 0, first_operation, SpanKind::compute, now, now + 20.0 * us);
        span(rank, 0, first_operation + 1, SpanKind::compute, now + 20.0 * us, arrival);
        // The rank that is not late waits; the late one passes a wait of no length.
        span(rank, 0, first_operation + 2, SpanKind::waiting, arrival, now + 29.0 * us);
        span(rank, 0, first_operation + 2, SpanKind::transfer, now + 29.0 * us, now + 36.0 * us);
      }
      now += 36.0 * us;
    }
    for (int rank = 0; rank < 2; ++rank) {
      span(rank, 1, 6, SpanKind::transfer, now, now + 12.0 * us);
      span(2, rank + 1, rank, SpanKind::bubble, 0.0, now);
      span(2, rank + 1, rank, SpanKind::transfer, now, now + 12.0 * us);
      timeline.arrows.push_back({.start_s = at(now),
                                 .end_s = at(now + 12.0 * us),
                                 .from_rank = rank,
                                 .from_stream = 1,
                                 .to_rank = 2,
                                 .to_stream = rank + 1});
    }
    now += 12.0 * us;
    span(2, 0, 2, SpanKind::compute, now, now + 14.0 * us);
    for (int rank = 0; rank < 3; ++rank) {
      timeline.cache_samples.push_back({at(0.0), rank, 513e6 + step * 1e6});
    }
    timeline.link_samples.push_back({at(29.0 * us), 0, 0.75});
    timeline.link_samples.push_back({at(36.0 * us), 0, 0.0});
  }
  return sample;
}

} // namespace decodesim
