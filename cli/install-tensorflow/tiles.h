/** Products of float32 matrices on a processor's tile unit (tiles.cc): what kernels.cc asks for. */
#pragma once
#include <cstdint>

namespace spexlens {

/** out = act(x · W + b) + residual. */
struct Product {
  const float *x, *w;
  const float *b = nullptr, *residual = nullptr;
  float* out;
  /** x [rows, inner], W [inner, columns] (or, turned, its transpose [columns, inner]), out [rows, columns]. */
  int64_t rows, inner, columns;
  bool turned = false;
  /** Row r takes residual row r mod residualRows. */
  int64_t residualRows = 1;
  int64_t activation = 0;
  /** bfloat16 parts that a float32 is taken as: 3 keep all its bits, 2 keep 16, 1 keeps 8. */
  int64_t parts = 3;
  /**
   * [rows / span, heads] of 0 and 1, or null. With intoHeads the columns are those of `heads` heads, and where a head is 0 the result is
   * zero; else the inner numbers are, and where a head is 0 those of x count as zero.
   */
  const int32_t* live = nullptr;
  int64_t span = 1, heads = 1;
  bool intoHeads = false;
  /** Names the numbers of x, where it is not 0: products in a row of one name find x in parts already. */
  int64_t name = 0;
};

/** Whether this processor has such a unit, the system lets us use it, and the compiler knew it. */
bool hasTiles();

/** Computes it, on several threads. Only where hasTiles(). */
void multiplyOnTiles(const Product& product);

}  // namespace spexlens
