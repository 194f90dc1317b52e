#include "sim/error.hpp"
#include "sim/routing/routing.hpp"
#include "tests/unit/input_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

using namespace decodesim;

namespace {

RoutedTokens tokens(int experts, int k) {
  return {.layers = {0, 1, 2},
          .experts = experts,
          .experts_per_token = k,
          .sequences = 4,
          .prompt_tokens = 8,
          .decode_steps = 5};
}

std::vector<int> experts_of(const Routing& routing, const TokenPlace& place, int k) {
  std::vector<int> experts(static_cast<std::size_t>(k));
  routing.route(place, experts);
  return experts;
}

std::map<int, int> counts(const Routing& routing, int layer, int draws, int k) {
  std::map<int, int> count;
  for (int i = 0; i < draws; ++i) {
    for (const int expert : experts_of(routing, {1, layer, i, 8}, k)) {
      ++count[expert];
    }
  }
  return count;
}

} // namespace

TEST(Routing, IsTheSameForTheSamePlaceAndSeedInAnyOrder) {
  for (const std::string spec : {"uniform", "zipf:1.2", "even", "fixed:3,1,0"}) {
    const auto one = make_routing(spec, tokens(16, 3), 7, "test");
    const auto other = make_routing(spec, tokens(16, 3), 7, "test");
    for (int sequence = 3; sequence >= 0; --sequence) {
      (void)experts_of(*other, {2, 1, sequence, 9}, 3);
    }
    for (int layer = 0; layer < 3; ++layer) {
      const TokenPlace place{.iteration = 1, .layer = layer, .sequence = 2, .position = 8};
      const auto experts = experts_of(*one, place, 3);
      EXPECT_EQ(experts, experts_of(*other, place, 3)) << spec;
      EXPECT_EQ((std::set<int>{experts.begin(), experts.end()}.size()), 3U) << spec;
    }
  }
}

TEST(Routing, DependsOnSeedIterationLayerSequenceAndPosition) {
  const auto routing = make_routing("uniform", tokens(1000, 4), 1, "test");
  const auto reseeded = make_routing("uniform", tokens(1000, 4), 2, "test");
  const auto base = experts_of(*routing, {1, 1, 1, 1}, 4);
  EXPECT_NE(base, experts_of(*reseeded, {1, 1, 1, 1}, 4));
  EXPECT_NE(base, experts_of(*routing, {2, 1, 1, 1}, 4));
  EXPECT_NE(base, experts_of(*routing, {1, 2, 1, 1}, 4));
  EXPECT_NE(base, experts_of(*routing, {1, 1, 2, 1}, 4));
  EXPECT_NE(base, experts_of(*routing, {1, 1, 1, 2}, 4));
}

// 2 of 8 experts, 40,000 tokens: each expert 10,000 times, standard deviation
// sqrt(40,000 x 1/4 x 3/4) = 87; five of these allowed.
TEST(UniformRouting, TakesEveryExpertAsOften) {
  const auto routing = make_routing("uniform", tokens(8, 2), 3, "test");
  const auto found = counts(*routing, 0, 40000, 2);
  ASSERT_EQ(found.size(), 8U);
  for (const auto& [expert, count] : found) {
    EXPECT_NEAR(count, 10000, 5 * 87) << expert;
  }
}

// One of 4 experts with weights 1, 1/2, 1/3, 1/4 (sum 25/12): shares 12, 6, 4, 3 of 25. 50,000
// tokens, so 24,000, 12,000, 8,000 and 6,000; standard deviation at most 112.
TEST(ZipfRouting, DrawsByTheInverseOfTheRank) {
  const auto routing = make_routing("zipf:1", tokens(4, 1), 3, "test");
  std::multiset<int> found;
  for (const auto& [expert, count] : counts(*routing, 0, 50000, 1)) {
    found.insert(count);
  }
  ASSERT_EQ(found.size(), 4U);
  auto next = found.begin();
  for (const int expected : {6000, 8000, 12000, 24000}) {
    EXPECT_NEAR(*next++, expected, 5 * 112);
  }
}

