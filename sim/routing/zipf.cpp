#include "sim/error.hpp"
#include "sim/routing/token_random.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

namespace decodesim {

namespace {

constexpr double most_skewed = 10.0; // weights of 65,536 experts stay far above the smallest double

/// Popular and unpopular experts: the j-th most popular of a layer (from 0) has weight
/// 1 / (j + 1)^S. Which expert is how popular is drawn for each layer. The experts of a token are
/// successive draws, those drawn before left out.
class Zipf final : public Routing {
public:
  Zipf(double exponent, const RoutedTokens& tokens, std::uint64_t seed) : seed_{seed} {
    double sum = 0;
    for (int j = 0; j < tokens.experts; ++j) {
      weights_.push_back(std::pow(j + 1.0, -exponent));
      sum += weights_.back();
      up_to_.push_back(sum);
    }
    expert_at_.resize(tokens.layers.empty() ? 0
                                            : static_cast<std::size_t>(tokens.layers.back()) + 1);
    for (const int layer : tokens.layers) {
      auto& order = expert_at_[static_cast<std::size_t>(layer)];
      order.resize(static_cast<std::size_t>(tokens.experts));
      std::iota(order.begin(), order.end(), 0);
      TokenRandom random{seed, -1, layer};
      for (int left = tokens.experts; left > 1; --left) {
        std::swap(order[static_cast<std::size_t>(left - 1)],
                  order[static_cast<std::size_t>(random.below(left))]);
      }
    }
  }

  void route(const TokenPlace& place, std::span<int> experts) const override {
    TokenRandom random{seed_, place};
    for (auto next = experts.begin(); next != experts.end(); ++next) {
      const std::span drawn{experts.begin(), next};
      *next = draw(random);
      for (int tries = 1; contains(drawn, *next); ++tries) {
        *next = tries < most_tries ? draw(random) : draw_from_rest(random, drawn);
      }
    }
    const auto& order = expert_at_[static_cast<std::size_t>(place.layer)];
    for (auto& expert : experts) {
      expert = order[static_cast<std::size_t>(expert)];
    }
  }

private:
  /// With much skew nearly every draw repeats the first; then those that are left are added up.
  static constexpr int most_tries = 4;

  static bool contains(std::span<const int> drawn, int one) {
    return std::find(drawn.begin(), drawn.end(), one) != drawn.end();
  }

  int draw(TokenRandom& random) const {
    const auto found =
        std::upper_bound(up_to_.begin(), up_to_.end(), random.unit() * up_to_.back());
    return static_cast<int>(std::min(found, up_to_.end() - 1) - up_to_.begin());
  }

  int draw_from_rest(TokenRandom& random, std::span<const int> drawn) const {
    double rest = 0;
    for (std::size_t j = 0; j < weights_.size(); ++j) {
      rest += contains(drawn, static_cast<int>(j)) ? 0.0 : weights_[j];
    }
    double left = random.unit() * rest;
    int last = 0;
    for (std::size_t j = 0; j < weights_.size(); ++j) {
      if (!contains(drawn, static_cast<int>(j))) {
        last = static_cast<int>(j);
        left -= weights_[j];
        if (left < 0) {
          break;
        }
      }
    }
    return last;
  }

  std::uint64_t seed_;
  std::vector<double> weights_;             ///< by popularity
  std::vector<double> up_to_;               ///< their running sum
  std::vector<std::vector<int>> expert_at_; ///< [layer][popularity]
};

std::unique_ptr<Routing> make_zipf(const std::string& argument,
                                   const RoutedTokens& tokens,
                                   std::uint64_t seed,
                                   const std::string& where) {
  double exponent = 0;
  const auto* end = argument.data() + argument.size();
  const auto [stop, error] = std::from_chars(argument.data(), end, exponent);
  if (error != std::errc{} || stop != end || !(exponent >= 0 && exponent <= most_skewed)) {
    throw InputError::at(
        where, "is \"zipf:" + argument + "\"", "an exponent from 0 (uniform) to 10 is expected");
  }
  return std::make_unique<Zipf>(exponent, tokens, seed);
}

const RegisterRouting registration{
    {.name = "zipf",
     .argument = "S",
     .summary = "the j-th most popular expert of a layer has weight 1 / j^S (zipf:1.2)",
     .make = make_zipf}};

} // namespace

} // namespace decodesim
