#pragma once

#include "sim/json_reader.hpp"
#include "sim/scenario/scenario.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace decodesim {

inline constexpr int scenario_format_version = 1;

/// What a scenario may ask for at most, in files and flags alike. Far beyond what is of use, so
/// that a slip of the finger is told from a wish.
inline constexpr std::int64_t most_sequences = 1'000'000;
inline constexpr std::int64_t most_input_tokens = 100'000'000;
inline constexpr std::int64_t most_output_tokens = 1'000'000;
inline constexpr std::int64_t most_nodes = 10'000;
inline constexpr std::int64_t most_seed = 9'007'199'254'740'991; // exact in every JSON reader

/// What to take instead of the file's own, before layouts without a degree take all GPUs, data
/// types that are not named those of the model, and launch mode and collectives those of the
/// framework.
struct MachineChoice {
  std::optional<std::string> machine;
  std::optional<int> nodes;
  std::optional<Fabric> fabric = {};
  std::optional<std::string> model = {};
  std::optional<std::string> framework = {};
};

/// Reads a scenario file (docs/formats.md). Keys that are missing have the defaults of `Scenario`;
/// without `dtype` weights have the types of the model's file (`stored_precision`), and the cache
/// has the type of the activations. A relative path of a model or machine is taken from the file's
/// folder and made absolute. `layouts` may be missing: it is then empty.
///
/// @throws InputError with file and JSON pointer: unknown keys or names, sizes out of range,
/// layouts
///         that are no layouts or listed twice, a model that cannot be read (without `dtype`), a
///         machine that cannot be read (when a layout leaves a degree open)
[[nodiscard]] Scenario load_scenario(const std::filesystem::path& path,
                                     const MachineChoice& choice = {});

/// The same from text that was read already.
/// @param folder  where relative paths start
[[nodiscard]] Scenario parse_scenario(const JsonReader& file,
                                      const std::filesystem::path& folder,
                                      const MachineChoice& choice = {});

/// The framework with its path, if it is one, made absolute.
/// @param folder  where relative paths start
[[nodiscard]] std::string framework_from(const std::string& name_or_path,
                                         const std::filesystem::path& folder);

/// The routing with the path of a trace made absolute.
/// @param folder  where relative paths start
[[nodiscard]] std::string routing_from(const std::string& spec,
                                       const std::filesystem::path& folder);

/// @throws InputError naming `where` and the known names
[[nodiscard]] RingOrder ring_order_named(const std::string& name, const std::string& where);
[[nodiscard]] Folding folding_named(const std::string& name, const std::string& where);

/// The path of a model or machine that is no preset, absolute; a preset's name as it is. So a
/// scenario means the same wherever it is stored.
/// @param folder  where a relative path starts
[[nodiscard]] std::string absolute_unless_preset(const std::string& name_or_path,
                                                 bool is_model,
                                                 const std::filesystem::path& folder);

} // namespace decodesim