// Two of three experts, weights 1, 1/2, 1/3 (sum 11/6). The favourite is left out when the others
// are drawn in either order: 3/11 x (1/3)/(4/3) + 2/11 x (1/2)/(3/2) = 3/44 + 2/33 = 0.12879.
TEST(ZipfRouting, DrawsTheSecondExpertFromThoseThatAreLeft) {
  const auto routing = make_routing("zipf:1", tokens(3, 2), 5, "test");
  const auto found = counts(*routing, 1, 60000, 2);
  int most = 0;
  for (const auto& [expert, count] : found) {
    most = std::max(most, count);
  }
  EXPECT_NEAR(1.0 - most / 60000.0, 0.12879, 5 * std::sqrt(0.12879 * 0.87121 / 60000));
}

TEST(ZipfRouting, HasAnotherFavouriteInEachLayerAndNoneWithExponentZero) {
  auto shape = tokens(64, 1);
  shape.layers = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto routing = make_routing("zipf:3", shape, 1, "test");
  std::set<int> favourites;
  for (const int layer : shape.layers) {
    const auto found = counts(*routing, layer, 500, 1);
    favourites.insert(std::max_element(found.begin(), found.end(), [](auto& a, auto& b) {
                        return a.second < b.second;
                      })->first);
  }
  EXPECT_GE(favourites.size(), 6U); // 8 of 64: two equal ones are rare
  const auto flat = counts(*make_routing("zipf:0", tokens(8, 1), 1, "test"), 0, 40000, 1);
  for (const auto& [expert, count] : flat) {
    EXPECT_NEAR(count, 5000, 5 * 67) << expert; // sqrt(40,000 x 1/8 x 7/8) = 66.1
  }
}

// Almost all weight on one expert: the others must still be found, and each once.
TEST(ZipfRouting, EndsWithTheStrongestSkew) {
  const auto routing = make_routing("zipf:10", tokens(256, 8), 1, "test");
  for (int i = 0; i < 200; ++i) {
    const auto experts = experts_of(*routing, {1, 0, i, 8}, 8);
    EXPECT_EQ((std::set<int>{experts.begin(), experts.end()}.size()), 8U);
  }
}

// Token n takes experts 2n and 2n + 1 modulo 6. Prefill counts tokens through the sequences: with
// prompts of 8, position 1 of sequence 2 is token 17: experts 34 mod 6 = 4 and 5.
TEST(EvenRouting, DealsExpertsOut) {
  const auto routing = make_routing("even", tokens(6, 2), 0, "test");
  EXPECT_EQ(experts_of(*routing, {1, 0, 0, 8}, 2), (std::vector{0, 1}));
  EXPECT_EQ(experts_of(*routing, {3, 2, 4, 10}, 2), (std::vector{2, 3}));
  EXPECT_EQ(experts_of(*routing, {0, 0, 2, 1}, 2), (std::vector{4, 5}));
}

TEST(FixedRouting, TakesTheFirstOfTheList) {
  const auto routing = make_routing("fixed:5,0,2", tokens(6, 2), 0, "test");
  EXPECT_EQ(experts_of(*routing, {1, 0, 3, 8}, 2), (std::vector{5, 0}));
}

TEST(RoutingSpec, SaysWhatIsWrong) {
  const auto message = [](const std::string& spec) {
    try {
      (void)make_routing(spec, tokens(6, 2), 0, "--routing");
    } catch (const InputError& error) {
      return std::string{error.what()};
    }
    return std::string{"nothing"};
  };
  EXPECT_EQ(message("unform"),
            "--routing: routing \"unform\" is unknown; did you mean \"uniform\"? known: even, "
            "fixed, trace, uniform, zipf");
  EXPECT_EQ(message("uniform:2"), "--routing: is \"uniform:2\"; uniform takes no argument");
  EXPECT_THAT(message("zipf"), ::testing::StartsWith("--routing: is \"zipf\"; write zipf:S; "));
  EXPECT_EQ(message("zipf:-1"),
            "--routing: is \"zipf:-1\"; an exponent from 0 (uniform) to 10 is expected");
  EXPECT_EQ(message("zipf:nan"),
            "--routing: is \"zipf:nan\"; an exponent from 0 (uniform) to 10 is expected");
  EXPECT_EQ(message("fixed:0,6"), "--routing: is \"fixed:0,6\"; the model's experts are 0 to 5");
  EXPECT_EQ(message("fixed:1,1"), "--routing: is \"fixed:1,1\"; list each expert once");
  EXPECT_EQ(message("fixed:1,"),
            "--routing: is \"fixed:1,\"; expert numbers are expected, such as fixed:0,1");
  EXPECT_EQ(message("fixed:1"),
            "--routing: is \"fixed:1\"; a token of this model goes to 2 experts; list at least as "
            "many");
  EXPECT_EQ(message("trace:/no/such.csv"),
            "/no/such.csv: is no file; name a routing trace: trace:FILE");
}

