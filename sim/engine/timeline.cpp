#include "sim/engine/timeline.hpp"

namespace decodesim {

std::string_view to_string(SpanKind kind) {
  switch (kind) {
  case SpanKind::compute:
    return "compute";
  case SpanKind::transfer:
    return "transfer";
  case SpanKind::waiting:
    return "waiting";
  case SpanKind::bubble:
    return "bubble";
  case SpanKind::launch:
    return "launch";
  }
  return "?";
}

} // namespace decodesim
