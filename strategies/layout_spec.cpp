#include "strategies/layout_spec.hpp"

#include "sim/error.hpp"
#include "strategies/registry.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>

namespace decodesim {

namespace {

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

std::string quoted(std::string_view text) { return "\"" + std::string{text} + "\""; }

/// Reads one spec from left to right. Every message names the place and the whole spec.
class SpecReader {
public:
  SpecReader(std::string_view spec, const std::string& where)
      : rest_{spec}, where_{where + ": " + quoted(spec)} {}

  /// @param gpus  what an open degree takes from
  Layout read(int gpus) {
    if (rest_.empty()) {
      throw InputError::at(where_, "is empty", "write for instance tp8, zero3x8 or pp4:gpipe");
    }
    Layout layout;
    read_degrees(layout);
    if (open_ != nullptr) {
      layout.*open_ = static_cast<int>(std::clamp<std::int64_t>(left(layout, gpus), 1, most_ranks));
    }
    if (layout.ep > 0 && !dp_given_) {
      layout.dp = Layout::dp_for_experts(layout.ep, layout.tp);
    }
    while (!rest_.empty()) {
      read_option(layout);
    }
    if (!pp_given_ && schedule_given_) {
      throw InputError::at(where_,
                           "names the schedule " + layout.schedule + " without a pipeline",
                           "schedules are for layouts with pp");
    }
    return settled(std::move(layout), where_);
  }

  /// After read().
  [[nodiscard]] bool left_a_degree_open() const { return open_ != nullptr; }

private:
  using Degree = int Layout::*;

  /// What the open degree gets. Experts are on the ranks of attention, not beside them.
  [[nodiscard]] std::int64_t left(const Layout& layout, int gpus) const {
    const auto of_attention = std::int64_t{layout.tp} * layout.dp;
    if (open_ == &Layout::ep) {
      return dp_given_ ? of_attention : gpus / layout.pp;
    }
    return gpus / (of_attention * layout.pp);
  }

  void read_degrees(Layout& layout) {
    if (take_word("single")) {
      return;
    }
    std::set<std::string> given;
    do {
      const auto name = take_name();
      const auto axis = axis_of(name, layout);
      if (!given.insert(axis).second) {
        throw InputError::at(where_, "sets the " + axis + " degree twice", "name each degree once");
      }
      dp_given_ = dp_given_ || axis == "dp";
      const Degree degree = axis == "tp"   ? &Layout::tp
                            : axis == "pp" ? &Layout::pp
                            : axis == "ep" ? &Layout::ep
                                           : &Layout::dp;
      if (const auto number = take_degree(name)) {
        layout.*degree = *number;
      } else if (open_ != nullptr) {
        throw InputError::at(where_,
                             "leaves two degrees open",
                             "at most one name may come without a number: it takes the GPUs "
                             "that the others leave");
      } else {
        open_ = degree;
      }
    } while (!rest_.empty() && !at_separator());
  }

  /// The degree that a name sets; a strategy other than tp is noted in the layout.
  std::string axis_of(const std::string& name, Layout& layout) {
    pp_given_ = pp_given_ || name == "pp";
    if (name == "tp" || name == "pp" || name == "dp" || name == "ep") {
      return name;
    }
    if (layout.strategy != "tp") {
      throw InputError::at(
          where_, "names two layer strategies, " + layout.strategy + " and " + name, "use one");
    }
    layout.strategy = name;
    return layer_strategy_named(name, where_).splits_batch ? "dp" : "tp";
  }

  /// The longest known name at the front.
  std::string take_name() {
    auto known = names();
    std::string best;
    for (const auto& name : known) {
      if (name.size() > best.size() && rest_.starts_with(name)) {
        best = name;
      }
    }
    if (best.empty()) {
      const auto end =
          std::find_if(rest_.begin(), rest_.end(), [](char c) { return c == ':' || c == '-'; });
      std::string_view word{rest_.data(), static_cast<std::size_t>(end - rest_.begin())};
      known.emplace_back("single");
      throw InputError::unknown_name(where_, "strategy", word, known);
    }
    rest_.remove_prefix(best.size());
    return best;
  }

  std::optional<int> take_degree(const std::string& name) {
    const bool has_x = rest_.size() > 1 && rest_[0] == 'x' && is_digit(rest_[1]);
    if (has_x) {
      rest_.remove_prefix(1);
    }
    if (rest_.empty() || !is_digit(rest_[0])) {
      return std::nullopt;
    }
    if (!has_x && is_digit(name.back())) {
      throw InputError::at(
          where_, "has a number right after " + name, "write " + name + "x8 for a degree of 8");
    }
    return take_number("the degree of " + name);
  }

  int take_number(const std::string& what) {
    const auto* end = rest_.data() + rest_.size();
    long long number = 0;
    const auto [stop, error] = std::from_chars(rest_.data(), end, number);
    const std::string text{rest_.data(), stop};
    if (error != std::errc{} || number < 1 || number > most_of_a_degree) {
      throw InputError::at(where_,
                           text.empty() ? "has no number for " + what : what + " is " + text,
                           "a whole number from 1 to " + std::to_string(most_of_a_degree) +
                               " is expected");
    }
    rest_.remove_prefix(text.size());
    return static_cast<int>(number);
  }

