#include "validation/executor/weight_pieces.hpp"

#include "sim/error.hpp"
#include "validation/executor/expert_rows.hpp"
#include "validation/executor/weight_value.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace decodesim {

namespace {

/// FNV-1a over the name of a whole tensor.
std::uint64_t seed_of(const std::string& name) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char letter : name) {
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3U;
  }
  return hash;
}

/// Collects the pieces of one buffer.
class Shards {
public:
  Shards(const Buffer& buffer, const Model& model, const RankPlace& place)
      : buffer_{buffer}, model_{model}, place_{place} {
    const auto dot = buffer.name.find('.');
    const bool in_layer = buffer.name.front() == 'L' && dot != std::string::npos;
    layer_ = in_layer ? std::stoi(buffer.name.substr(1, dot - 1)) : -1;
    what_ = in_layer ? buffer.name.substr(dot + 1) : buffer.name;
    is_bias_ = what_.ends_with(".bias");
    if (is_bias_) {
      what_.resize(what_.size() - std::string{".bias"}.size());
    }
  }

  std::vector<WeightPiece> pieces() {
    const std::int64_t t = place_.tp_index;
    const std::int64_t hidden = model_.hidden_size;
    if (what_.ends_with("norm")) {
      norm();
    } else if (what_ == "qkv_proj") {
      const std::int64_t heads = model_.heads / place_.tp;
      const std::int64_t kv_heads = std::max(1, model_.kv_heads / place_.tp);
      // Ranks of more than there are KV heads share them.
      const std::int64_t first_kv = t * model_.kv_heads / place_.tp;
      const std::int64_t head = model_.head_size;
      rows_of("q", hidden, t * heads * head, heads * head);
      rows_of("k", hidden, first_kv * head, kv_heads * head);
      rows_of("v", hidden, first_kv * head, kv_heads * head);
    } else if (what_ == "o_proj" || what_ == "down_proj" || what_ == "shared_down_proj") {
      columns_of(hidden);
    } else if (what_ == "gate_up_proj" || what_ == "shared_gate_up_proj") {
      const auto half = rows() / 2;
      rows_of("gate", hidden, t * half, half);
      rows_of("up", hidden, t * half, half);
    } else if (what_ == "up_proj" || what_ == "shared_up_proj") {
      rows_of("up", hidden, t * rows(), rows());
    } else if (what_ == "embedding" || what_ == "lm_head") {
      const auto first = rows() < model_.vocabulary_size ? t * rows() : 0;
      rows_of("", hidden, first, std::min(rows(), model_.vocabulary_size - first));
    } else if (what_ == "positions" || what_ == "router" || what_ == "shared_gate") {
      rows_of("", is_bias_ || buffer_.shape.size() == 1 ? 1 : hidden, 0, buffer_.shape.front());
    } else if (what_.starts_with("expert_")) {
      experts();
    } else {
      throw SimulationError{"the weights \"" + buffer_.name + "\" have no known shards"};
    }
    return std::move(pieces_);
  }

private:
  const Buffer& buffer_;
  const Model& model_;
  const RankPlace& place_;
  int layer_ = -1;
  std::string what_; ///< name without layer and ".bias"
  bool is_bias_ = false;
  std::int64_t offset_ = 0;
  std::vector<WeightPiece> pieces_;

  [[nodiscard]] std::int64_t rows() const { return buffer_.shape.front(); }

  /// Of the whole tensor; a tied table is the same wherever it is.
  [[nodiscard]] std::string name(const std::string& part) const {
    const bool is_copy = what_ == "lm_head" && model_.tied_embeddings;
    return std::to_string(layer_) + "/" + (is_copy ? "embedding" : what_) + "/" + part +
           (is_bias_ ? "/bias" : "");
  }

  /// The next piece of the buffer.
  void add(WeightPiece piece, const std::string& part, std::int64_t inputs) {
    piece.offset = offset_;
    piece.seed = seed_of(name(part));
    // A uniform number in [-a, a) has variance a^2 / 3.
    piece.spread = is_bias_ ? 0.1F : std::sqrt(3.0F / static_cast<float>(inputs));
    pieces_.push_back(piece);
    offset_ += piece.rows * piece.columns;
  }