// ------------------------------------------------------------------------------------- traces

namespace {

RoutedTokens traced() {
  return {.layers = {1},
          .experts = 4,
          .experts_per_token = 2,
          .sequences = 1,
          .prompt_tokens = 2,
          .decode_steps = 1};
}

const std::string head = "iteration,layer,sequence,position,experts\n";

std::string trace_message(const std::string& text) {
  const InputFile file{text, "trace.csv"};
  return file.message_of(
      [&] { (void)make_routing("trace:" + file.path().string(), traced(), 0, "--routing"); });
}

} // namespace

TEST(TraceRouting, ReadsALinePerTokenAndLayer) {
  // Lines of layers, sequences and iterations that are not run are not used.
  const InputFile file{head + "# from a router\n0,1,0,1,3;0\r\n0,1,0,0,1;2\n1,1,0,2,2;3\n"
                              "0,0,0,0,0;1\n2,1,0,3,0;1\n0,1,1,0,0;1\n",
                       "trace.csv"};
  const auto routing = make_routing("trace:" + file.path().string(), traced(), 0, "--routing");
  EXPECT_EQ(experts_of(*routing, {0, 1, 0, 0}, 2), (std::vector{1, 2}));
  EXPECT_EQ(experts_of(*routing, {0, 1, 0, 1}, 2), (std::vector{3, 0}));
  EXPECT_EQ(experts_of(*routing, {1, 1, 0, 2}, 2), (std::vector{2, 3}));
}

TEST(TraceRouting, NamesTheLineThatIsWrong) {
  EXPECT_EQ(trace_message(""),
            "trace.csv: is empty; the first line is iteration,layer,sequence,position,experts");
  EXPECT_EQ(trace_message("layer\n"),
            "trace.csv: line 1: is \"layer\"; the first line is "
            "iteration,layer,sequence,position,experts");
  EXPECT_EQ(trace_message(head + "0,1,0,x,0;1\n"),
            "trace.csv: line 2: is \"0,1,0,x,0;1\"; four whole numbers and the experts are "
            "expected, such as 1,0,3,512,0;5");
  EXPECT_EQ(trace_message(head + "0,1,0,0,0,1\n"),
            "trace.csv: line 2: is \"0,1,0,0,0,1\"; experts are numbers with \";\" between them, "
            "such as 0;5");
  EXPECT_EQ(trace_message(head + "0,1,0,0,0;4\n"),
            "trace.csv: line 2: names expert 4; the model's experts are 0 to 3");
  EXPECT_EQ(trace_message(head + "0,1,0,0,1;1\n"),
            "trace.csv: line 2: names expert 1 twice; they are distinct");
  EXPECT_EQ(trace_message(head + "0,1,0,0,1\n"),
            "trace.csv: line 2: names 1 experts; a token of this model goes to 2");
  EXPECT_EQ(trace_message(head + "1,1,0,3,0;1\n"),
            "trace.csv: line 2: has position 3 in iteration 1; with prompts of 2 tokens it has "
            "position 2");
  EXPECT_EQ(trace_message(head + "0,1,0,2,0;1\n"),
            "trace.csv: line 2: has position 2 in iteration 0; prefill (0) has positions 0 to 1");
  EXPECT_EQ(trace_message(head + "0,1,0,0,0;1\n0,1,0,0,0;1\n"),
            "trace.csv: line 3: lists iteration 0, layer 1, sequence 0, position 0 again; list "
            "each token of a layer once");
}

TEST(TraceRouting, NamesTheTokenThatIsMissing) {
  EXPECT_EQ(trace_message(head + "0,1,0,0,1;2\n0,1,0,1,1;2\n"),
            "trace.csv: has no line for iteration 1, layer 1, sequence 0, position 2; every token "
            "of the run needs one in every layer with experts");
}
