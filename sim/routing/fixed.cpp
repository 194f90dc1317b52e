#include "sim/error.hpp"
#include "sim/routing/routing.hpp"

#include <algorithm>
#include <charconv>

namespace decodesim {

namespace {

/// Every token of every layer goes to the first of the listed experts: the worst case, or a model
/// of one known to collapse.
class Fixed final : public Routing {
public:
  explicit Fixed(std::vector<int> experts) : experts_{std::move(experts)} {}

  void route(const TokenPlace&, std::span<int> experts) const override {
    std::copy_n(experts_.begin(), experts.size(), experts.begin());
  }

private:
  std::vector<int> experts_; ///< at least as many as a token has
};

std::unique_ptr<Routing> make_fixed(const std::string& argument,
                                    const RoutedTokens& tokens,
                                    std::uint64_t,
                                    const std::string& where) {
  const auto refuse = [&](const std::string& why) {
    return InputError::at(where, "is \"fixed:" + argument + "\"", why);
  };
  std::vector<int> experts;
  const auto* end = argument.data() + argument.size();
  for (const auto* at = argument.data();; ++at) {
    int expert = 0;
    const auto [stop, error] = std::from_chars(at, end, expert);
    if (error != std::errc{} || (stop != end && *stop != ',')) {
      throw refuse("expert numbers are expected, such as fixed:0,1");
    }
    if (expert < 0 || expert >= tokens.experts) {
      throw refuse("the model's experts are 0 to " + std::to_string(tokens.experts - 1));
    }
    if (std::find(experts.begin(), experts.end(), expert) != experts.end()) {
      throw refuse("list each expert once");
    }
    experts.push_back(expert);
    at = stop;
    if (at == end) {
      break;
    }
  }
  if (static_cast<int>(experts.size()) < tokens.experts_per_token) {
    throw refuse("a token of this model goes to " + std::to_string(tokens.experts_per_token) +
                 " experts; list at least as many");
  }
  return std::make_unique<Fixed>(std::move(experts));
}

const RegisterRouting registration{
    {.name = "fixed",
     .argument = "E,E,...",
     .summary = "every token goes to the same experts, the first that are listed (fixed:0,1)",
     .make = make_fixed}};

} // namespace

} // namespace decodesim
