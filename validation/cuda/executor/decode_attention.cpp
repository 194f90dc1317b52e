#include "validation/cuda/executor/decode_attention.hpp"

#include "validation/cuda/device_error.hpp"
#include "validation/cuda/kernels/plan_kernels.cuh"

#include <cmath>

namespace decodesim {

namespace {

bool has_split_kernel(const AttentionCall& call) {
  return call.head_size == 32 || call.head_size == 64 || call.head_size == 128 ||
         call.head_size == 256;
}

} // namespace

DecodeAttention::DecodeAttention() {
  int device = 0;
  check(cudaGetDevice(&device), "find the current device");
  check(cudaDeviceGetAttribute(&sm_count_, cudaDevAttrMultiProcessorCount, device),
        "count multiprocessors");
}

AttentionDecode DecodeAttention::with_splits(const AttentionCall& call) const {
  const auto head_stride = std::int64_t{call.head_size};
  const auto token_stride = call.kv_heads * head_stride;
  const auto sequence_stride = call.from.tokens * token_stride;
  const auto first = call.from.first_sequence * sequence_stride;
  AttentionDecode attention{
      .type = call.qkv.type,
      .sequences = static_cast<int>(call.sequences),
      .heads = call.heads,
      .kv_heads = call.kv_heads,
      .head_size = call.head_size,
      .context = static_cast<int>(call.context_tokens),
      .scale = 1.0F / std::sqrt(static_cast<float>(call.head_size)),
      .queries = call.qkv.data,
      .query_stride = (call.heads + 2 * call.kv_heads) * head_stride,
      .keys = address_in(call.from.cache, first),
      .values = address_in(call.from.cache, call.from.sequences * sequence_stride + first),
      .sequence_stride = sequence_stride,
      .head_stride = head_stride,
      .token_stride = token_stride,
      .output = call.out.data};
  attention.splits = attention_decode_splits(attention, sm_count_);
  return attention;
}

void DecodeAttention::prepare(const AttentionCall& call) {
  if (call.query_tokens != 1 || call.sequences == 0 || !has_split_kernel(call)) {
    return;
  }
  sums_.reserve(attention_decode_workspace_bytes(with_splits(call)));
}

void DecodeAttention::run(const AttentionCall& call, cudaStream_t stream) const {
  if (call.sequences == 0) {
    return;
  }
  if (!has_split_kernel(call)) {
    launch_decode_attention(call, stream);
    return;
  }
  auto attention = with_splits(call);
  attention.workspace = sums_.data<float>();
  attention_decode(attention, stream);
}

} // namespace decodesim
