#pragma once

#include <cstdint>
#include <initializer_list>
#include <type_traits>

namespace decodesim {

/// N elements that are loaded and stored at once.
template <class T, int N> struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Pack {
  T element[N];
};

template <int N, class T> __device__ inline Pack<T, N> load(const T* from) {
  return *reinterpret_cast<const Pack<T, N>*>(from);
}

template <int N, class T> __device__ inline void store(T* to, const Pack<T, N>& pack) {
  *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

/// Calls `work` with the number of elements that fit into 16 bytes, or with 1 where rows of
/// `columns` elements or their addresses (null ones aside) are no multiples of that.
template <class T, class Work>
void with_pack(std::int64_t columns, std::initializer_list<const void*> addresses, Work work) {
  constexpr int most = 16 / sizeof(T);
  bool fits = columns % most == 0;
  for (const auto* address : addresses) {
    fits = fits && reinterpret_cast<std::uintptr_t>(address) % 16 == 0;
  }
  if (fits) {
    work(std::integral_constant<int, most>{});
  } else {
    work(std::integral_constant<int, 1>{});
  }
}

} // namespace decodesim
