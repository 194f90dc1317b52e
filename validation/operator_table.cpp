#include "validation/operator_table.hpp"

#include "sim/data_files.hpp"
#include "sim/error.hpp"
#include "sim/json_reader.hpp"
#include "sim/model/hf_config.hpp"
#include "sim/plan/operation.hpp"
#include "validation/case_names.hpp"
#include "validation/csv_table.hpp"
#include "validation/measure/run_file.hpp"
#include "validation/probe_operators.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace decodesim {

namespace {

/// Shape of a dense layer's shard and of the ends of the model, as operator tables name its parts.
struct LayerShape {
  std::int64_t hidden = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_size = 0;
  std::int64_t ffn = 0;
  std::int64_t vocabulary = 0; ///< of all shards
  std::int64_t shards = 1;
  bool gated = true;
  std::int64_t experts_per_token = 0;
  std::int64_t expert_ffn = 0;
};

KernelWork product(std::int64_t m, std::int64_t n, std::int64_t k) {
  return kernel_work(Gemm{.m = m, .n = n, .k = k});
}

KernelWork
row_wise(RowFunction function, std::int64_t rows, std::int64_t read, std::int64_t written) {
  return kernel_work(RowKernel{
      .function = function, .rows = rows, .read_columns = read, .write_columns = written});
}

KernelWork decode_attention(const LayerShape& shape, std::int64_t sequences, std::int64_t context) {
  return kernel_work(Attention{.sequences = static_cast<int>(sequences),
                               .context_tokens = context,
                               .heads = static_cast<int>(shape.heads),
                               .kv_heads = static_cast<int>(shape.kv_heads),
                               .head_size = static_cast<int>(shape.head_size)});
}

/// The kernels of a layer with experts after its router: selection, both products with the
/// activation between them, and the weighted sum.
struct ExpertShape {
  std::int64_t hidden = 0;
  std::int64_t width = 0; ///< of this shard of an expert
  DataType weights = DataType::bf16;
  std::int64_t tokens = 0;
  std::int64_t pairs = 0;
  int experts = 0;
  int experts_hit = 0;
  std::int64_t per_token = 0;
};

std::vector<KernelWork> expert_layer(const ExpertShape& shape) {
  const StepContext at{
      .step = 0,
      .routed = {.pairs = shape.pairs, .tokens = shape.tokens, .experts_hit = shape.experts_hit}};
  return {
      row_wise(RowFunction::top_k, shape.tokens, shape.experts, 2 * shape.per_token),
      kernel_work(GroupedGemm{.n = 2 * shape.width, .k = shape.hidden, .weights = shape.weights},
                  at),
      row_wise(RowFunction::gated_activation, shape.pairs, 2 * shape.width, shape.width),
      kernel_work(GroupedGemm{.n = shape.hidden, .k = shape.width, .weights = shape.weights}, at),
      row_wise(
          RowFunction::weighted_sum, shape.tokens, shape.per_token * shape.hidden, shape.hidden)};
}

/// Kernel of an operator by the names of LLMServingSim and vidur; none for those that are not
/// modelled. Norms of LLMServingSim's tables have the residual addition fused.
std::optional<KernelWork> operator_work(const std::string& name,
                                        const LayerShape& shape,
                                        std::int64_t tokens,
                                        bool fused_norm) {
  const auto q = shape.heads * shape.head_size;
  const auto kv = shape.kv_heads * shape.head_size;
  const auto into = shape.gated ? 2 * shape.ffn : shape.ffn;
  const auto gemm = [&](std::int64_t n, std::int64_t k) { return product(tokens, n, k); };
  const auto rows = [&](RowFunction function, std::int64_t read, std::int64_t written) {
    return row_wise(function, tokens, read, written);
  };
  const auto one_row = fused_norm ? 2 * shape.hidden : shape.hidden;
  if (name == "qkv_proj" || name == "attn_pre_proj") {
    return gemm(q + 2 * kv, shape.hidden);
  }
  if (name == "q_proj") {
    return gemm(q, shape.hidden);
  }
  if (name == "k_proj" || name == "v_proj") {
    return gemm(kv, shape.hidden);
  }
  if (name == "o_proj" || name == "attn_post_proj") {
    return gemm(shape.hidden, q);
  }
  if (name == "gate_up_proj" || name == "mlp_up_proj") {
    return gemm(into, shape.hidden);
  }
  if (name == "gate_proj" || name == "up_proj") {
    return gemm(shape.ffn, shape.hidden);
  }
  if (name == "down_proj" || name == "mlp_down_proj") {
    return gemm(shape.hidden, shape.ffn);
  }
  if (name == "lm_head") {
    return gemm(shape.vocabulary / shape.shards, shape.hidden);
  }
  if (name == "layernorm" || name == "final_layernorm" || name == "input_layernorm" ||
      name == "post_attention_layernorm") {
    return rows(RowFunction::norm, one_row, one_row);
  }
  if (name == "qk_norm") {
    return rows(RowFunction::qk_norm, q + kv, q + kv);
  }
  if (name == "rotary_emb" || name == "attn_rope") {
    return rows(RowFunction::rotary, q + kv, q + kv);
  }
  if (name == "act_fn" || name == "mlp_act") {
    return rows(RowFunction::gated_activation, into, shape.ffn);
  }
  if (name == "add") {
    return rows(RowFunction::residual_add, 2 * shape.hidden, shape.hidden);
  }
  if (name == "embedding" || name == "emb") {
    return rows(RowFunction::embedding, shape.hidden, shape.hidden);
  }
  if (name == "sampler") {
    return rows(RowFunction::sampling, shape.vocabulary, 1);
  }
  return std::nullopt;
}

/// Reads one table; names of GPUs and models are looked up once each.
class Reader {
public:
  explicit Reader(const std::filesystem::path& path)
      : file_{path.filename().string()}, table_{CsvTable::read(path)} {}

