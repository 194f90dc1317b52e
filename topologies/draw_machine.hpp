#pragma once

#include "topologies/machine.hpp"

#include <string>

/// A machine as a drawing. A pure function of the machine, byte for byte.
namespace decodesim {

/// Flowchart of one node in the language of Mermaid, which GitHub draws: memory and sockets on top,
/// PCIe below them, GPUs and NICs, NVSwitches at the bottom; thick lines are NVLink.
///
/// GPUs, and NICs, that hang on the same vertices by the same links share a box. Of three or more
/// equal parts that only an NVSwitch joins, one is drawn. In a cluster the NICs hang on one box for
/// the fabric. NVLinks from GPU to GPU are not drawn.
[[nodiscard]] std::string machine_mermaid(const Machine& machine);

/// A section in Markdown: heading, summary and source, the drawing, one of the NVLinks from GPU to
/// GPU where there are any, a table of the links, ring and bisection bandwidth.
[[nodiscard]] std::string machine_markdown(const Machine& machine);

} // namespace decodesim
