#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

/// Which experts the tokens of a model with experts go to. A routing is one `.cpp` file that ends
/// with a registration object in an unnamed namespace:
///
///     const RegisterRouting registration{{
///         .name = "uniform",
///         .argument = "",
///         .summary = "...",
///         .make = make_uniform}};
///
/// Programs outside the repository register theirs in the same way.
namespace decodesim {

/// Everything that is routed in one run.
struct RoutedTokens {
  std::vector<int> layers; ///< those with experts, in order
  int experts = 0;
  int experts_per_token = 0; ///< at most `experts`
  std::int64_t sequences = 0;
  std::int64_t prompt_tokens = 0; ///< per sequence
  int decode_steps = 0;
};

/// One token on its way into one layer. Sequences are numbered over the whole batch, so that every
/// layout sees the same tokens go to the same experts.
struct TokenPlace {
  int iteration = 0; ///< 0 = prefill, 1 + step = decode step
  int layer = 0;
  std::int64_t sequence = 0;
  std::int64_t position = 0; ///< in its sequence; prompt tokens + step in decode
};

/// The table (iteration, layer, sequence, position) -> experts.
///
/// Contract: `route` gives the same experts for the same place however often and in whatever order
/// it is asked; they are distinct and from 0 to experts - 1.
class Routing {
public:
  virtual ~Routing() = default;

  /// @param experts  filled; its size is the experts per token
  virtual void route(const TokenPlace& place, std::span<int> experts) const = 0;
};

struct RoutingInfo {
  std::string name;     ///< as in `--routing`
  std::string argument; ///< what follows the ":" ("S"); empty = nothing may
  std::string summary;  ///< one line
  /// @param argument  as written; empty when there is none
  /// @param where     named in messages
  /// @throws InputError when the argument is wrong or does not suit the tokens
  std::unique_ptr<Routing> (*make)(const std::string& argument,
                                   const RoutedTokens& tokens,
                                   std::uint64_t seed,
                                   const std::string& where) = nullptr;
};

/// Registers at construction. A name that is taken stops the program with both summaries.
struct RegisterRouting {
  explicit RegisterRouting(RoutingInfo info);
};

/// All registered, in name order.
[[nodiscard]] std::vector<RoutingInfo> routings();

/// @param spec  NAME or NAME:ARGUMENT ("zipf:1.2")
/// @throws InputError naming `where`: no such routing, or one whose argument is wrong
[[nodiscard]] std::unique_ptr<Routing> make_routing(const std::string& spec,
                                                    const RoutedTokens& tokens,
                                                    std::uint64_t seed,
                                                    const std::string& where);

/// Checks that the routing is known and has an argument where it takes one.
/// @throws InputError naming `where`
void check_routing(const std::string& spec, const std::string& where);

} // namespace decodesim
