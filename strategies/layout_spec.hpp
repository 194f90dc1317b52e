#pragma once

#include "strategies/layout.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace decodesim {

/// Largest degree, micro-batch count or layer count that a spec, file or flag may name.
inline constexpr int most_of_a_degree = 100000;

/// Most ranks that a layout may have: far beyond any machine, far below overflow of the product.
inline constexpr int most_ranks = 10'000'000;

/// Layout written as in `--strategies`: DEGREES[:OPTION]...
///
/// DEGREES is "single" or a run of NAME[x][N] without separators, where NAME is pp, dp, ep or a
/// registered layer strategy ("tp8", "tp4pp2", "tp2zero3x4"); a name that ends in a digit needs the
/// x before its number. One NAME may come without N: it takes the GPUs that the others leave.
/// With ep and no dp, dp is ep / tp, at least 1.
/// OPTION is a pipeline schedule ("gpipe"), "m4" (micro-batches per replica), "v2" (virtual
/// stages), "prefetch", or "layers20+12" (layers of each stage); "-" works as well as ":". Each tag
/// of a layout is such a spec.
///
/// Degrees may need more GPUs than there are; whoever runs the layout says so.
///
/// @param gpus   GPUs that a NAME without N can take from, at least 1
/// @param where  named in messages: "--strategies", "x.json: /layouts/0"
/// @throws InputError when the text is not such a spec
[[nodiscard]] Layout parse_layout_spec(std::string_view spec, int gpus, const std::string& where);

/// The layout without what has no effect (the schedule of a single stage), so that equal layouts
/// compare equal and have the same tag.
/// @throws InputError naming `where` when it asks for what it cannot use (prefetch without weights
/// to
///         gather, layers of stages without a pipeline) or for more than `most_ranks`
[[nodiscard]] Layout settled(Layout layout, const std::string& where);

/// Comma-separated specs, at least one, whose tags differ.
/// @throws InputError when one is wrong or given twice
[[nodiscard]] std::vector<Layout>
parse_layout_specs(std::string_view specs, int gpus, const std::string& where);

/// Whether some degree of the spec depends on the number of GPUs.
/// @throws InputError as parse_layout_spec
[[nodiscard]] bool leaves_a_degree_open(std::string_view spec, const std::string& where);

/// Layers of each stage from "20,20,20,20" (or with "+").
/// @throws InputError naming `where`
[[nodiscard]] std::vector<int> parse_stage_layers(std::string_view text, const std::string& where);

} // namespace decodesim