  std::vector<OperatorTime> read() {
    const auto has = [this](std::initializer_list<const char*> columns) {
      return std::all_of(columns.begin(), columns.end(), [this](const char* column) {
        return table_.has_column(column);
      });
    };
    for (row_ = 0; row_ < table_.rows(); ++row_) {
      if (has({"system", "dtype", "m", "n", "k", "latency_us"})) {
        read_product();
      } else if (has({"system", "batch", "num_heads", "num_kv_heads", "kv_len", "latency_us"})) {
        read_attention();
      } else if (has({"system", "hidden", "inter", "topk", "moe_tp", "moe_ep", "latency_us"})) {
        read_experts();
      } else if (has({"hardware", "model", "tp", "tokens", "time_us"}) &&
                 (has({"op"}) || has({"layer"}))) {
        read_model_operator();
      } else if (has({"gpu", "n_embd", "n_head", "tp", "num_tokens", "mlp_up_proj_ms"})) {
        read_vidur_layer();
      } else if (has({"n_embd", "n_q_head", "batch_size", "kv_cache_size", "median_ms"})) {
        read_vidur_attention();
      } else {
        throw InputError::at(file_,
                             "has not the columns of a table of kernels",
                             "docs/formats.md lists those that are known");
      }
    }
    return std::move(times_);
  }

private:
  [[nodiscard]] std::int64_t whole(const std::string& column) const {
    return static_cast<std::int64_t>(table_.number(row_, column));
  }

  /// What a row has where it is not just a kernel and its time.
  struct Detail {
    std::string shape;
    KernelClass operation = KernelClass::gemm;
    std::vector<KernelWork> work;
    double microseconds = 0;
    double rows = 0;
    Bytes repeated;
    std::string reason;
  };

  void add(const std::string& gpu, const Detail& detail) {
    OperatorTime time{.id = table_.where(row_) + ": " + detail.shape,
                      .gpu = preset_of(gpu),
                      .reason = detail.reason,
                      .operation = detail.operation,
                      .work = detail.work,
                      .measured = Seconds{detail.microseconds * 1e-6},
                      .rows = detail.rows,
                      .repeated = detail.repeated};
    if (time.gpu.empty() && time.reason.empty()) {
      time.reason = "no GPU preset is known as \"" + gpu + "\"";
    }
    times_.push_back(std::move(time));
  }

  std::string preset_of(std::string gpu) {
    std::replace(gpu.begin(), gpu.end(), '_', ' ');
    if (const auto known = gpus_.find(gpu); known != gpus_.end()) {
      return known->second;
    }
    return gpus_[gpu] = gpu_preset_for(gpu).value_or("");
  }

  void read_product() {
    const bool fp8 = table_.text(row_, "dtype").starts_with("fp8");
    const Gemm gemm{.m = whole("m"),
                    .n = whole("n"),
                    .k = whole("k"),
                    .weights = fp8 ? DataType::fp8 : DataType::bf16};
    add(table_.text(row_, "system"),
        {.shape = "m " + std::to_string(gemm.m) + ", n " + std::to_string(gemm.n) + ", k " +
                  std::to_string(gemm.k) + (fp8 ? ", fp8" : ""),
         .operation = fp8 ? KernelClass::gemm_fp8 : KernelClass::gemm,
         .work = {kernel_work(gemm)},
         .microseconds = table_.number(row_, "latency_us"),
         .rows = static_cast<double>(gemm.m),
         .repeated = static_cast<double>(gemm.n) * static_cast<double>(gemm.k) *
                     element_bytes(gemm.weights)});
  }

