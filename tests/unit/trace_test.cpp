#include "sim/atomic_file.hpp"
#include "sim/error.hpp"
#include "sim/json_reader.hpp"
#include "sim/temporary_folder.hpp"
#include "tests/support/sample_timeline.hpp"
#include "traces/chrome_trace.hpp"
#include "traces/json_text.hpp"
#include "traces/rank_traces.hpp"
#include "traces/tracks.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>
#include <map>
#include <regex>
#include <set>

namespace decodesim {
namespace {

namespace fs = std::filesystem;

template <class Error, class Action> std::string message_of(Action action) {
  try {
    action();
  } catch (const Error& problem) {
    return problem.what();
  }
  return "no error";
}

std::string escaped(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string microseconds(std::int64_t ns) {
  std::string out;
  append_microseconds(out, ns);
  return out;
}

std::string number(double value) {
  std::string out;
  append_json_number(out, value);
  return out;
}

nlohmann::json events(const fs::path& file) {
  return nlohmann::json::parse(read_text(file)).at("traceEvents");
}

nlohmann::json events_of_phase(const fs::path& file, const std::string& phase) {
  auto chosen = nlohmann::json::array();
  for (const auto& event : events(file)) {
    if (event.at("ph") == phase) {
      chosen.push_back(event);
    }
  }
  return chosen;
}

/// One rank with one stream and one kernel, which the given spans play.
struct OneStream {
  Plan plan;
  Timeline timeline;

  explicit OneStream(const std::vector<std::pair<double, double>>& spans) {
    Program program;
    program.streams = {"compute"};
    Operation kernel;
    kernel.name = "ffn";
    kernel.work = Kernel{Gemm{.m = 1, .n = 2, .k = 3}};
    program.body = {kernel};
    plan.programs = {program};
    plan.program_of_rank = {0};
    for (const auto& [start, end] : spans) {
      timeline.spans.push_back({.start_s = start, .end_s = end, .step = 0});
    }
  }
};

// ------------------------------------------------------------------------------ pieces of JSON

TEST(JsonText, EscapesQuotesBackslashesAndControlCharacters) {
  EXPECT_EQ(escaped("a\"b\\c\n\t\x7f"), R"("a\"b\\c\u000a\u0009\u007f")");
}

TEST(JsonText, KeepsUtf8AndReplacesWhatIsNot) {
  EXPECT_EQ(escaped("µs → €"), "\"µs → €\"");
  // A lone continuation byte, an overlong slash and a cut sequence: each byte becomes U+FFFD.
  EXPECT_EQ(escaped("\x80|\xC0\xAF|\xE2\x82"), "\"\uFFFD|\uFFFD\uFFFD|\uFFFD\uFFFD\"");
}

TEST(JsonText, WritesNanosecondsAsExactMicroseconds) {
  EXPECT_EQ(microseconds(0), "0");
  EXPECT_EQ(microseconds(7), "0.007");
  EXPECT_EQ(microseconds(1234500), "1234.5");
  EXPECT_EQ(microseconds(2000), "2");
  // 2^53 + 1 ns: a double would lose the last digit.
  EXPECT_EQ(microseconds(9007199254740993), "9007199254740.993");
}

TEST(JsonText, WritesShortestNumbers) {
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(1e10), "10000000000");
  EXPECT_EQ(number(1e300), "1e+300");
}

// ----------------------------------------------------------------------------------- the grid

TEST(Tracks, LetSpansTouchThatTouchInTheSimulation) {
  // 0.1 us x 3 = 300.00000000000006 ns and 300 ns round alike; so do ends that differ by 1e-13 s.
  const OneStream sample{{{0.0, 3 * 1e-7}, {3e-7 - 1e-13, 4.4e-9 + 3e-7}}};
  const Tracks tracks = sort_into_tracks(sample.plan, sample.timeline);
  ASSERT_EQ(tracks.at(0, 0).spans.size(), 2U);
  EXPECT_EQ(tracks.at(0, 0).spans[0].end_ns, 300);
  EXPECT_EQ(tracks.at(0, 0).spans[1].start_ns, 300);
  EXPECT_EQ(tracks.at(0, 0).spans[1].end_ns, 304);
}

TEST(Tracks, CutASpanThatStartsANanosecondEarlyByRounding) {
  // Starts at 9.6 ns (rounds to 10) while its neighbour ends at 10.5 ns (rounds to 11): starts
  // at 11.
  const OneStream sample{{{0.0, 10.5e-9}, {9.6e-9, 20e-9}}};
  const Tracks tracks = sort_into_tracks(sample.plan, sample.timeline);
  EXPECT_EQ(tracks.at(0, 0).spans[1].start_ns, tracks.at(0, 0).spans[0].end_ns);
}

TEST(Tracks, LeaveOutSpansThatRoundToNothing) {
  const OneStream sample{{{0.0, 1e-6}, {1e-6, 1e-6}, {1e-6, 1e-6 + 1e-13}, {1e-6, 2e-6}}};
  const Tracks tracks = sort_into_tracks(sample.plan, sample.timeline);
  EXPECT_EQ(tracks.at(0, 0).spans.size(), 2U);
  EXPECT_EQ(tracks.left_out, 2);
}

TEST(Tracks, RefuseSpansThatOverlap) {
  const OneStream sample{{{0.0, 2e-6}, {1e-6, 3e-6}}};
  EXPECT_EQ(
      message_of<SimulationError>([&] { (void)sort_into_tracks(sample.plan, sample.timeline); }),
      "timeline: spans of rank 0, stream 0 overlap at 0.000001 s (ffn)");
}

TEST(Tracks, RefuseInstantsThatAreNone) {
  for (const double wrong : {-1e-9,
                             std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity(),
                             1e11}) {
    EXPECT_THROW((void)nanoseconds(wrong), SimulationError) << wrong;
  }
}

TEST(Tracks, RefuseSpansOfNoOperation) {
  OneStream sample{{{0.0, 1e-6}}};
  sample.timeline.spans[0].operation = 1;
  EXPECT_THROW((void)sort_into_tracks(sample.plan, sample.timeline), SimulationError);
  sample.timeline.spans[0] = {.end_s = 1.0, .rank = 1};
  EXPECT_THROW((void)sort_into_tracks(sample.plan, sample.timeline), SimulationError);
}

// ------------------------------------------------------------------------------- Chrome trace

TEST(ChromeTrace, WritesASmallTimelineExactly) {
  const TemporaryFolder folder;
  OneStream sample{{{0.5e-6, 1.75e-6}}};
  sample.plan.layout = "single";
  sample.plan.programs[0].role = "all layers";
  sample.plan.programs[0].body[0].layer = 12;
  sample.timeline.gpu_of_rank = {"gpu0"};
  EXPECT_EQ(write_chrome_trace(folder / "t.json", sample.plan, sample.timeline),
            (TraceContents{.spans = 1}));
  // 0.5 us to 1.75 us: ts 0.5, dur 1.25. Step 0 yields the second token.
  std::string text = read_text(folder / "t.json");
  text = std::regex_replace(text, std::regex{"decodesim [0-9.]+"}, "decodesim X");
  const char* const expected =
      R"x({"displayTimeUnit":"ns","otherData":{"layout":"single","tool":"decodesim X"},"traceEvents":[
{"ph":"M","pid":0,"name":"process_name","args":{"name":"rank 0 (gpu0, all layers)"}},
{"ph":"M","pid":0,"name":"process_sort_index","args":{"sort_index":0}},
{"ph":"M","pid":0,"tid":1,"name":"thread_name","args":{"name":"compute"}},
{"ph":"M","pid":0,"tid":1,"name":"thread_sort_index","args":{"sort_index":0}},
{"ph":"X","pid":0,"tid":1,"ts":0.5,"dur":1.25,"name":"L12 ffn","cat":"compute","cname":"thread_state_running","args":{"operation":"ffn","part":"body","layer":12,"kind":"gemm","shape":"m=1 n=2 k=3","type":"bf16","step":0,"token":2}}
]}
)x";
  EXPECT_EQ(text, expected);
}

