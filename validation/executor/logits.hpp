#pragma once

#include "validation/executor/plan_executor.hpp"

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace decodesim {

/// Logits of a run: of each sequence (numbered over the whole batch) in each pass (0 = prefill,
/// then decode steps) those of the whole vocabulary.
using Logits = std::map<std::pair<std::int64_t, int>, std::vector<float>>;

/// Collects what the ranks of one process sample from, for ExecutorOptions::on_logits.
class LogitsCollector {
public:
  /// @param call  of logits in the host's memory
  void add(const RankPlace& place, int step, int micro_batch, const SamplingCall& call);

  [[nodiscard]] const Logits& logits() const { return logits_; }

private:
  std::mutex mutex_;
  Logits logits_;
};

/// Largest difference of two runs over the largest size of any logit of the first; infinite when
/// they are not of the same sequences, passes and tokens, or when one is not a number. Where the
/// two largest logits of a pass are as near as rounding, runs may sample different tokens: the
/// later passes of that sequence read different text, and are not compared.
[[nodiscard]] double largest_difference(const Logits& a, const Logits& b);

/// How far logits of layouts may be apart. fp32: sums of another order, some units of the last of
/// 24 bits a layer. 16 bits: each of some ten roundings a layer moves an element by up to 2^-9 of
/// its size (bf16). Inputs of products in a byte have 4 bits (fp8 e4m3) or steps of 1/16 (int8):
/// such a rounding moves some of them to the next number.
[[nodiscard]] double logits_tolerance(const Precision& precision);

/// As bytes, to be sent from process to process.
[[nodiscard]] std::string packed(const Logits& logits);
[[nodiscard]] Logits unpacked(const std::string& bytes);

} // namespace decodesim
