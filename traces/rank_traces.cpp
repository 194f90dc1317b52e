#include "traces/rank_traces.hpp"

#include "sim/atomic_file.hpp"
#include "sim/error.hpp"
#include "traces/json_text.hpp"
#include "traces/span_labels.hpp"
#include "traces/tracks.hpp"

#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace decodesim {

namespace fs = std::filesystem;

namespace {

/// The tool tells communication from computation by these names.
std::string_view nccl_kernel(CollectiveKind kind) {
  switch (kind) {
  case CollectiveKind::all_reduce:
    return "ncclDevKernel_AllReduce_Sum_bf16_RING_LL";
  case CollectiveKind::all_gather:
    return "ncclDevKernel_AllGather_RING_LL";
  case CollectiveKind::reduce_scatter:
    return "ncclDevKernel_ReduceScatter_Sum_bf16_RING_LL";
  case CollectiveKind::broadcast:
    return "ncclDevKernel_Broadcast_RING_LL";
  }
  return "ncclDevKernel";
}

struct KernelName {
  const Operation& operation;

  std::string operator()(const Kernel& kernel) const {
    const std::string family = std::holds_alternative<Gemm>(kernel)          ? "gemm"
                               : std::holds_alternative<Attention>(kernel)   ? "attention"
                               : std::holds_alternative<GroupedGemm>(kernel) ? "grouped_gemm"
                                                                             : "row";
    return family + "_kernel<" + operation.name + ">";
  }

  std::string operator()(const Collective& collective) const {
    return std::string{nccl_kernel(collective.kind)};
  }

  std::string operator()(const Exchange&) const { return "ncclDevKernel_SendRecv"; }

  std::string operator()(const PointToPoint&) const { return "ncclDevKernel_SendRecv"; }
};

std::string describe(const Operation& operation, Part, SpanKind) {
  std::string text = ",\"name\":";
  append_json_string(text, std::visit(KernelName{operation}, operation.work));
  text += ",\"cat\":\"kernel\",\"args\":{\"operation\":";
  append_json_string(text, operation.name);
  if (operation.layer >= 0) {
    text += ",\"layer\":" + std::to_string(operation.layer);
  }
  append_work_arguments(text, operation);
  return text;
}

fs::path file_of_rank(const fs::path& folder, int rank) {
  return folder / ("rank_" + std::to_string(rank) + ".json");
}

void write_track(AtomicFile& file,
                 const Track& track,
                 SpanLabels& labels,
                 TraceContents& contents) {
  const std::string rank = std::to_string(track.rank);
  const std::string stream = std::to_string(track.stream + 1); // 0 would be the default stream
  std::string line;
  for (const TrackSpan& one : track.spans) {
    if (one.span->kind != SpanKind::compute && one.span->kind != SpanKind::transfer) {
      continue;
    }
    line.assign(",\n{\"ph\":\"X\",\"pid\":").append(rank);
    line.append(",\"tid\":").append(stream).append(",\"ts\":");
    append_microseconds(line, one.start_ns);
    line += ",\"dur\":";
    append_microseconds(line, one.end_ns - one.start_ns);
    line += labels.of(*one.span);
    line.append(",\"device\":").append(rank).append(",\"stream\":").append(stream);
    line += "}}";
    file.write(line);
    ++contents.spans;
  }
}

/// The folder; removed again, when it was made here, unless `keep` is called.
class Folder {
public:
  explicit Folder(const fs::path& path) : path_{path} {
    std::error_code error;
    made_ = fs::create_directory(path, error);
    if (error || !fs::is_directory(path)) {
      throw InputError::at(path.string(),
                           error && !fs::exists(path) ? "cannot be made (" + error.message() + ")"
                                                      : "is not a folder",
                           "give a folder for one file per rank");
    }
  }

  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  ~Folder() {
    if (made_) {
      std::error_code ignored;
      fs::remove(path_, ignored);
    }
  }

  void keep() { made_ = false; }

private:
  fs::path path_;
  bool made_ = false;
};

} // namespace

TraceContents
write_rank_traces(const fs::path& folder, const Plan& plan, const Timeline& timeline) {
  const Tracks tracks = sort_into_tracks(plan, timeline);
  TraceContents contents;
  contents.left_out_spans = tracks.left_out;

  Folder made{folder};
  if (const auto extra = file_of_rank(folder, plan.ranks()); fs::exists(extra)) {
    throw InputError::at(
        extra.string(), "belongs to a run of more ranks", "remove it or give an empty folder");
  }
  SpanLabels labels{plan, describe};
  std::vector<AtomicFile> files;
  files.reserve(static_cast<std::size_t>(plan.ranks()));
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    AtomicFile& file = files.emplace_back(file_of_rank(folder, rank));
    // The tool looks for "rank": with a space after the colon.
    file.write("{\n\"schemaVersion\": 1,\n\"distributedInfo\": {\"rank\": " + std::to_string(rank) +
               ", \"world_size\": " + std::to_string(plan.ranks()) +
               "},\n\"displayTimeUnit\": \"ns\",\n\"traceEvents\": [\n");
    file.write("{\"ph\":\"M\",\"pid\":" + std::to_string(rank) +
               ",\"ts\":0,\"name\":\"process_name\",\"args\":{\"name\":\"rank " +
               std::to_string(rank) + "\"}}");
    const auto streams = static_cast<int>(plan.program(rank).streams.size());
    for (int stream = 0; stream < streams; ++stream) {
      write_track(file, tracks.at(rank, stream), labels, contents);
    }
    file.write("\n]\n}\n");
    file.close();
  }
  for (AtomicFile& file : files) {
    file.commit();
  }
  made.keep();
  return contents;
}

} // namespace decodesim
