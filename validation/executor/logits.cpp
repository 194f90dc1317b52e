#include "validation/executor/logits.hpp"

#include "validation/executor/stored_elements.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace decodesim {

void LogitsCollector::add(const RankPlace& place,
                          int step,
                          int micro_batch,
                          const SamplingCall& call) {
  const StoredElements logits{call.logits};
  const auto first = place.first_sequence() + place.first_of(micro_batch);
  const std::lock_guard lock{mutex_};
  for (std::int64_t row = 0; row < call.rows; ++row) {
    auto& all = logits_[{first + row, step + 1}];
    all.clear();
    for (std::int64_t token = 0; token < call.vocabulary; ++token) {
      const auto part = token / call.part_columns;
      all.push_back(
          logits.at((part * call.rows + row) * call.part_columns + token % call.part_columns));
    }
  }
}

namespace {

/// The token that is sampled.
std::ptrdiff_t largest_of(const std::vector<float>& logits) {
  return std::max_element(logits.begin(), logits.end()) - logits.begin();
}

} // namespace

double largest_difference(const Logits& a, const Logits& b) {
  constexpr auto apart = std::numeric_limits<double>::infinity();
  double largest = 0;
  double difference = 0;
  std::int64_t other_text = -1; // a sequence that has sampled different tokens
  if (a.size() != b.size()) {
    return apart;
  }
  for (auto left = a.begin(), right = b.begin(); left != a.end(); ++left, ++right) {
    if (left->first != right->first || left->second.size() != right->second.size()) {
      return apart;
    }
    const auto sequence = left->first.first;
    for (std::size_t token = 0; token < left->second.size(); ++token) {
      const double gap = std::abs(left->second[token] - right->second[token]);
      if (std::isnan(gap)) {
        return apart;
      }
      if (sequence == other_text) {
        continue;
      }
      largest = std::max<double>(largest, std::abs(left->second[token]));
      difference = std::max(difference, gap);
    }
    if (largest_of(left->second) != largest_of(right->second)) {
      other_text = sequence;
    }
  }
  return largest > 0 ? difference / largest : difference;
}

double logits_tolerance(const Precision& precision) {
  const auto in_a_byte = [](DataType type) {
    return type == DataType::fp8 || type == DataType::int8;
  };
  if (in_a_byte(precision.weights) || in_a_byte(precision.expert_weights())) {
    return 0.15;
  }
  return precision.activations() == DataType::fp32 ? 1e-4 : 0.05;
}

std::string packed(const Logits& logits) {
  std::string bytes;
  const auto append = [&bytes](const auto& value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  for (const auto& [place, all] : logits) {
    append(place.first);
    append(place.second);
    append(all.size());
    for (const float one : all) {
      append(one);
    }
  }
  return bytes;
}

Logits unpacked(const std::string& bytes) {
  Logits logits;
  const char* next = bytes.data();
  const auto take = [&next](auto& value) {
    std::memcpy(&value, next, sizeof value);
    next += sizeof value;
  };
  while (next < bytes.data() + bytes.size()) {
    std::int64_t sequence = 0;
    int pass = 0;
    std::size_t count = 0;
    take(sequence);
    take(pass);
    take(count);
    auto& all = logits[{sequence, pass}];
    all.resize(count);
    for (auto& one : all) {
      take(one);
    }
  }
  return logits;
}

} // namespace decodesim