TEST(ChromeTrace, NamesEachKindOfSpan) {
  const TemporaryFolder folder;
  const auto [plan, timeline] = sample_timeline();
  const TraceContents contents = write_chrome_trace(folder / "t.json", plan, timeline);
  EXPECT_EQ(contents,
            (TraceContents{.spans = sample_spans,
                           .arrows = sample_arrows,
                           .counter_samples = sample_counter_samples,
                           .left_out_spans = sample_empty_spans}));
  std::map<std::string, std::set<std::string>> names;
  std::set<std::string> colours;
  for (const auto& span : events_of_phase(folder / "t.json", "X")) {
    names[span.at("cat")].insert(span.at("name"));
    colours.insert(span.at("cname"));
  }
  const std::map<std::string, std::set<std::string>> expected{
      {"compute", {"L0 qkv_proj", "L0 attention", "L1 qkv_proj", "L1 attention", "sampling"}},
      {"transfer", {"L0 all_reduce.\"attn\"", "L1 all_reduce.\"attn\"", "send", "receive"}},
      {"waiting", {"waiting: all_reduce.\"attn\""}},
      {"bubble", {"bubble"}},
      {"launch", {"launch"}}};
  EXPECT_EQ(names, expected);
  EXPECT_EQ(colours.size(), 5U);
}

