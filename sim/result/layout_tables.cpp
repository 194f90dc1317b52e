#include "sim/result/layout_tables.hpp"

#include "sim/result/result_words.hpp"

#include <algorithm>
#include <functional>
#include <vector>

namespace decodesim {

namespace {

/// A column of numbers, one per result, with equally many digits after the point.
class Numbers {
public:
  using Get = std::function<std::optional<double>(const LayoutResult&)>;

  Numbers(const Report& report, Get get) : get_{std::move(get)} {
    std::vector<double> values;
    for (const LayoutResult& result : report.results) {
      if (const auto value = get_(result)) {
        values.push_back(*value);
      }
    }
    decimals_ = decimals_for(values);
  }

  [[nodiscard]] Table::Cell operator()(const LayoutResult& result) const {
    const auto value = get_(result);
    return {value ? fixed(*value, decimals_) : unknown};
  }

private:
  Get get_;
  int decimals_ = 0;
};

Numbers memory_column(const Report& report, Bytes (*part)(const MemoryUse&)) {
  return {report, [part](const LayoutResult& result) {
            return result.memory ? std::optional{gib(part(*result.memory))} : std::nullopt;
          }};
}

Numbers ok_column(const Report& report, std::optional<double> (*get)(const LayoutResult&)) {
  return {report,
          [get](const LayoutResult& result) { return is_ok(result) ? get(result) : std::nullopt; }};
}

std::optional<double> best_tpot(const Report& report) {
  std::optional<double> best;
  for (const LayoutResult& result : report.results) {
    if (is_ok(result) && result.tpot_s && (!best || *result.tpot_s < *best)) {
      best = result.tpot_s;
    }
  }
  return best;
}

std::optional<Bytes> common_capacity(const Report& report) {
  std::optional<Bytes> common;
  for (const LayoutResult& result : report.results) {
    if (result.memory) {
      if (common && *common != result.memory->capacity) {
        return std::nullopt;
      }
      common = result.memory->capacity;
    }
  }
  return common;
}

} // namespace

Table speed_table(const Report& report) {
  const auto capacity = common_capacity(report);
  const std::string memory =
      capacity ? "GiB per GPU, " + fixed(gib(*capacity), 1) + " usable" : "GiB per GPU";
  Table table;
  const std::string latency = "latency (ms)";
  const std::string rate = "output tokens/s";
  table.columns = {{"layout", "", false},
                   {"GPUs", ""},
                   {"weights", memory, true, "weights (GiB per GPU)"},
                   {"KV", memory, true, "KV cache (GiB)"},
                   {"total", memory, true, "total (GiB)"},
                   {"fits", memory, false},
                   {"TTFT", latency, true, "TTFT (ms)"},
                   {"TPOT", latency, true, "TPOT (ms)"},
                   {"x best", latency, true, "x best TPOT"},
                   {"all", rate, true, "output tokens/s"},
                   {"per GPU", rate},
                   {"per user", rate}};
  if (capacity) {
    table.columns[4].alone += " of " + fixed(gib(*capacity), 1);
  } else {
    table.columns.insert(table.columns.begin() + 5, {"usable", memory, true, "usable (GiB)"});
  }
  const auto weights = memory_column(report, [](const MemoryUse& m) { return m.weights; });
  const auto cache = memory_column(report, [](const MemoryUse& m) { return m.kv_cache; });
  const auto total = memory_column(report, [](const MemoryUse& m) { return m.total(); });
  const auto usable = memory_column(report, [](const MemoryUse& m) { return m.capacity; });
  const auto ttft =
      ok_column(report, [](const LayoutResult& r) { return std::optional{1e3 * r.ttft_s}; });
  const auto tpot = ok_column(report, [](const LayoutResult& r) {
    return r.tpot_s ? std::optional{1e3 * *r.tpot_s} : std::nullopt;
  });
  const auto all =
      ok_column(report, [](const LayoutResult& r) { return std::optional{r.tokens_per_s}; });
  const auto each = ok_column(
      report, [](const LayoutResult& r) { return std::optional{per_gpu(r, r.tokens_per_s)}; });
  const auto user = ok_column(report, rate_per_user);
  const auto best = best_tpot(report);

  for (const LayoutResult& result : report.results) {
    const Style style = style_of(result.status);
    auto& row = table.rows.emplace_back();
    row = {{result.tag}, {std::to_string(result.gpus)}};
    if (!result.memory) {
      row.push_back({result.reason, style, true});
      continue;
    }
    row.insert(row.end(), {weights(result), cache(result), total(result)});
    if (!capacity) {
      row.push_back(usable(result));
    }
    row.push_back({result.status == Status::does_not_fit ? "no" : "yes", style});
    if (!is_ok(result)) {
      row.push_back({result.reason, style, true});
      continue;
    }
    row.insert(row.end(), {ttft(result), tpot(result)});
    const bool is_best = best && result.tpot_s == best;
    row.push_back(
        {best && result.tpot_s && *best > 0.0 ? fixed(*result.tpot_s / *best, 2) : unknown,
         is_best ? Style::good : Style::plain});
    row.insert(row.end(), {all(result), each(result), user(result)});
  }
  return table;
}

Table time_table(const Report& report) {
  Table table;
  const std::string bytes = "bytes per step";
  const std::string time = "% of GPU time in decode";
  table.columns = {{"layout", "", false},
                   {"of tensors", bytes, true, "bytes of tensors per step"},
                   {"received per GPU", bytes},
                   {"compute", time, true, "compute (% of GPU time in decode)"},
                   {"exposed comm.", time, true, "exposed communication (%)"},
                   {"late members", time, true, "late members (%)"},
                   {"bubble", time, true, "bubble (%)"},
                   {"other", time, true, "other (%)"}};
  for (const LayoutResult& result : report.results) {
    if (!is_ok(result) || !result.tpot_s) {
      continue; // the first table says why
    }
    const Breakdown& shares = result.breakdown;
    table.rows.push_back(
        {{result.tag},
         {traffic_text(result.traffic.tensor)},
         {traffic_text(Bytes{per_gpu(result, result.traffic.received_sum.value())})},
         {percent(shares.compute_ratio)},
         {percent(shares.communication_ratio)},
         {percent(shares.waiting_ratio - result.bubble_ratio)},
         {percent(result.bubble_ratio)},
         {percent(shares.other_ratio)}});
  }
  return table;
}

} // namespace decodesim
