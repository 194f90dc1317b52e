#pragma once

#include <optional>
#include <string>

namespace decodesim {

/// What tables of measurements mean by their names, as `validation/data/names.json` lists them:
/// patterns (ECMAScript regular expressions, letter case aside), first match first.

/// Model preset of a name such as "Llama-3.1-70B", or nothing.
[[nodiscard]] std::optional<std::string> model_preset_for(const std::string& name);

/// GPU preset of a name such as "NVIDIA A100-SXM4-80GB", or nothing.
[[nodiscard]] std::optional<std::string> gpu_preset_for(const std::string& name);

/// Machine whose layout a measured system has; its GPUs may be others of the same kind of slot.
struct MachineChoiceForCase {
  std::string machine;
  std::string fabric; ///< between nodes, as in --fabric; empty = the machine's own network
  std::string note;   ///< what was assumed, or empty
};

/// @param gpu           preset
/// @param interconnect  words of the table
/// @param gpus          used on each node
[[nodiscard]] std::optional<MachineChoiceForCase>
machine_for(const std::string& gpu, const std::string& interconnect, int gpus);

} // namespace decodesim