TEST(ChromeTrace, DrawsArrowsInsideTheirSpans) {
  const TemporaryFolder folder;
  const auto [plan, timeline] = sample_timeline();
  (void)write_chrome_trace(folder / "t.json", plan, timeline);
  const auto starts = events_of_phase(folder / "t.json", "s");
  const auto ends = events_of_phase(folder / "t.json", "f");
  const auto spans = events_of_phase(folder / "t.json", "X");
  ASSERT_EQ(starts.size(), static_cast<std::size_t>(sample_arrows));
  ASSERT_EQ(ends.size(), starts.size());
  const auto name_around = [&](const nlohmann::json& arrow) -> std::string {
    const double at = arrow.at("ts");
    for (const auto& span : spans) {
      const double start = span.at("ts");
      const double length = span.at("dur");
      if (span.at("pid") == arrow.at("pid") && span.at("tid") == arrow.at("tid") && start <= at &&
          at < start + length) {
        return span.at("name");
      }
    }
    return "nothing";
  };
  for (std::size_t i = 0; i < starts.size(); ++i) {
    EXPECT_EQ(starts[i].at("id"), ends[i].at("id"));
    EXPECT_EQ(ends[i].at("bp"), "e");
    EXPECT_EQ(name_around(starts[i]), "send");
    EXPECT_EQ(name_around(ends[i]), "receive");
  }
}

TEST(ChromeTrace, LeavesOutArrowsThatTouchNoSpan) {
  const TemporaryFolder folder;
  OneStream sample{{{0.0, 1e-6}}};
  sample.timeline.arrows = {{.start_s = 5e-6, .end_s = 6e-6}, {.from_rank = 3}};
  EXPECT_EQ(write_chrome_trace(folder / "t.json", sample.plan, sample.timeline),
            (TraceContents{.spans = 1, .left_out_arrows = 2}));
}

TEST(ChromeTrace, GivesTheContextOfAttentionAtItsStep) {
  const TemporaryFolder folder;
  const auto [plan, timeline] = sample_timeline();
  (void)write_chrome_trace(folder / "t.json", plan, timeline);
  for (const auto& span : events_of_phase(folder / "t.json", "X")) {
    if (span.at("name") == "L0 attention") {
      // 513 tokens at step 0, one more at each further step.
      const int step = span.at("args").at("step");
      EXPECT_EQ(span.at("args").at("context_tokens"), 513 + step);
    }
  }
}

TEST(ChromeTrace, IsTheSameForTheSameTimeline) {
  const TemporaryFolder folder;
  const auto [plan, timeline] = sample_timeline();
  (void)write_chrome_trace(folder / "a.json", plan, timeline);
  (void)write_chrome_trace(folder / "b.json", plan, timeline);
  EXPECT_EQ(read_text(folder / "a.json"), read_text(folder / "b.json"));
}

TEST(ChromeTrace, LeavesNothingBehindWhenTheTimelineIsWrong) {
  const TemporaryFolder folder;
  write_file(folder / "t.json", "older");
  OneStream sample{{{0.0, 1e-6}}};
  sample.timeline.cache_samples = {{.kv_cache_bytes = std::nan("")}};
  EXPECT_THROW((void)write_chrome_trace(folder / "t.json", sample.plan, sample.timeline),
               SimulationError);
  EXPECT_EQ(read_text(folder / "t.json"), "older");
  EXPECT_EQ(folder.entries(), std::vector<std::string>{"t.json"});
}

// --------------------------------------------------------------------------------- rank traces

TEST(RankTraces, AreFoundByTheExpressionOfHolisticTraceAnalysis) {
  const TemporaryFolder folder;
  const auto [plan, timeline] = sample_timeline();
  (void)write_rank_traces(folder / "ranks", plan, timeline);
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    const auto file = folder / "ranks" / ("rank_" + std::to_string(rank) + ".json");
    const std::string text = read_text(file);
    std::smatch match;
    ASSERT_TRUE(std::regex_search(text, match, std::regex{R"("rank":\s+(\d+))"}));
    EXPECT_EQ(match[1], std::to_string(rank));
    EXPECT_EQ(nlohmann::json::parse(text).at("distributedInfo"),
              (nlohmann::json{{"rank", rank}, {"world_size", plan.ranks()}}));
  }
}

TEST(RankTraces, HoldKernelsAndTransfersOnNumberedStreams) {
  const TemporaryFolder folder;
  const auto [plan, timeline] = sample_timeline();
  const auto contents = write_rank_traces(folder / "ranks", plan, timeline);
  EXPECT_EQ(contents.spans, sample_kernels);
  std::set<std::string> names;
  for (const char* file : {"rank_0.json", "rank_1.json", "rank_2.json"}) {
    for (const auto& event : events_of_phase(folder / "ranks" / file, "X")) {
      EXPECT_EQ(event.at("cat"), "kernel");
      EXPECT_TRUE(event.at("args").at("stream").is_number_integer());
      EXPECT_TRUE(event.at("dur").is_number());
      names.insert(event.at("name"));
    }
  }
  const std::set<std::string> expected{"attention_kernel<attention>",
                                       "gemm_kernel<qkv_proj>",
                                       "ncclDevKernel_AllReduce_Sum_bf16_RING_LL",
                                       "ncclDevKernel_SendRecv",
                                       "row_kernel<sampling>"};
  EXPECT_EQ(names, expected);
}

