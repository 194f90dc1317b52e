#include "sim/result/result.hpp"

namespace decodesim {

std::string to_string(Status status) {
  switch (status) {
  case Status::ok:
    return "ok";
  case Status::does_not_fit:
    return "does_not_fit";
  case Status::invalid:
    return "invalid";
  }
  return "?";
}

} // namespace decodesim
