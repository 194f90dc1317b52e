#include "sim/error.hpp"
#include "sim/routing/routing.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace decodesim {

namespace {

constexpr std::string_view header = "iteration,layer,sequence,position,experts";

/// Entries of a trace kept at once: 4 bytes each.
constexpr double most_entries = 1e9;

/// Experts as recorded: a file with a line per token and layer (docs/formats.md). Every token that
/// the run routes must have its line; lines beyond are not used.
class Trace final : public Routing {
public:
  Trace(const std::string& path, const RoutedTokens& tokens) : tokens_{tokens}, path_{path} {
    const double places = static_cast<double>(tokens.layers.size()) *
                          static_cast<double>(tokens.sequences) *
                          static_cast<double>(tokens.prompt_tokens + tokens.decode_steps);
    if (places * tokens.experts_per_token > most_entries) {
      throw InputError::at(path,
                           "would have to list " + std::to_string(static_cast<long long>(places)) +
                               " tokens and layers",
                           "at most 1e9 experts are read; lower batch size, isl or osl");
    }
    experts_.assign(
        static_cast<std::size_t>(places) * static_cast<std::size_t>(tokens.experts_per_token), -1);
    read();
    check_complete();
  }

  void route(const TokenPlace& place, std::span<int> experts) const override {
    std::copy_n(experts_.begin() + static_cast<std::ptrdiff_t>(first_of(place)),
                experts.size(),
                experts.begin());
  }

private:
  RoutedTokens tokens_;
  std::string path_;
  std::vector<int>
      experts_; ///< [layer of those with experts][sequence][position][k]; -1 = no line yet
  std::int64_t line_ = 0;

  [[noreturn]] void refuse(const std::string& found, const std::string& allowed) const {
    throw InputError::at(path_ + ": line " + std::to_string(line_), found, allowed);
  }

  /// A position belongs to one iteration: the prompt's to prefill, each later one to its step.
  [[nodiscard]] std::size_t first_of(const TokenPlace& place) const {
    const auto length = tokens_.prompt_tokens + tokens_.decode_steps;
    const auto layer = std::lower_bound(tokens_.layers.begin(), tokens_.layers.end(), place.layer) -
                       tokens_.layers.begin();
    const auto index = (layer * tokens_.sequences + place.sequence) * length + place.position;
    return static_cast<std::size_t>(index) * static_cast<std::size_t>(tokens_.experts_per_token);
  }

  [[nodiscard]] bool is_routed(const TokenPlace& place) const {
    return place.iteration <= tokens_.decode_steps && place.sequence < tokens_.sequences &&
           std::binary_search(tokens_.layers.begin(), tokens_.layers.end(), place.layer);
  }

  void read() {
    if (!std::filesystem::is_regular_file(path_)) {
      throw InputError::at(path_, "is no file", "name a routing trace: trace:FILE");
    }
    std::ifstream file{path_};
    std::string text;
    while (std::getline(file, text)) {
      ++line_;
      if (!text.empty() && text.back() == '\r') {
        text.pop_back();
      }
      if (line_ == 1) {
        if (text != header) {
          refuse("is \"" + text + "\"", "the first line is " + std::string{header});
        }
      } else if (!text.empty() && text.front() != '#') {
        read_entry(text);
      }
    }
    if (line_ == 0) {
      throw InputError::at(path_, "is empty", "the first line is " + std::string{header});
    }
  }

