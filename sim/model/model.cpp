#include "sim/model/model.hpp"

namespace decodesim {

DataType Precision::activations() const { return is_quantised(weights) ? DataType::bf16 : weights; }

DataType Precision::tables() const { return quantises_tables(weights) ? weights : activations(); }

Precision stored_precision(const Model& model) {
  Precision precision;
  precision.weights = model.stored_type.value_or(DataType::bf16);
  precision.kv_cache = precision.activations();
  precision.experts = model.stored_expert_type;
  return precision;
}

} // namespace decodesim