  void
  rows_of(const std::string& part, std::int64_t columns, std::int64_t first, std::int64_t count) {
    const auto width = is_bias_ ? 1 : columns;
    add({.rows = count, .columns = width, .first_row = first, .whole_columns = width},
        part,
        columns);
  }

  void columns_of(std::int64_t outputs) {
    if (is_bias_) {
      if (place_.tp_index == 0) {
        rows_of("", outputs, 0, outputs);
      }
      return;
    }
    const auto columns = buffer_.shape.back();
    const auto whole = columns * place_.tp;
    add({.rows = outputs,
         .columns = columns,
         .first_column = place_.tp_index * columns,
         .whole_columns = whole},
        "",
        whole);
  }

  void norm() {
    const bool biased = what_ != "qk_norm" && model_.norm == NormKind::layer_norm;
    std::int64_t elements = 1;
    for (const auto extent : buffer_.shape) {
      elements *= extent;
    }
    const auto weights = biased ? elements / 2 : elements;
    std::int64_t first = 0;
    if (what_ == "qk_norm" && model_.qk_norm_per_head) {
      per_head_norms();
      return;
    }
    norm_piece("", first, weights, 1.0F);
    if (biased) {
      norm_piece("bias", 0, weights, 0.0F);
    }
  }

  void norm_piece(const std::string& part, std::int64_t first, std::int64_t count, float middle) {
    add({.rows = 1, .columns = count, .first_column = first, .whole_columns = 0}, part, 1);
    pieces_.back().middle = middle;
    pieces_.back().spread = 0.1F;
  }

  void per_head_norms() {
    const std::int64_t head = model_.head_size;
    const std::int64_t heads = model_.heads / place_.tp;
    const std::int64_t kv_heads = std::max(1, model_.kv_heads / place_.tp);
    norm_piece("q", place_.tp_index * heads * head, heads * head, 1.0F);
    norm_piece("k",
               std::int64_t{place_.tp_index} * model_.kv_heads / place_.tp * head,
               kv_heads * head,
               1.0F);
  }

  /// Shards of the experts that the rank has a place for, slot by slot.
  void experts() {
    const auto& loads = *place_.plan.expert_loads;
    const int shards = loads.grid().shards();
    const std::int64_t shard = loads.member_of(place_.rank) % shards;
    const std::int64_t hidden = model_.hidden_size;
    const auto ffn = model_.moe->expert_ffn_size / shards;
    const auto held = expert_of_slot(loads, place_.rank, layer_);
    const bool down = what_ == "expert_down_proj";
    const auto slot_elements = is_bias_ ? (down ? hidden : (model_.gated_ffn ? 2 : 1) * ffn)
                                        : buffer_.shape[1] * buffer_.shape[2];
    for (std::size_t slot = 0; slot < held.size(); ++slot) {
      offset_ = static_cast<std::int64_t>(slot) * slot_elements;
      const auto expert = std::to_string(held[slot]);
      if (!down && model_.gated_ffn) {
        rows_of(expert + "/gate", hidden, shard * ffn, ffn);
        rows_of(expert + "/up", hidden, shard * ffn, ffn);
      } else if (!down) {
        rows_of(expert + "/up", hidden, shard * ffn, ffn);
      } else if (!is_bias_) {
        const auto whole = ffn * shards;
        add({.rows = hidden, .columns = ffn, .first_column = shard * ffn, .whole_columns = whole},
            expert,
            whole);
      } else if (shard == 0) {
        rows_of(expert, hidden, 0, hidden);
      }
    }
  }
};

} // namespace

std::vector<WeightPiece>
weight_pieces(const Buffer& buffer, const Model& model, const RankPlace& place) {
  return Shards{buffer, model, place}.pieces();
}

std::int32_t prompt_token(const Model& model, std::int64_t sequence, std::int64_t position) {
  const auto unit = (weight_value(static_cast<std::uint64_t>(sequence) + 0x70726f6dU,
                                  static_cast<std::uint64_t>(position)) +
                     1.0F) /
                    2.0F;
  return std::min(model.vocabulary_size - 1,
                  static_cast<std::int32_t>(unit * static_cast<float>(model.vocabulary_size)));
}

} // namespace decodesim
