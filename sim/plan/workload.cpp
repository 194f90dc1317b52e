#include "sim/plan/workload.hpp"

#include "sim/error.hpp"

namespace decodesim {

std::string to_string(MoeExchange exchange) {
  return exchange == MoeExchange::all_to_all ? "all-to-all" : "all-gather";
}

MoeExchange moe_exchange_named(const std::string& name, const std::string& where) {
  for (const auto exchange : {MoeExchange::all_to_all, MoeExchange::all_gather}) {
    if (name == to_string(exchange)) {
      return exchange;
    }
  }
  throw InputError::unknown_name(
      where,
      "exchange",
      name,
      {to_string(MoeExchange::all_to_all), to_string(MoeExchange::all_gather)});
}

} // namespace decodesim
