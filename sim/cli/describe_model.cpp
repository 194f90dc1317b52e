#include "sim/cli/describe_model.hpp"

#include "sim/model/parameters.hpp"

#include <iomanip>
#include <set>
#include <sstream>

namespace decodesim {

namespace {

std::string billions(std::int64_t count) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(3) << static_cast<double>(count) / 1e9 << "e9";
  return text.str();
}

std::string yes_no(bool value) { return value ? "yes" : "no"; }

std::string text_of(PositionKind kind) {
  switch (kind) {
  case PositionKind::rotary:
    return "rotary";
  case PositionKind::alibi:
    return "alibi";
  case PositionKind::learned:
    return "learned";
  }
  return "?";
}

std::string text_of(NormKind kind) {
  switch (kind) {
  case NormKind::rms_norm:
    return "RMS norm";
  case NormKind::layer_norm:
    return "layer norm";
  case NormKind::layer_norm_without_bias:
    return "layer norm without bias";
  }
  return "?";
}

std::string layers_text(int count, const Model& model) {
  return count == model.layers
             ? "every layer"
             : std::to_string(count) + " of " + std::to_string(model.layers) + " layers";
}

template <class Predicate> int count_layers(const Model& model, Predicate holds) {
  int count = 0;
  for (int layer = 0; layer < model.layers; ++layer) {
    count += holds(layer) ? 1 : 0;
  }
  return count;
}

class Rows {
public:
  explicit Rows(const Model& model) : model_{model} {}

  std::string text() {
    out_ << "model " << model_.name << "\n";
    row("source", model_.source);
    row("architecture", model_.architecture);
    row("layers", std::to_string(model_.layers));
    row("hidden size", std::to_string(model_.hidden_size));
    attention();
    networks();
    row("vocabulary", std::to_string(model_.vocabulary_size));
    if (model_.max_positions > 0) {
      row("longest context", std::to_string(model_.max_positions));
    }
    block();
    row("positions", text_of(model_.position));
    row("tied embeddings", yes_no(model_.tied_embeddings));
    row("biases",
        "QKV " + yes_no(model_.qkv_bias) + ", attention output " +
            yes_no(model_.attention_output_bias) + ", feed-forward " + yes_no(model_.ffn_bias));
    parameters();
    cache();
    types();
    return out_.str();
  }

private:
  const Model& model_;
  std::ostringstream out_;

  void row(const std::string& name, const std::string& text) {
    out_ << "  " << std::left << std::setw(20) << name << text << "\n";
  }

  void attention() {
    if (const auto& latent = model_.latent) {
      row("heads",
          std::to_string(model_.heads) + ", of size " + std::to_string(latent->nope_head_size) +
              " + " + std::to_string(latent->rope_head_size) + " rotary, values " +
              std::to_string(latent->value_head_size));
      row("latent attention",
          (latent->query_rank > 0 ? "query rank " + std::to_string(latent->query_rank) + ", "
                                  : std::string{}) +
              "KV rank " + std::to_string(latent->kv_rank) + "; absorbed in decode");
    } else {
      row("heads",
          std::to_string(model_.heads) + ", " + std::to_string(model_.kv_heads) + " KV, of size " +
              std::to_string(model_.head_size));
    }
    if (model_.sliding_window > 0) {
      const int windowed =
          count_layers(model_, [&](int layer) { return model_.window(layer) > 0; });
      row("sliding window",
          std::to_string(model_.sliding_window) + " tokens in " + layers_text(windowed, model_));
    }
    if (model_.attention_sinks) {
      row("attention sinks", "one a head: counted as parameters, without effect on time");
    }
  }

  void networks() {
    const std::string form = model_.gated_ffn ? ", gated (3 matrices)" : ", 2 matrices";
    const int with_experts =
        count_layers(model_, [&](int layer) { return model_.has_experts(layer); });
    if (with_experts < model_.layers) {
      row("feed-forward size",
          std::to_string(model_.ffn_size) + form +
              (with_experts > 0 ? " in " + layers_text(model_.layers - with_experts, model_) : ""));
    }
    if (const auto& moe = model_.moe) {
      row("experts",
          std::to_string(moe->experts) + " of size " + std::to_string(moe->expert_ffn_size) + form +
              ", " + std::to_string(moe->experts_per_token) + " per token, in " +
              layers_text(with_experts, model_));
      if (moe->shared_ffn_size > 0) {
        row("shared experts", "of size " + std::to_string(moe->shared_ffn_size) + " together");
      }
    }
  }

  void block() {
    row("norm",
        text_of(model_.norm) + (model_.qk_norm ? ", over heads of Q and K too" : "") +
            (model_.post_norms ? ", before and behind attention and FFN" : ""));
    if (model_.parallel_block) {
      row("block",
          std::string{"attention and FFN in parallel behind "} +
              (model_.one_block_norm ? "one norm" : "a norm each"));
    }
  }

  void parameters() {
    row("parameters", billions(total_parameters(model_)));
    if (model_.moe) {
      const auto active = active_parameters(model_);
      row("  active",
          billions(active) + " a token" +
              (model_.tied_embeddings ? std::string{}
                                      : ", " + billions(active - embedding_parameters(model_)) +
                                            " without the token table"));
    }
    std::set<std::int64_t> sizes;
    for (int layer = 0; layer < model_.layers; ++layer) {
      const auto parameters = layer_parameters(model_, layer).total();
      if (sizes.insert(parameters).second) {
        const bool experts = model_.has_experts(layer);
        row(std::string{"  a layer"} + (!model_.moe ? ""
                                        : experts   ? ", experts"
                                                    : ", dense"),
            billions(parameters));
      }
    }
    row("  embedding", billions(embedding_parameters(model_)));
    row("  LM head",
        model_.tied_embeddings ? "the embedding table" : billions(head_parameters(model_)));
  }

  void cache() {
    const auto bytes = [&](std::int64_t tokens) {
      return kv_cache_bytes(model_, tokens, DataType::bf16).value();
    };
    const auto text = [](double value) {
      return std::to_string(static_cast<std::int64_t>(value)) + " B";
    };
    const std::int64_t window = model_.sliding_window;
    row("KV cache in bf16",
        text(bytes(1)) + " a token" +
            (window > 0 ? ", " + text(bytes(window + 1) - bytes(window)) + " beyond " +
                              std::to_string(window) + " tokens"
                        : ""));
  }

  void types() {
    const auto stored = stored_precision(model_);
    row("weights stored in",
        to_string(stored.weights) +
            (stored.experts ? ", experts in " + to_string(*stored.experts) : "") +
            (model_.stored_type ? " (quantization_config)" : " (no other type is stated)") +
            "; --dtype overrides");
  }
};

} // namespace

std::string model_text(const Model& model) { return Rows{model}.text(); }

} // namespace decodesim