  void read_entry(const std::string& text) {
    std::array<std::int64_t, 4> numbers{};
    const auto* at = text.data();
    const auto* end = at + text.size();
    for (auto& number : numbers) {
      const auto [stop, error] = std::from_chars(at, end, number);
      if (error != std::errc{} || stop == end || *stop != ',' || number < 0) {
        refuse("is \"" + text + "\"",
               "four whole numbers and the experts are expected, such as 1,0,3,512,0;5");
      }
      at = stop + 1;
    }
    constexpr std::int64_t most = 1'000'000'000;
    if (std::max(numbers[0], numbers[1]) > most) {
      refuse("is \"" + text + "\"", "iterations and layers are at most 1e9");
    }
    const TokenPlace place{.iteration = static_cast<int>(numbers[0]),
                           .layer = static_cast<int>(numbers[1]),
                           .sequence = numbers[2],
                           .position = numbers[3]};
    const auto experts = read_experts(at, end, text);
    if (!is_routed(place)) {
      return;
    }
    const bool fits = place.iteration == 0
                          ? place.position < tokens_.prompt_tokens
                          : place.position == tokens_.prompt_tokens + place.iteration - 1;
    if (!fits) {
      refuse("has position " + std::to_string(place.position) + " in iteration " +
                 std::to_string(place.iteration),
             place.iteration == 0
                 ? "prefill (0) has positions 0 to " + std::to_string(tokens_.prompt_tokens - 1)
                 : "with prompts of " + std::to_string(tokens_.prompt_tokens) +
                       " tokens it has position " +
                       std::to_string(tokens_.prompt_tokens + place.iteration - 1));
    }
    const auto first = first_of(place);
    if (experts_[first] >= 0) {
      refuse("lists " + described(place) + " again", "list each token of a layer once");
    }
    std::copy(
        experts.begin(), experts.end(), experts_.begin() + static_cast<std::ptrdiff_t>(first));
  }

  std::vector<int> read_experts(const char* at, const char* end, const std::string& text) const {
    std::vector<int> experts;
    for (;; ++at) {
      int expert = 0;
      const auto [stop, error] = std::from_chars(at, end, expert);
      if (error != std::errc{} || (stop != end && *stop != ';')) {
        refuse("is \"" + text + "\"", "experts are numbers with \";\" between them, such as 0;5");
      }
      if (expert < 0 || expert >= tokens_.experts) {
        refuse("names expert " + std::to_string(expert),
               "the model's experts are 0 to " + std::to_string(tokens_.experts - 1));
      }
      if (std::find(experts.begin(), experts.end(), expert) != experts.end()) {
        refuse("names expert " + std::to_string(expert) + " twice", "they are distinct");
      }
      experts.push_back(expert);
      at = stop;
      if (at == end) {
        break;
      }
    }
    if (static_cast<int>(experts.size()) != tokens_.experts_per_token) {
      refuse("names " + std::to_string(experts.size()) + " experts",
             "a token of this model goes to " + std::to_string(tokens_.experts_per_token));
    }
    return experts;
  }

  static std::string described(const TokenPlace& place) {
    return "iteration " + std::to_string(place.iteration) + ", layer " +
           std::to_string(place.layer) + ", sequence " + std::to_string(place.sequence) +
           ", position " + std::to_string(place.position);
  }

  void check_complete() const {
    const auto k = static_cast<std::size_t>(tokens_.experts_per_token);
    const auto length = tokens_.prompt_tokens + tokens_.decode_steps;
    for (std::size_t first = 0; first < experts_.size(); first += k) {
      if (experts_[first] < 0) {
        const auto index = static_cast<std::int64_t>(first / k);
        const auto position = index % length;
        const auto after_prompt = position - tokens_.prompt_tokens;
        const TokenPlace place{
            .iteration = after_prompt < 0 ? 0 : static_cast<int>(after_prompt) + 1,
            .layer = tokens_.layers[static_cast<std::size_t>(index / length / tokens_.sequences)],
            .sequence = index / length % tokens_.sequences,
            .position = position};
        throw InputError::at(path_,
                             "has no line for " + described(place),
                             "every token of the run needs one in every layer with experts");
      }
    }
  }
};

const RegisterRouting registration{
    {.name = "trace",
     .argument = "FILE",
     .summary = "experts read from a file with a line per token and layer (docs/formats.md)",
     .make = [](const std::string& argument,
                const RoutedTokens& tokens,
                std::uint64_t,
                const std::string&) -> std::unique_ptr<Routing> {
       return std::make_unique<Trace>(argument, tokens);
     }}};

} // namespace

} // namespace decodesim
