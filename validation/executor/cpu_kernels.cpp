#include "sim/error.hpp"
#include "validation/executor/cpu_device.hpp"
#include "validation/executor/stored_elements.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace decodesim {

namespace {

using Index = std::int64_t;

/// Epsilon of norms and base of rotary embeddings: Llama's.
constexpr float norm_epsilon = 1e-5F;
constexpr float rotary_base = 10'000.0F;

void compute(const ProductCall& call) {
  const StoredElements x{call.x};
  const StoredElements w{call.w};
  StoredElements y{call.y};
  for (Index row = 0; row < call.m; ++row) {
    const auto from = (call.rows.first + row * call.rows.step) * call.k;
    for (Index out = 0; out < call.n; ++out) {
      float sum = call.bias ? StoredElements{*call.bias}.at(out) : 0.0F;
      for (Index in = 0; in < call.k; ++in) {
        sum += x.at(from + in) * w.at(out * call.k + in);
      }
      y.set(row * call.n + out, sum);
    }
  }
}

void compute(const NormCall& call) {
  const StoredElements x{call.x};
  const StoredElements weight{call.weight};
  StoredElements y{call.y};
  const bool centred = call.kind != NormKind::rms_norm;
  const auto columns = static_cast<float>(call.columns);
  std::vector<float> row(static_cast<std::size_t>(call.columns));
  for (Index r = 0; r < call.rows; ++r) {
    const auto from = (call.chosen.first + r * call.chosen.step) * call.columns;
    float mean = 0;
    for (Index c = 0; c < call.columns; ++c) {
      auto& value = row[static_cast<std::size_t>(c)];
      value = x.at(from + c) + (call.added ? StoredElements{*call.added}.at(from + c) : 0.0F);
      mean += value / columns;
    }
    if (call.sum) {
      StoredElements sum{*call.sum};
      for (Index c = 0; c < call.columns; ++c) {
        sum.set(r * call.columns + c, row[static_cast<std::size_t>(c)]);
      }
    }
    mean = centred ? mean : 0.0F;
    float square = 0;
    for (const float value : row) {
      square += (value - mean) * (value - mean) / columns;
    }
    const float scale = 1.0F / std::sqrt(square + norm_epsilon);
    for (Index c = 0; c < call.columns; ++c) {
      const float bias = call.kind == NormKind::layer_norm ? weight.at(call.columns + c) : 0.0F;
      y.set(r * call.columns + c,
            (row[static_cast<std::size_t>(c)] - mean) * scale * weight.at(c) + bias);
    }
  }
}

void compute(const HeadNormCall& call) {
  StoredElements qkv{call.qkv};
  const StoredElements weight{call.weight};
  for (Index r = 0; r < call.rows; ++r) {
    for (int head = 0; head < call.heads; ++head) {
      const auto from = r * call.row_columns + Index{head} * call.head_size;
      float square = 0;
      for (int i = 0; i < call.head_size; ++i) {
        square += qkv.at(from + i) * qkv.at(from + i) / static_cast<float>(call.head_size);
      }
      const float scale = 1.0F / std::sqrt(square + norm_epsilon);
      const int row = call.per_head ? head : head < call.query_heads ? 0 : 1;
      for (int i = 0; i < call.head_size; ++i) {
        qkv.set(from + i, qkv.at(from + i) * scale * weight.at(Index{row} * call.head_size + i));
      }
    }
  }
}

Index cache_index(const CachePlace& place,
                  int which,
                  Index sequence,
                  Index token,
                  int kv_heads,
                  int head,
                  int head_size) {
  return ((((which * place.sequences + place.first_sequence + sequence) * place.tokens + token) *
               kv_heads +
           head) *
          head_size);
}

void compute(const CacheWriteCall& call) {
  StoredElements qkv{call.qkv};
  StoredElements cache{call.to.cache};
  const Index width = Index{call.heads + 2 * call.kv_heads} * call.head_size;
  const int half = call.head_size / 2;
  for (Index r = 0; r < call.rows; ++r) {
    const auto sequence = r / call.query_tokens;
    const auto position = call.first_position + r % call.query_tokens;
    for (int head = 0; call.rotates && head < call.heads + call.kv_heads; ++head) {
      const auto from = r * width + Index{head} * call.head_size;
      for (int i = 0; i < half; ++i) {
        const float angle =
            static_cast<float>(position) *
            std::pow(rotary_base,
                     -2.0F * static_cast<float>(i) / static_cast<float>(call.head_size));
        const float a = qkv.at(from + i);
        const float b = qkv.at(from + half + i);
        qkv.set(from + i, a * std::cos(angle) - b * std::sin(angle));
        qkv.set(from + half + i, b * std::cos(angle) + a * std::sin(angle));
      }
    }
    for (int which = 0; which < 2; ++which) {
      for (int head = 0; head < call.kv_heads; ++head) {
        const auto from =
            r * width + (Index{call.heads} + which * call.kv_heads + head) * call.head_size;
        const auto to =
            cache_index(call.to, which, sequence, position, call.kv_heads, head, call.head_size);
        for (int i = 0; i < call.head_size; ++i) {
          cache.set(to + i, qkv.at(from + i));
        }
      }
    }
  }
}

void compute(const AttentionCall& call) {
  const StoredElements qkv{call.qkv};
  const StoredElements cache{call.from.cache};
  StoredElements out{call.out};
  const Index width = Index{call.heads + 2 * call.kv_heads} * call.head_size;
  const float scale = 1.0F / std::sqrt(static_cast<float>(call.head_size));
  std::vector<float> score;
  for (Index r = 0; r < call.sequences * call.query_tokens; ++r) {
    const auto sequence = r / call.query_tokens;
    const auto attended = call.context_tokens - call.query_tokens + 1 + r % call.query_tokens;
    for (int head = 0; head < call.heads; ++head) {
      const int kv_head = head / (call.heads / call.kv_heads);
      const auto at = [&](int which, Index token) {
        return cache_index(
            call.from, which, sequence, token, call.kv_heads, kv_head, call.head_size);
      };
      score.assign(static_cast<std::size_t>(attended), 0.0F);
      float largest = -std::numeric_limits<float>::infinity();
      for (Index token = 0; token < attended; ++token) {
        auto& one = score[static_cast<std::size_t>(token)];
        for (int i = 0; i < call.head_size; ++i) {
          one += qkv.at(r * width + Index{head} * call.head_size + i) * cache.at(at(0, token) + i) *
                 scale;
        }
        largest = std::max(largest, one);
      }
      float sum = 0;
      for (auto& one : score) {
        one = std::exp(one - largest);
        sum += one;
      }
      for (int i = 0; i < call.head_size; ++i) {
        float value = 0;
        for (Index token = 0; token < attended; ++token) {
          value += score[static_cast<std::size_t>(token)] / sum * cache.at(at(1, token) + i);
        }
        out.set((r * call.heads + head) * call.head_size + i, value);
      }
    }
  }
}

void compute(const ActivationCall& call) {
  const StoredElements in{call.in};
  StoredElements out{call.out};
  for (Index r = 0; r < call.rows; ++r) {
    for (Index c = 0; c < call.columns; ++c) {
      if (call.gated) {
        const float gate = in.at(r * 2 * call.columns + c);
        const float up = in.at((r * 2 + 1) * call.columns + c);
        out.set(r * call.columns + c, gate / (1.0F + std::exp(-gate)) * up);
      } else {
        const float x = in.at(r * call.columns + c);
        out.set(r * call.columns + c, 0.5F * x * (1.0F + std::erf(x / std::sqrt(2.0F))));
      }
    }
  }
}

void compute(const SumCall& call) {
  const StoredElements left{call.in[0]};
  const StoredElements right{call.in[1]};
  StoredElements out{call.out};
  for (Index r = 0; r < call.rows; ++r) {
    const float scale =
        call.gate ? 1.0F / (1.0F + std::exp(-StoredElements{*call.gate}.at(r))) : 1.0F;
    for (Index i = r * call.columns; i < (r + 1) * call.columns; ++i) {
      out.set(i, left.at(i) * scale + right.at(i));
    }
  }
}

void compute(const TopKCall& call) {
  StoredElements out{call.out};
  for (Index r = 0; r < call.rows; ++r) {
    for (int i = 0; i < call.k; ++i) {
      const auto expert = call.tables->chosen[r * call.k + i];
      out.set(r * 2 * call.k + i, static_cast<float>(expert));
      out.set((r * 2 + 1) * call.k + i, 1.0F / static_cast<float>(call.k));
    }
  }
}

void compute(const GroupedProductCall& call) {
  const StoredElements w{call.w};
  StoredElements y{call.y};
  const auto& rows = call.tables->rows;
  Index pair = 0;
  for (std::size_t slot = 0; slot < rows.slot_rows.size(); ++slot) {
    for (Index last = pair + rows.slot_rows[slot]; pair < last; ++pair) {
      const Index source = call.second ? pair : call.tables->sources[pair];
      const bool own = call.second || source < rows.tokens;
      const StoredElements x{own ? call.own.value() : call.received.value()};
      const auto from = (own ? source : source - rows.tokens) * call.k;
      for (Index out = 0; out < call.n; ++out) {
        const auto first = static_cast<Index>(slot) * call.n + out;
        float sum = call.bias ? StoredElements{*call.bias}.at(first) : 0.0F;
        for (Index in = 0; in < call.k; ++in) {
          sum += x.at(from + in) * w.at(first * call.k + in);
        }
        y.set(pair * call.n + out, sum);
      }
    }
  }
}

void compute(const ExpertSumCall& call) {
  const StoredElements rows{call.rows};
  const auto& table = call.tables->rows;
  for (Index token = 0; token < table.tokens + table.received; ++token) {
    const bool own = token < table.tokens;
    StoredElements out{own ? call.own.value() : call.received.value()};
    for (Index c = 0; c < call.columns; ++c) {
      float sum = 0;
      for (Index i = call.tables->sum_begin[token]; i < call.tables->sum_begin[token + 1]; ++i) {
        sum += rows.at(call.tables->sum_pairs[i] * call.columns + c) / static_cast<float>(call.k);
      }
      out.set((own ? token : token - table.tokens) * call.columns + c, sum);
    }
  }
}

void compute(const CombineSumCall& call) {
  const StoredElements returned{call.returned};
  StoredElements sums{call.sums};
  for (Index token = 0; token < call.tables->rows.tokens; ++token) {
    for (Index c = 0; c < call.columns; ++c) {
      float sum = sums.at(token * call.columns + c);
      for (Index i = call.tables->returned_begin[token]; i < call.tables->returned_begin[token + 1];
           ++i) {
        sum += returned.at(call.tables->returned_rows[i] * call.columns + c);
      }
      sums.set(token * call.columns + c, sum);
    }
  }
}

void compute(const PackRowsCall& call) {
  const StoredElements x{call.x};
  StoredElements out{call.out};
  for (Index row = 0; row < static_cast<Index>(call.tables->rows.sent_tokens.size()); ++row) {
    for (Index c = 0; c < call.columns; ++c) {
      out.set(row * call.columns + c, x.at(call.tables->sent_tokens[row] * call.columns + c));
    }
  }
}

void compute(const EmbeddingCall& call) {
  const StoredElements tokens{call.tokens};
  const StoredElements table{call.table};
  StoredElements out{call.out};
  for (Index r = 0; r < call.rows; ++r) {
    const Index row = tokens.id_at(r) - call.first_token;
    const bool here = row >= 0 && row < call.table_rows;
    const auto position = call.first_position + r % call.query_tokens;
    for (Index c = 0; c < call.columns; ++c) {
      const float learned =
          call.positions ? StoredElements{*call.positions}.at(position * call.columns + c) : 0.0F;
      out.set(r * call.columns + c, (here ? table.at(row * call.columns + c) : 0.0F) + learned);
    }
  }
}

void compute(const SamplingCall& call) {
  const StoredElements logits{call.logits};
  StoredElements sampled{call.sampled};
  for (Index r = 0; r < call.rows; ++r) {
    Index best = 0;
    float largest = -std::numeric_limits<float>::infinity();
    for (Index token = 0; token < call.vocabulary; ++token) {
      const float logit =
          logits.at(((token / call.part_columns) * call.rows + r) * call.part_columns +
                    token % call.part_columns);
      if (logit > largest) {
        largest = logit;
        best = token;
      }
    }
    sampled.set_id(r, static_cast<std::int32_t>(best));
    if (call.next_tokens) {
      StoredElements{*call.next_tokens}.set_id(r, static_cast<std::int32_t>(best));
    }
  }
}

void compute(const CopyCall&) {} // every element stays as it is

} // namespace

void compute_on_cpu(const KernelCall& call) {
  std::visit([](const auto& one) { compute(one); }, call);
}

} // namespace decodesim
