#include "sim/routing/routing.hpp"

namespace decodesim {

namespace {

/// Experts dealt out like cards: token n of an iteration takes experts n k to n k + k - 1, counted
/// round, so that each expert gets the same number of tokens where that is possible. The lower
/// bound of what a balanced router can reach, and the routing of closed forms.
class Even final : public Routing {
public:
  explicit Even(const RoutedTokens& tokens) : tokens_{tokens} {}

  void route(const TokenPlace& place, std::span<int> experts) const override {
    const auto token = place.iteration == 0
                           ? place.sequence * tokens_.prompt_tokens + place.position
                           : place.sequence;
    auto next = token * static_cast<std::int64_t>(experts.size());
    for (auto& expert : experts) {
      expert = static_cast<int>(next++ % tokens_.experts);
    }
  }

private:
  RoutedTokens tokens_;
};

const RegisterRouting registration{
    {.name = "even",
     .argument = "",
     .summary = "experts dealt out in turn: perfectly balanced",
     .make = [](const std::string&, const RoutedTokens& tokens, std::uint64_t, const std::string&)
         -> std::unique_ptr<Routing> { return std::make_unique<Even>(tokens); }}};

} // namespace

} // namespace decodesim