  void read_attention() {
    const LayerShape shape{.heads = whole("num_heads"),
                           .kv_heads = whole("num_kv_heads"),
                           .head_size = whole("head_dim")};
    add_attention(table_.text(row_, "system"),
                  shape,
                  whole("batch"),
                  whole("kv_len"),
                  table_.number(row_, "latency_us"),
                  true);
  }

  void add_attention(const std::string& gpu,
                     const LayerShape& shape,
                     std::int64_t sequences,
                     std::int64_t context,
                     double microseconds,
                     bool repeated) {
    const Bytes cache{4.0 * static_cast<double>(sequences * context) *
                      static_cast<double>(shape.kv_heads * shape.head_size)};
    add(gpu,
        {.shape = "batch " + std::to_string(sequences) + ", context " + std::to_string(context) +
                  ", heads " + std::to_string(shape.heads) + "/" + std::to_string(shape.kv_heads),
         .operation = KernelClass::attention_decode,
         .work = {decode_attention(shape, sequences, context)},
         .microseconds = microseconds,
         .rows = static_cast<double>(sequences),
         .repeated = repeated ? cache : Bytes{}});
  }

  void read_experts() {
    const auto experts = table_.number(row_, "num_experts");
    const auto per_token = table_.number(row_, "topk");
    const auto tokens = table_.number(row_, "num_tokens");
    const auto ranks = table_.number(row_, "moe_ep");
    const auto own = experts / ranks;
    // Balanced routing spreads pairs over as many experts as there are; other tables draw them.
    const auto hit = table_.text(row_, "distribution") == "balanced"
                         ? std::min(own, tokens * per_token / ranks)
                         : own * (1.0 - std::pow(1.0 - per_token / experts, tokens));
    const bool fp8 = table_.text(row_, "dtype").starts_with("fp8");
    const ExpertShape shape{
        .hidden = whole("hidden"),
        .width = whole("inter") / whole("moe_tp"),
        .weights = fp8 ? DataType::fp8 : DataType::bf16,
        .tokens = whole("num_tokens"),
        .pairs = static_cast<std::int64_t>(std::max(1.0, std::round(tokens * per_token / ranks))),
        .experts = static_cast<int>(experts),
        .experts_hit = static_cast<int>(std::max(1.0, std::round(hit))),
        .per_token = whole("topk")};
    add(table_.text(row_, "system"),
        {.shape = "experts " + table_.text(row_, "topk") + " of " +
                  table_.text(row_, "num_experts") + ", " + table_.text(row_, "hidden") + " x " +
                  std::to_string(shape.width) + (fp8 ? ", fp8" : "") + ", tokens " +
                  table_.text(row_, "num_tokens"),
         .operation = KernelClass::grouped_gemm,
         .work = expert_layer(shape),
         .microseconds = table_.number(row_, "latency_us"),
         .rows = tokens,
         .repeated = 3.0 * static_cast<double>(shape.hidden * shape.width * shape.experts_hit) *
                     element_bytes(shape.weights)});
  }

  void read_model_operator() {
    const auto& name = table_.text(row_, table_.has_column("op") ? "op" : "layer");
    const auto& model = table_.text(row_, "model");
    const auto tokens = whole("tokens");
    const auto microseconds = table_.number(row_, "time_us");
    const auto& gpu = table_.text(row_, "hardware");
    const auto shape = shape_of(model, whole("tp"));
    const auto what = name + " of " + model + ", tp " + table_.text(row_, "tp") + ", tokens " +
                      std::to_string(tokens);
    if (!shape) {
      add(gpu, {.shape = what, .reason = "no model preset is known as \"" + model + "\""});
    } else if (name == "attention_decode") {
      add_attention(gpu, *shape, tokens, whole("kv_len"), microseconds, false);
    } else if (name == "moe" && shape->experts_per_token > 0) {
      add(gpu,
          {.shape = what,
           .operation = KernelClass::grouped_gemm,
           .work = expert_layer({.hidden = shape->hidden,
                                 .width = shape->expert_ffn,
                                 .tokens = tokens,
                                 .pairs = tokens * shape->experts_per_token,
                                 .experts = 128,
                                 .experts_hit = static_cast<int>(whole("activated_experts")),
                                 .per_token = shape->experts_per_token}),
           .microseconds = microseconds,
           .rows = static_cast<double>(tokens)});
    } else if (const auto work = operator_work(name, *shape, tokens, true)) {
      add(gpu,
          {.shape = what,
           .operation = work->kernel_class,
           .work = {*work},
           .microseconds = microseconds,
           .rows = static_cast<double>(tokens)});
    } else {
      add(gpu, {.shape = what, .reason = "operator \"" + name + "\" is not modelled"});
    }
  }

