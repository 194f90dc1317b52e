#include "sim/error.hpp"
#include "strategies/layout_spec.hpp"

#include <gtest/gtest.h>

namespace decodesim {
namespace {

constexpr int gpus = 8;

Layout layout_of(const std::string& spec) { return parse_layout_spec(spec, gpus, "--strategies"); }

std::string message_of(const std::string& spec) {
  try {
    (void)layout_of(spec);
  } catch (const InputError& problem) {
    return problem.what();
  }
  return "no InputError";
}

// ------------------------------------------------------------------------------------- degrees

TEST(LayoutSpec, GivesANameWithoutNumberAllGpus) {
  EXPECT_EQ(layout_of("tp").tp, 8);
  EXPECT_EQ(layout_of("pp:naive").pp, 8);
  EXPECT_EQ(layout_of("dp").dp, 8);
  const auto zero3 = layout_of("zero3");
  EXPECT_EQ(zero3.strategy, "zero3");
  EXPECT_EQ(zero3.dp, 8);
  EXPECT_EQ(zero3.tp, 1);
}

TEST(LayoutSpec, GivesAnOpenNameWhatTheOthersLeave) {
  EXPECT_EQ(layout_of("tp4pp").pp, 2); // 8 / 4
  EXPECT_EQ(layout_of("tppp4").tp, 2); // 8 / 4
  EXPECT_EQ(layout_of("tp2zero3").dp, 4);
  EXPECT_EQ(layout_of("tp2pp2dp").dp, 2); // 8 / (2 x 2)
  EXPECT_EQ(layout_of("tp3dp").dp, 2);    // 8 / 3 is 2, and two GPUs stay idle
}

TEST(LayoutSpec, GivesAnOpenNameOneGpuWhenNothingIsLeft) {
  // 16 x 1 ranks on 8 GPUs: the layout is a valid answer to "what did you mean", and cannot run.
  EXPECT_EQ(layout_of("tp16pp").ranks(), 16);
}

TEST(LayoutSpec, TakesFewerGpusThanThereAre) { EXPECT_EQ(layout_of("tp2").ranks(), 2); }

TEST(LayoutSpec, ReadsZero3WithAndWithoutATensorDegree) {
  const Layout expected{.strategy = "zero3", .tp = 2, .dp = 4};
  EXPECT_EQ(layout_of("tp2zero3x4"), expected);
  EXPECT_EQ(layout_of("zero3x4tp2"), expected);
}

TEST(LayoutSpec, SpreadsExpertsOverTheRanksOfAttention) {
  EXPECT_EQ(layout_of("ep8"), (Layout{.dp = 8, .ep = 8}));
  EXPECT_EQ(layout_of("tp8ep8"), (Layout{.tp = 8, .ep = 8}));
  EXPECT_EQ(layout_of("tp4ep8"), (Layout{.tp = 4, .dp = 2, .ep = 8}));
  EXPECT_EQ(layout_of("tp8ep2"), (Layout{.tp = 8, .ep = 2}));
  EXPECT_EQ(layout_of("tp4dp4ep16pp2"), (Layout{.tp = 4, .pp = 2, .dp = 4, .ep = 16}));
  EXPECT_EQ(layout_of("tp2dp4ep4"), (Layout{.tp = 2, .dp = 4, .ep = 4}));
  EXPECT_EQ(layout_of("tp8ep1"), layout_of("tp8"));
  EXPECT_EQ(layout_of("dp2ep1"), (Layout{.dp = 2, .ep = 1}));
}

TEST(LayoutSpec, GivesOpenExpertsAllGpusOfAStage) {
  EXPECT_EQ(layout_of("ep"), (Layout{.dp = 8, .ep = 8}));
  EXPECT_EQ(layout_of("tp4ep"), (Layout{.tp = 4, .dp = 2, .ep = 8}));
  EXPECT_EQ(layout_of("tp2pp2ep"), (Layout{.tp = 2, .pp = 2, .dp = 2, .ep = 4}));
  EXPECT_EQ(layout_of("tp2dp2ep"), (Layout{.tp = 2, .dp = 2, .ep = 4}));
  EXPECT_EQ(layout_of("tpep8"), (Layout{.tp = 8, .ep = 8}));
}

// ------------------------------------------------------------------------------------- options

TEST(LayoutSpec, ReadsOptionsAfterColonOrHyphen) {
  const Layout expected{.tp = 4, .pp = 2, .schedule = "1f1b", .micro_batches = 4};
  EXPECT_EQ(layout_of("tp4pp2:1f1b:m4"), expected);
  EXPECT_EQ(layout_of("tp4pp2-1f1b-m4"), expected);
  EXPECT_EQ(layout_of("tp4pp2:m4-1f1b"), expected);
}

TEST(LayoutSpec, ReadsLayersOfStages) {
  EXPECT_EQ(layout_of("pp4:gpipe:layers20+20+21+19").stage_layers,
            (std::vector<int>{20, 20, 21, 19}));
}

TEST(LayoutSpec, ForgetsTheScheduleOfASingleStage) {
  EXPECT_EQ(layout_of("tp8pp1:gpipe"), layout_of("tp8"));
}

// ---------------------------------------------------------------------------------------- tags

TEST(LayoutTag, NamesExpertsAndTheDpThatTheyDoNotImply) {
  EXPECT_EQ((Layout{.dp = 8, .ep = 8}.tag()), "ep8");
  EXPECT_EQ((Layout{.tp = 8, .ep = 8}.tag()), "tp8ep8");
  EXPECT_EQ((Layout{.tp = 4, .dp = 2, .ep = 8}.tag()), "tp4ep8");
  EXPECT_EQ((Layout{.tp = 2, .dp = 4, .ep = 4}.tag()), "tp2dp4ep4");
  EXPECT_EQ((Layout{.tp = 2, .dp = 1, .ep = 4}.tag()), "tp2dp1ep4"); // cannot run, but has a tag
  EXPECT_EQ((Layout{.tp = 4, .pp = 2, .dp = 4, .ep = 16, .schedule = "1f1b"}.tag()),
            "tp4pp2ep16-1f1b");
  for (const std::string tag : {"ep8", "tp8ep8", "tp4ep8", "tp2dp4ep4", "tp4pp2ep16-1f1b"}) {
    EXPECT_EQ(layout_of(tag).tag(), tag);
  }
}

TEST(LayoutTag, NamesDegreesAndSchedule) {
  EXPECT_EQ(Layout{}.tag(), "single");
  EXPECT_EQ((Layout{.tp = 8}.tag()), "tp8");
  EXPECT_EQ((Layout{.strategy = "zero3", .dp = 8}.tag()), "zero3x8");
  EXPECT_EQ((Layout{.pp = 8, .schedule = "gpipe"}.tag()), "pp8-gpipe");
  EXPECT_EQ((Layout{.tp = 4, .pp = 2, .schedule = "1f1b"}.tag()), "tp4pp2-1f1b");
  EXPECT_EQ((Layout{.tp = 8, .dp = 2}.tag()), "tp8dp2");
  EXPECT_EQ((Layout{.dp = 8}.tag()), "dp8");
  EXPECT_EQ((Layout{.strategy = "zero3", .tp = 2, .dp = 4, .prefetch = true}.tag()),
            "tp2zero3x4-prefetch");
  EXPECT_EQ((Layout{.pp = 2, .micro_batches = 4, .stage_layers = {41, 39}}.tag()),
            "pp2-naive-m4-layers41+39");
}

TEST(LayoutTag, ParsesBackToTheSameLayout) {
  int tried = 0;
  for (const std::string strategy : {"tp", "zero3"}) {
    for (const int tp : {1, 2, 8, 35}) {
      for (const int pp : {1, 2, 35}) {
        for (const int dp : {1, 3, 12}) {
          for (const std::string schedule : {"naive", "gpipe", "1f1b"}) {
            for (const int micro_batches : {0, 1, 4}) {
              for (const bool prefetch : {false, true}) {
                for (const bool uneven : {false, true}) {
                  if ((pp == 1 && (schedule != "naive" || uneven)) ||
                      (prefetch && strategy == "tp")) {
                    continue; // not what any input means
                  }
                  Layout layout{.strategy = strategy,
                                .tp = tp,
                                .pp = pp,
                                .dp = dp,
                                .schedule = schedule,
                                .micro_batches = micro_batches,
                                .prefetch = prefetch};
                  if (uneven) {
                    layout.stage_layers.assign(static_cast<std::size_t>(pp), 3);
                  }
                  EXPECT_EQ(layout_of(layout.tag()), layout) << layout.tag();
                  EXPECT_FALSE(leaves_a_degree_open(layout.tag(), "")) << layout.tag();
                  ++tried;
                }
              }
            }
          }
        }
      }
    }
  }
  // (1 strategy x 1 + 1 x 2 prefetch) x 4 tp x 3 dp x 3 micro-batches
  // x (1 for pp 1 + 2 pp x 3 schedules x 2) = 3 x 36 x 13
  EXPECT_EQ(tried, 1404);
}

// --------------------------------------------------------------------------------------- lists

TEST(LayoutSpecs, ReadsAList) {
  const auto layouts = parse_layout_specs("zero3,tp,pp:naive,tp4pp2:1f1b,single", gpus, "x");
  std::vector<std::string> tags;
  for (const auto& layout : layouts) {
    tags.push_back(layout.tag());
  }
  EXPECT_EQ(tags,
            (std::vector<std::string>{"zero3x8", "tp8", "pp8-naive", "tp4pp2-1f1b", "single"}));
}

TEST(LayoutSpecs, RefusesALayoutListedTwice) {
  try {
    (void)parse_layout_specs("tp,tp8", gpus, "--strategies");
    FAIL();
  } catch (const InputError& problem) {
    EXPECT_STREQ(problem.what(),
                 "--strategies: \"tp8\" means tp8, which is listed already; list it once");
  }
}

TEST(LayoutSpecs, RefusesAnEmptyEntry) {
  EXPECT_THROW((void)parse_layout_specs("tp,,pp", gpus, ""), InputError);
  EXPECT_THROW((void)parse_layout_specs("", gpus, ""), InputError);
  EXPECT_THROW((void)parse_layout_specs("tp,", gpus, ""), InputError);
}

// -------------------------------------------------------------------------------------- errors

TEST(LayoutSpecErrors, SuggestTheNearestStrategy) {
  EXPECT_TRUE(message_of("zreo3").starts_with(
      "--strategies: \"zreo3\": strategy \"zreo3\" is unknown; did you mean \"zero3\"? known: "))
      << message_of("zreo3");
}

TEST(LayoutSpecErrors, SuggestTheNearestSchedule) {
  EXPECT_TRUE(
      message_of("pp8:gpip")
          .starts_with(
              "--strategies: \"pp8:gpip\": schedule or option \"gpip\" is unknown; did you mean "
              "\"gpipe\"? known: "))
      << message_of("pp8:gpip");
}

TEST(LayoutSpecErrors, NameADegreeOutOfRange) {
  EXPECT_EQ(message_of("tp0"),
            "--strategies: \"tp0\": the degree of tp is 0; a whole number from 1 to 100000 is "
            "expected");
  EXPECT_EQ(message_of("tp99999999999999999999"),
            "--strategies: \"tp99999999999999999999\": the degree of tp is "
            "99999999999999999999; a whole number from 1 to 100000 is expected");
  EXPECT_EQ(message_of("pp4:gpipe:m0"),
            "--strategies: \"pp4:gpipe:m0\": the number of micro-batches is 0; a whole number "
            "from 1 to 100000 is expected");
}

TEST(LayoutSpecErrors, RefuseAmbiguity) {
  EXPECT_EQ(message_of("zero38"),
            "--strategies: \"zero38\": has a number right after zero3; write zero3x8 for a degree "
            "of 8");
  EXPECT_EQ(message_of("tppp"),
            "--strategies: \"tppp\": leaves two degrees open; at most one name may come without a "
            "number: it takes the GPUs that the others leave");
  EXPECT_EQ(message_of("zero3x4dp2"),
            "--strategies: \"zero3x4dp2\": sets the dp degree twice; name each degree once");
  EXPECT_EQ(message_of("pp4:gpipe:1f1b"),
            "--strategies: \"pp4:gpipe:1f1b\": names a schedule twice; name it once");
}

TEST(LayoutSpecErrors, RefuseWhatHasNoEffect) {
  EXPECT_EQ(message_of("tp8:prefetch"),
            "--strategies: \"tp8:prefetch\": asks for prefetch, but gathers no weights; prefetch "
            "is for strategies such as zero3");
  EXPECT_EQ(message_of("tp8:gpipe"),
            "--strategies: \"tp8:gpipe\": names the schedule gpipe without a pipeline; schedules "
            "are for layouts with pp");
  EXPECT_EQ(message_of("tp8:layers80"),
            "--strategies: \"tp8:layers80\": lists the layers of stages without a pipeline; they "
            "are for layouts with pp");
}

TEST(LayoutSpecErrors, RefuseBrokenText) {
  for (const auto* spec : {"8",
                           "tp8 ",
                           "tp-",
                           "tp8:",
                           "tp4+pp2",
                           "tpx",
                           "tp4x",
                           "pp2:layers",
                           "pp2:layers4+",
                           "pp2:layers0+4",
                           "pp2:m",
                           "single8",
                           "singletp2"}) {
    EXPECT_THROW((void)layout_of(spec), InputError) << spec;
  }
}

} // namespace
} // namespace decodesim
