#include "sim/plan/operation.hpp"

namespace decodesim {

std::string_view to_string(CollectiveKind kind) {
  switch (kind) {
  case CollectiveKind::all_reduce:
    return "all_reduce";
  case CollectiveKind::all_gather:
    return "all_gather";
  case CollectiveKind::reduce_scatter:
    return "reduce_scatter";
  case CollectiveKind::broadcast:
    return "broadcast";
  }
  return "?";
}

} // namespace decodesim