TEST(RankTraces, RefuseAFolderWithFilesOfMoreRanks) {
  const TemporaryFolder folder;
  write_file(folder / "rank_1.json", "{}");
  const OneStream sample{{{0.0, 1e-6}}};
  EXPECT_EQ(message_of<InputError>(
                [&] { (void)write_rank_traces(folder.path(), sample.plan, sample.timeline); }),
            (folder / "rank_1.json").string() +
                ": belongs to a run of more ranks; remove it or give an empty folder");
  EXPECT_EQ(folder.entries(), std::vector<std::string>{"rank_1.json"});
}

TEST(RankTraces, LeaveNothingBehindOnFailure) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "ranks" / "rank_1.json"); // rank 1's file cannot be written
  const SampleTimeline sample = sample_timeline();
  const Plan& plan = sample.plan;
  const Timeline& timeline = sample.timeline;
  EXPECT_EQ(message_of<InputError>(
                [&, &p = plan, &t = timeline] { (void)write_rank_traces(folder / "ranks", p, t); }),
            (folder / "ranks" / "rank_1.json").string() + ": is a folder; give the name of a file");
  EXPECT_FALSE(fs::exists(folder / "ranks" / "rank_0.json"));
  EXPECT_THROW((void)write_rank_traces(folder / "missing" / "ranks", plan, timeline), InputError);
  write_file(folder / "file", "");
  EXPECT_THROW((void)write_rank_traces(folder / "file", plan, timeline), InputError);
  EXPECT_EQ(folder.entries(), (std::vector<std::string>{"file", "ranks"}));
}

// --------------------------------------------------------------------------------- atomic file

TEST(AtomicFile, KeepsTheOlderFileUntilTheCommit) {
  const TemporaryFolder folder;
  write_file(folder / "a.txt", "older");
  {
    AtomicFile file{folder / "a.txt"};
    file.write("newer");
    EXPECT_EQ(read_text(folder / "a.txt"), "older");
  }
  EXPECT_EQ(read_text(folder / "a.txt"), "older");
  EXPECT_EQ(folder.entries(), std::vector<std::string>{"a.txt"});
  AtomicFile file{folder / "a.txt"};
  file.write("newer");
  file.commit();
  EXPECT_EQ(read_text(folder / "a.txt"), "newer");
  EXPECT_EQ(folder.entries(), std::vector<std::string>{"a.txt"});
}

TEST(AtomicFile, NamesAPathThatCannotBeWritten) {
  const TemporaryFolder folder;
  write_file(folder / "file", "");
  const auto failure = [](const fs::path& path) {
    return message_of<InputError>([&] { write_file(path, "x"); });
  };
  EXPECT_EQ(failure(folder.path()),
            folder.path().string() + ": is a folder; give the name of a file");
  EXPECT_EQ(
      failure(folder / "no" / "a"),
      (folder / "no" / "a").string() +
          ": cannot be written (No such file or directory); give a path in an existing folder");
  EXPECT_EQ(failure(folder / "file" / "a"),
            (folder / "file" / "a").string() +
                ": cannot be written (Not a directory); give a path in an existing folder");
  EXPECT_EQ(failure(""), "output: is an empty path; give the name of a file");
  EXPECT_EQ(folder.entries(), std::vector<std::string>{"file"});
}

TEST(AtomicFile, ReportsAFullDisk) {
  if (!fs::exists("/dev/full")) {
    GTEST_SKIP() << "no /dev/full here";
  }
  EXPECT_EQ(message_of<InputError>([] { write_file("/dev/full", "x"); }),
            "/dev/full: cannot be written (No space left on device)");
  EXPECT_TRUE(fs::exists("/dev/full"));
}

TEST(AtomicFile, FollowsASymbolicLink) {
  const TemporaryFolder folder;
  write_file(folder / "real", "older");
  fs::create_symlink(folder / "real", folder / "link");
  write_file(folder / "link", "newer");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_text(folder / "real"), "newer");
}

TEST(AtomicFile, WritesMoreThanABlock) {
  const TemporaryFolder folder;
  // 3 x 700,000 bytes cross the 1 MiB blocks in which the file is written.
  const std::string piece(700'000, 'x');
  AtomicFile file{folder / "a"};
  for (int i = 0; i < 3; ++i) {
    file.write(piece);
  }
  file.commit();
  EXPECT_EQ(fs::file_size(folder / "a"), 2'100'000U);
}

} // namespace
} // namespace decodesim
