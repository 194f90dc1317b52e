#include "sim/routing/token_random.hpp"

#include <algorithm>

namespace decodesim {

namespace {

/// Every expert as likely as any other, drawn anew for every token and layer; repeats are rejected.
class Uniform final : public Routing {
public:
  Uniform(int experts, std::uint64_t seed) : experts_{experts}, seed_{seed} {}

  void route(const TokenPlace& place, std::span<int> experts) const override {
    TokenRandom random{seed_, place};
    for (auto next = experts.begin(); next != experts.end();) {
      *next = random.below(experts_);
      if (std::find(experts.begin(), next, *next) == next) {
        ++next;
      }
    }
  }

private:
  int experts_;
  std::uint64_t seed_;
};

const RegisterRouting registration{{.name = "uniform",
                                    .argument = "",
                                    .summary = "every expert as likely as any other",
                                    .make = [](const std::string&,
                                               const RoutedTokens& tokens,
                                               std::uint64_t seed,
                                               const std::string&) -> std::unique_ptr<Routing> {
                                      return std::make_unique<Uniform>(tokens.experts, seed);
                                    }}};

} // namespace

} // namespace decodesim