  std::optional<LayerShape> shape_of(const std::string& name, std::int64_t tp) {
    if (!models_.contains(name)) {
      const auto preset = model_preset_for(name);
      models_[name] =
          preset ? std::optional{find_model(*preset, table_.where(row_))} : std::nullopt;
    }
    const auto& model = models_[name];
    if (!model) {
      return std::nullopt;
    }
    return LayerShape{.hidden = model->hidden_size,
                      .heads = model->heads / tp,
                      .kv_heads = std::max<std::int64_t>(1, model->kv_heads / tp),
                      .head_size = model->head_size,
                      .ffn = model->ffn_size / tp,
                      .vocabulary = model->vocabulary_size,
                      .shards = tp,
                      .gated = model->gated_ffn,
                      .experts_per_token = model->moe ? model->moe->experts_per_token : 0,
                      .expert_ffn = model->moe ? model->moe->expert_ffn_size / tp : 0};
  }

  void read_vidur_layer() {
    const auto tp = whole("tp");
    const auto tokens = whole("num_tokens");
    const LayerShape shape{.hidden = whole("n_embd"),
                           .heads = whole("n_head") / tp,
                           .kv_heads = std::max<std::int64_t>(1, whole("n_kv_head") / tp),
                           .head_size = whole("n_embd") / whole("n_head"),
                           .ffn = whole("n_expanded_embd") / tp,
                           .vocabulary = whole("vocab_size"),
                           .shards = tp,
                           .gated = table_.text(row_, "use_gated_mlp") == "True"};
    for (const auto* name : {"emb",
                             "input_layernorm",
                             "attn_pre_proj",
                             "attn_rope",
                             "attn_post_proj",
                             "post_attention_layernorm",
                             "mlp_up_proj",
                             "mlp_act",
                             "mlp_down_proj",
                             "add"}) {
      const auto milliseconds = table_.number_or(row_, std::string{name} + "_ms", 0.0);
      const auto work = operator_work(name, shape, tokens, false);
      if (milliseconds > 0.0 && work) {
        add(table_.text(row_, "gpu"),
            {.shape = std::string{name} + " of " + table_.text(row_, "model") + ", tp " +
                      std::to_string(tp) + ", tokens " + std::to_string(tokens),
             .operation = work->kernel_class,
             .work = {*work},
             .microseconds = milliseconds * 1e3,
             .rows = static_cast<double>(tokens)});
      }
    }
  }

  /// The GPU is named by the file alone: vidur_attention_a100.csv.
  void read_vidur_attention() {
    const auto stem = std::filesystem::path{file_}.stem().string();
    const auto tp = whole("tp");
    const LayerShape shape{.heads = whole("n_q_head") / tp,
                           .kv_heads = std::max<std::int64_t>(1, whole("n_kv_head") / tp),
                           .head_size = whole("n_embd") / whole("n_q_head")};
    add_attention(stem.substr(stem.rfind('_') + 1),
                  shape,
                  whole("batch_size"),
                  whole("kv_cache_size"),
                  table_.number(row_, "median_ms") * 1e3,
                  true);
  }

  std::string file_;
  CsvTable table_;
  std::size_t row_ = 0;
  std::map<std::string, std::string> gpus_;
  std::map<std::string, std::optional<Model>> models_;
  std::vector<OperatorTime> times_;
};

} // namespace

std::filesystem::path kernel_tables() { return data_root() / "validation" / "data" / "kernels"; }

std::vector<OperatorTime> read_operators(const std::filesystem::path& path) {
  if (const auto text = read_text(path); looks_like_run_file(text)) {
    return probe_operators(parse_run_file(text, path.string()), path.filename().string());
  }
  return Reader{path}.read();
}

bool tells_about_memory(const OperatorTime& row, const Gpu& gpu) {
  const auto cache = gpu.l2_cache.value;
  return row.repeated > cache || row.repeated < cache / 32.0;
}

} // namespace decodesim