  void read_option(Layout& layout) {
    if (!at_separator()) {
      throw InputError::at(
          where_, "has " + quoted(rest_) + " after its end", "separate options with \":\"");
    }
    rest_.remove_prefix(1);
    const auto end =
        std::find_if(rest_.begin(), rest_.end(), [](char c) { return c == ':' || c == '-'; });
    const std::string word{rest_.begin(), end};
    if (word == "prefetch") {
      refuse_repetition(layout.prefetch, "prefetch");
      layout.prefetch = true;
      rest_.remove_prefix(word.size());
    } else if (word.size() > 1 && word[0] == 'm' && is_digit(word[1])) {
      refuse_repetition(layout.micro_batches != 0, "micro-batches");
      rest_.remove_prefix(1);
      layout.micro_batches = take_number("the number of micro-batches");
    } else if (word.size() > 1 && word[0] == 'v' && is_digit(word[1])) {
      refuse_repetition(layout.virtual_stages != 0, "virtual stages");
      rest_.remove_prefix(1);
      layout.virtual_stages = take_number("the number of virtual stages");
    } else if (word.starts_with("layers")) {
      refuse_repetition(!layout.stage_layers.empty(), "layers");
      layout.stage_layers = parse_stage_layers(word.substr(6), where_);
      rest_.remove_prefix(word.size());
    } else {
      take_schedule(layout, word);
    }
  }

  /// A schedule's name; unlike the other options it may contain "-".
  void take_schedule(Layout& layout, const std::string& word) {
    std::string best;
    std::vector<std::string> known;
    for (const auto& info : pipeline_schedules()) {
      known.push_back(info.name);
      const bool fits = rest_.starts_with(info.name) &&
                        (rest_.size() == info.name.size() || rest_[info.name.size()] == ':' ||
                         rest_[info.name.size()] == '-');
      if (fits && info.name.size() > best.size()) {
        best = info.name;
      }
    }
    if (best.empty()) {
      known.insert(known.end(), {"prefetch", "m4", "v2", "layers20+20"});
      throw InputError::unknown_name(where_, "schedule or option", word, known);
    }
    refuse_repetition(schedule_given_, "a schedule");
    schedule_given_ = true;
    layout.schedule = best;
    rest_.remove_prefix(best.size());
  }

  void refuse_repetition(bool given, const std::string& what) const {
    if (given) {
      throw InputError::at(where_, "names " + what + " twice", "name it once");
    }
  }

  bool take_word(std::string_view word) {
    const bool here =
        rest_.starts_with(word) &&
        (rest_.size() == word.size() || rest_[word.size()] == ':' || rest_[word.size()] == '-');
    if (here) {
      rest_.remove_prefix(word.size());
    }
    return here;
  }

  bool at_separator() const { return rest_.front() == ':' || rest_.front() == '-'; }

  static std::vector<std::string> names() {
    std::vector<std::string> known{"tp", "pp", "dp", "ep"};
    for (const auto& info : layer_strategies()) {
      known.push_back(info.name);
    }
    std::sort(known.begin(), known.end());
    known.erase(std::unique(known.begin(), known.end()), known.end());
    return known;
  }

  std::string_view rest_;
  std::string where_;
  bool schedule_given_ = false;
  bool pp_given_ = false;
  bool dp_given_ = false;
  Degree open_ = nullptr;
};

} // namespace

Layout settled(Layout layout, const std::string& where) {
  if (const auto ranks = std::int64_t{layout.tp} * layout.pp * layout.dp; ranks > most_ranks) {
    throw InputError::at(where,
                         "means " + std::to_string(ranks) + " GPUs",
                         "at most " + std::to_string(most_ranks) + " are allowed");
  }
  if (layout.prefetch && layout.strategy == "tp") {
    throw InputError::at(where,
                         "asks for prefetch, but gathers no weights",
                         "prefetch is for strategies such as zero3");
  }
  if (layout.ep == 1 && layout.dp == 1) {
    layout.ep = 0; // all experts on the tp ranks, as without it
  }
  if (layout.pp == 1) {
    if (!layout.stage_layers.empty()) {
      throw InputError::at(
          where, "lists the layers of stages without a pipeline", "they are for layouts with pp");
    }
    if (layout.virtual_stages != 0) {
      throw InputError::at(
          where, "asks for virtual stages without a pipeline", "they are for layouts with pp");
    }
    layout.schedule = Layout{}.schedule;
  }
  return layout;
}

Layout parse_layout_spec(std::string_view spec, int gpus, const std::string& where) {
  return SpecReader{spec, where}.read(gpus);
}

bool leaves_a_degree_open(std::string_view spec, const std::string& where) {
  SpecReader reader{spec, where};
  (void)reader.read(1);
  return reader.left_a_degree_open();
}

std::vector<Layout> parse_layout_specs(std::string_view specs, int gpus, const std::string& where) {
  std::vector<Layout> layouts;
  std::set<std::string> tags;
  for (std::size_t begin = 0; begin <= specs.size();) {
    const auto end = std::min(specs.find(',', begin), specs.size());
    const auto spec = specs.substr(begin, end - begin);
    layouts.push_back(parse_layout_spec(spec, gpus, where));
    if (const auto tag = layouts.back().tag(); !tags.insert(tag).second) {
      throw InputError::at(
          where, quoted(spec) + " means " + tag + ", which is listed already", "list it once");
    }
    begin = end + 1;
  }
  return layouts;
}

std::vector<int> parse_stage_layers(std::string_view text, const std::string& where) {
  std::vector<int> layers;
  const auto* end = text.data() + text.size();
  for (const auto* at = text.data();; ++at) {
    int number = 0;
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc{} || number < 1 || number > most_of_a_degree ||
        (stop != end && *stop != ',' && *stop != '+')) {
      throw InputError::at(where,
                           "layers of stages are " + quoted(text),
                           "whole numbers of at least 1 are expected, such as 20,20,20,20");
    }
    layers.push_back(number);
    at = stop;
    if (at == end) {
      return layers;
    }
  }
}

} // namespace decodesim
