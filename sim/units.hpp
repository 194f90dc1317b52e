#pragma once

#include <compare>

/// Quantities with their dimension in the type: `Bytes / BytesPerSecond` is `Seconds`, and
/// `Seconds t = Bytes{1} / FlopPerSecond{1}` does not compile.
///
/// Base units are the second, the byte and the floating-point operation (flop). `value()` gives the
/// number in base units; it is meant for the edges only (the SimGrid adapter, JSON, printing).
namespace decodesim {

template <int SecondExponent, int ByteExponent, int FlopExponent> class Quantity {
public:
  constexpr Quantity() = default;

  constexpr explicit Quantity(double value) : value_{value} {}

  [[nodiscard]] constexpr double value() const { return value_; }

  constexpr auto operator<=>(const Quantity&) const = default; // NOLINT(modernize-use-nullptr)

  constexpr Quantity& operator+=(Quantity other) {
    value_ += other.value_;
    return *this;
  }

  constexpr Quantity& operator-=(Quantity other) {
    value_ -= other.value_;
    return *this;
  }

  friend constexpr Quantity operator+(Quantity a, Quantity b) { return a += b; }

  friend constexpr Quantity operator-(Quantity a, Quantity b) { return a -= b; }

  friend constexpr Quantity operator*(Quantity a, double factor) {
    return Quantity{a.value_ * factor};
  }

  friend constexpr Quantity operator*(double factor, Quantity a) { return a * factor; }

  friend constexpr Quantity operator/(Quantity a, double divisor) {
    return Quantity{a.value_ / divisor};
  }

private:
  double value_ = 0.0;
};

template <int S1, int B1, int F1, int S2, int B2, int F2>
[[nodiscard]] constexpr auto operator*(Quantity<S1, B1, F1> a, Quantity<S2, B2, F2> b) {
  if constexpr (S1 + S2 == 0 && B1 + B2 == 0 && F1 + F2 == 0) {
    return a.value() * b.value();
  } else {
    return Quantity<S1 + S2, B1 + B2, F1 + F2>{a.value() * b.value()};
  }
}

template <int S1, int B1, int F1, int S2, int B2, int F2>
[[nodiscard]] constexpr auto operator/(Quantity<S1, B1, F1> a, Quantity<S2, B2, F2> b) {
  if constexpr (S1 == S2 && B1 == B2 && F1 == F2) {
    return a.value() / b.value();
  } else {
    return Quantity<S1 - S2, B1 - B2, F1 - F2>{a.value() / b.value()};
  }
}

using Seconds = Quantity<1, 0, 0>;
using Bytes = Quantity<0, 1, 0>;
using Flop = Quantity<0, 0, 1>;
using BytesPerSecond = Quantity<-1, 1, 0>;
using FlopPerSecond = Quantity<-1, 0, 1>;
using FlopPerByte = Quantity<0, -1, 1>;

/// Units that people quote. `G` is 1e9 and `Gi` is 2^30; `B` is byte and `b` is bit.
namespace literals {
constexpr Seconds operator""_s(long double v) { return Seconds{static_cast<double>(v)}; }

constexpr Seconds operator""_ms(long double v) { return Seconds{static_cast<double>(v) * 1e-3}; }

constexpr Seconds operator""_us(long double v) { return Seconds{static_cast<double>(v) * 1e-6}; }

constexpr Bytes operator""_B(unsigned long long v) { return Bytes{static_cast<double>(v)}; }

constexpr Bytes operator""_GB(long double v) { return Bytes{static_cast<double>(v) * 1e9}; }

constexpr Bytes operator""_GiB(long double v) {
  return Bytes{static_cast<double>(v) * 1073741824.0};
}

constexpr BytesPerSecond operator""_GBps(long double v) {
  return BytesPerSecond{static_cast<double>(v) * 1e9};
}

constexpr BytesPerSecond operator""_Gbps(long double v) {
  return BytesPerSecond{static_cast<double>(v) * 1.25e8};
}

constexpr FlopPerSecond operator""_TFLOPs(long double v) {
  return FlopPerSecond{static_cast<double>(v) * 1e12};
}
} // namespace literals

} // namespace decodesim
