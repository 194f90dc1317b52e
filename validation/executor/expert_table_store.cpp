#include "validation/executor/expert_table_store.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace decodesim {

namespace {

/// Several tables in one piece of the device's memory.
class TableUpload {
public:
  explicit TableUpload(const ExpertRows& rows)
      : lists_{&rows.chosen,
               &rows.sources,
               &rows.sum_begin,
               &rows.sum_pairs,
               &rows.sent_tokens,
               &rows.returned_begin,
               &rows.returned_rows} {}

  void run(Device& device, ExpertTables& tables) {
    std::vector<std::int32_t> all;
    for (const auto* list : lists_) {
      all.insert(all.end(), list->begin(), list->end());
    }
    const auto bytes = all.size() * sizeof(std::int32_t);
    auto* memory = static_cast<std::int32_t*>(device.allocate("routing table", bytes));
    device.upload(memory, all.data(), bytes);
    for (const auto& [list, address] : {std::pair{lists_[0], &tables.chosen},
                                        {lists_[1], &tables.sources},
                                        {lists_[2], &tables.sum_begin},
                                        {lists_[3], &tables.sum_pairs},
                                        {lists_[4], &tables.sent_tokens},
                                        {lists_[5], &tables.returned_begin},
                                        {lists_[6], &tables.returned_rows}}) {
      *address = memory;
      memory += list->size();
    }
  }

private:
  std::vector<const std::vector<std::int32_t>*> lists_;
};

} // namespace

ExpertTableStore::ExpertTableStore(const Plan& plan,
                                   const Model& model,
                                   const RankPlace& place,
                                   Device& device)
    : plan_{plan}, program_{place.program()}, model_{model}, place_{place}, device_{device} {}

void ExpertTableStore::upload() {
  upload(Part::prologue, 0);
  for (int step = 0; step < plan_.decode_steps; ++step) {
    upload(Part::body, step);
  }
}

std::size_t ExpertTableStore::most_sent_rows() const {
  std::size_t most = 0;
  for (const auto& [key, tables] : tables_) {
    most = std::max(most, tables->rows.sent_tokens.size());
  }
  return most;
}

void ExpertTableStore::upload(Part part, int step) {
  for (const auto& op : program_.part(part)) {
    if (op.layer < 0 || !model_.has_experts(op.layer)) {
      continue;
    }
    auto& entry = tables_[{part, step, op.layer, op.micro_batch}];
    if (entry) {
      continue;
    }
    auto tables = std::make_shared<ExpertTables>();
    tables->rows = expert_rows(*plan_.expert_loads,
                               place_.rank,
                               part,
                               step,
                               op.layer,
                               op.micro_batch,
                               place_.new_tokens(part));
    TableUpload{tables->rows}.run(device_, *tables);
    entry = std::move(tables);
  }
}

std::shared_ptr<const ExpertTables>
ExpertTableStore::of(const Operation& op, Part part, int step) const {
  const auto found = tables_.find({part, std::max(0, step), op.layer, op.micro_batch});
  return found == tables_.end() ? nullptr : found->second;
}

} // namespace decodesim
