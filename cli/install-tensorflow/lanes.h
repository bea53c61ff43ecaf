/** 16 floats at a time, activations of them, and threads: what kernels.cc and tiles.cc share. */
#pragma once
#include <cstdint>
#include <cstring>
#include <functional>

#define INLINE inline __attribute__((always_inline))

namespace spexlens {

constexpr int64_t kLanes = 16;
typedef float Floats __attribute__((vector_size(64)));
typedef int32_t Ints __attribute__((vector_size(64)));

INLINE Floats load(const float* at) {
  Floats x;
  std::memcpy(&x, at, sizeof x);
  return x;
}
INLINE void store(float* at, Floats x) { std::memcpy(at, &x, sizeof x); }
INLINE Floats all(float value) { return value - Floats{}; }

/** exp(x) to 2 ulp: 2^n · p(r), x = n ln 2 + r, |r| <= ln 2 / 2, p of degree 6 by Taylor. NaN stays; below -87 it is 0. */
INLINE Floats exponential(Floats x) {
  const Floats low = all(-87.0f), high = all(88.0f);
  const Ints tiny = x < low;
  x = x < low ? low : x;
  x = x > high ? high : x;
  const Floats round = all(12582912.0f);  // 1.5 · 2^23: adding it rounds to whole numbers
  const Floats n = (x * 1.44269504f + round) - round;
  const Floats r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Floats p = all(1.0f / 720);
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const Ints bits = (__builtin_convertvector(n, Ints) + 127) << 23;
  Floats scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return tiny ? Floats{} : p * scale;
}

/** erfc(z), z >= 0, to 1.2e-7 of it: Press et al., Numerical Recipes, section 6.2. */
INLINE Floats complement(Floats z) {
  const Floats t = 1.0f / (1.0f + 0.5f * z);
  Floats p = all(0.17087277f);
  p = p * t - 0.82215223f;
  p = p * t + 1.48851587f;
  p = p * t - 1.13520398f;
  p = p * t + 0.27886807f;
  p = p * t - 0.18628806f;
  p = p * t + 0.09678418f;
  p = p * t + 0.37409196f;
  p = p * t + 1.00002368f;
  p = p * t - 1.26551223f;
  return t * exponential(p - z * z);
}

enum Activation : int64_t { kNone, kRelu, kSilu, kGelu, kGeluNew };  // the order of ACTIVATIONS in tensorflow-kernels.ts

template <int64_t kind>
INLINE Floats activate(Floats x) {
  switch (kind) {
    case kRelu:
      return x < 0.0f ? Floats{} : x;
    case kSilu:
      return x / (1.0f + exponential(-x));
    case kGelu: {
      const Floats half = complement((x < 0.0f ? -x : x) * 0.70710678f) * 0.5f;  // the share of the normal beyond |x|
      return x * (x < 0.0f ? half : 1.0f - half);
    }
    case kGeluNew:
      return x / (1.0f + exponential(x * (-1.59576912f - 0.0713548162f * x * x)));
    default:
      return x;
  }
}

/** How many threads share() has. Defined in kernels.cc. */
int threads();

/** part over [0, pieces), on several threads when it is worth waking them; `cost` counts a piece's floats. Defined in kernels.cc. */
void share(int64_t pieces, int64_t cost, const std::function<void(int64_t, int64_t)>& part);

}  // namespace spexlens
