/**
 * Products of float32 matrices on AMX: the unit of Intel's server processors (since Sapphire Rapids) that multiplies tiles of bfloat16
 * and adds in float32, sixteen times as much a cycle as AVX-512.
 *
 * A float32 is the sum of three bfloat16 of 8 bits each, x = x0 + x1 + x2, so x·w is the sum of x0w0, x0w1, x1w0, x0w2, x1w1, x2w0
 * and of terms below its last bit: with these six the error is that of float32 arithmetic (Henry, Tang, Heinecke, "Leveraging the
 * bfloat16 artificial intelligence datatype for higher-precision computations", ARITH 2019). Two parts, three products, keep 16 bits.
 *
 * x is cut into parts once, tile by tile, and shared by all threads; each thread cuts a panel of W of its own and multiplies it
 * with every tile. An element's sum has one order, whatever rows are beside it.
 */
#include "tiles.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "lanes.h"

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12

#include <cpuid.h>
#include <immintrin.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ON_TILES __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16")))

namespace spexlens {
namespace {

constexpr int64_t kTile = 16;    // rows of a tile of x, and of sums; columns of a tile of W
constexpr int64_t kDepth = 32;   // inner numbers of a tile
constexpr int64_t kBytes = 1024;  // of a tile
constexpr int64_t kPanel = 128;  // columns of W that a thread holds at a time ..
constexpr int64_t kSteps = 32;   // .. and their depth, in tiles: at three parts 0.8 MB, which level 2 holds
constexpr int64_t kGroup = 8;    // tiles of rows that it meets together where heads are left out
constexpr int64_t kShared = 64 << 20;  // bytes of x in parts that are held at a time

bool askForTiles() {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  const bool tiles = (d >> 22 & 1) && (d >> 24 & 1) && (b >> 16 & 1);  // amx-bf16, amx-tile, avx512f
  if (!tiles || !__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a >> 5 & 1)) return false;  // avx512_bf16
  constexpr long kAskForState = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM: fails where the kernel does not keep the state
  return syscall(SYS_arch_prctl, kAskForState, kTileData) == 0;
}

/** Memory that grows and stays, on large pages where there are some. */
class Room {
 public:
  ~Room() { std::free(at_); }
  char* of(int64_t bytes) {
    if (bytes > size_) {
      std::free(at_);
      constexpr int64_t page = 2 << 20;
      size_ = (bytes + page - 1) / page * page;
      at_ = static_cast<char*>(std::aligned_alloc(page, size_));
      if (at_ == nullptr) std::abort();
      madvise(at_, size_, MADV_HUGEPAGE);
    }
    return at_;
  }

 private:
  char* at_ = nullptr;
  int64_t size_ = 0;
};

/** What the compiler must not move over: it does not know which memory the instructions of tiles read and write. */
INLINE void fence() { asm volatile("" ::: "memory"); }

/** 16 bfloat16 as float32. */
ON_TILES INLINE __m512i widened(__m256i x) { return _mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16); }
ON_TILES INLINE __m512 asFloats(__m512i x) { return _mm512_castsi512_ps(x); }

/** The columns [c, columns) as a mask of 16 lanes. */
INLINE __mmask16 lanes(int64_t left) { return left >= kTile ? 0xffff : left <= 0 ? 0 : static_cast<__mmask16>((1 << left) - 1); }

/** 32 floats become `parts` lines of 32 bfloat16, a tile apart. */
template <int64_t parts>
ON_TILES INLINE void cut(__m512 low, __m512 high, char* to) {
  for (int64_t part = 0; part < parts; part++) {
    const __m512i both = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
    _mm512_store_si512(to + part * kBytes, both);
    if (part == parts - 1) break;
    low = _mm512_sub_ps(low, asFloats(widened(_mm512_castsi512_si256(both))));
    high = _mm512_sub_ps(high, asFloats(widened(_mm512_extracti64x4_epi64(both, 1))));
  }
}

/** Which tiles of x, [tiles][steps], have a number that counts; all where there are none. */
struct Flags {
  const uint8_t* at = nullptr;
  int64_t steps = 0;
  const uint8_t* of(int64_t tile) const { return at == nullptr ? nullptr : at + tile * steps; }
};

/** Whether one of the heads that hold numbers [from, to) is on in a row that the tile of rows from `row` on has. */
bool anyLive(const Product& p, int64_t width, int64_t row, int64_t from, int64_t to) {
  const int64_t last = std::min(row + kTile, p.rows) - 1, until = std::min((to - 1) / width, p.heads - 1);
  for (int64_t r = row / p.span; r <= last / p.span; r++)
    for (int64_t h = from / width; h <= until; h++)
      if (p.live[r * p.heads + h] != 0) return true;
  return false;
}

/** Tiles begin..end of x, counted from `first`, in parts: [tile][step][part] of 16 rows by 32 numbers. */
template <int64_t parts>
ON_TILES void packRows(const Product& p, int64_t first, int64_t steps, Flags flags, int64_t begin, int64_t end, char* to) {
  for (int64_t tile = begin; tile < end; tile++) {
    const uint8_t* wanted = flags.of(tile);
    for (int64_t i = 0; i < kTile; i++) {
      const int64_t row = first + tile * kTile + i;
      const float* x = p.x + row * p.inner;
      char* line = to + tile * steps * parts * kBytes + i * 64;
      for (int64_t s = 0; s < steps; s++, line += parts * kBytes) {
        if (wanted != nullptr && wanted[s] == 0) continue;
        const int64_t k = s * kDepth, left = row < p.rows ? p.inner - k : 0;
        const __m512 low = _mm512_maskz_loadu_ps(lanes(left), x + k), high = _mm512_maskz_loadu_ps(lanes(left - kTile), x + k + kTile);
        cut<parts>(low, high, line);
      }
    }
  }
}

/** Two rows of W, 16 columns of each, as `parts` lines of pairs, a tile apart. */
template <int64_t parts>
ON_TILES INLINE void cutPairs(__m512 even, __m512 odd, char* to) {
  for (int64_t part = 0; part < parts; part++) {
    const __m512i low = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(even)));
    const __m512i high = widened(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(odd)));
    _mm512_store_si512(to + part * kBytes, _mm512_or_si512(low, high));
    if (part == parts - 1) break;
    even = _mm512_sub_ps(even, asFloats(_mm512_slli_epi32(low, 16)));
    odd = _mm512_sub_ps(odd, asFloats(high));
  }
}

/** 16 x 16 numbers of 4 bytes, lines 64 bytes apart, are exchanged across the diagonal. */
ON_TILES INLINE void transpose(char* tile) {
  __m512i x[16], y[16];
  for (int i = 0; i < 16; i++) x[i] = _mm512_load_si512(tile + i * 64);
  for (int i = 0; i < 16; i += 2) y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]), y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
  for (int i = 0; i < 16; i += 4) {
    for (int j = 0; j < 2; j++) {
      x[i + 2 * j] = _mm512_unpacklo_epi64(y[i + j], y[i + j + 2]);
      x[i + 2 * j + 1] = _mm512_unpackhi_epi64(y[i + j], y[i + j + 2]);
    }
  }
  for (int j = 0; j < 4; j++) {  // x[4 i + j] holds column 4 q + j of lines 4 i .. 4 i + 3 in its quarter q
    const __m512i a = _mm512_shuffle_i32x4(x[j], x[4 + j], 0x88), b = _mm512_shuffle_i32x4(x[j], x[4 + j], 0xdd);
    const __m512i c = _mm512_shuffle_i32x4(x[8 + j], x[12 + j], 0x88), d = _mm512_shuffle_i32x4(x[8 + j], x[12 + j], 0xdd);
    y[j] = _mm512_shuffle_i32x4(a, c, 0x88), y[8 + j] = _mm512_shuffle_i32x4(a, c, 0xdd);
    y[4 + j] = _mm512_shuffle_i32x4(b, d, 0x88), y[12 + j] = _mm512_shuffle_i32x4(b, d, 0xdd);
  }
  for (int i = 0; i < 16; i++) _mm512_store_si512(tile + i * 64, y[i]);
}

/** `wide` tiles of columns of W from `column` on, steps from `from` on: [column tile][step][part] of 16 pairs of rows by 16 columns. */
template <int64_t parts>
ON_TILES void packPanel(const Product& p, int64_t column, int64_t wide, int64_t from, int64_t steps, char* to) {
  if (p.turned) {
    for (int64_t c = 0; c < wide; c++) {
      for (int64_t s = 0; s < steps; s++) {
        char* tile = to + (c * steps + s) * parts * kBytes;
        for (int64_t i = 0; i < kTile; i++) {
          const int64_t at = column + c * kTile + i, k = (from + s) * kDepth, left = at < p.columns ? p.inner - k : 0;
          const float* w = p.w + at * p.inner + k;
          cut<parts>(_mm512_maskz_loadu_ps(lanes(left), w), _mm512_maskz_loadu_ps(lanes(left - kTile), w + kTile), tile + i * 64);
        }
        for (int64_t part = 0; part < parts; part++) transpose(tile + part * kBytes);
      }
    }
    return;
  }
  for (int64_t s = 0; s < steps; s++) {
    for (int64_t i = 0; i < kTile; i++) {
      const int64_t k = (from + s) * kDepth + 2 * i;
      const float *w = p.w + k * p.columns + column, *later = w + 2 * kTile * p.columns;  // these rows of the next tile
      for (int64_t c = 0; c < wide; c++) {
        if (k + 2 * kTile < p.inner) _mm_prefetch(later + c * kTile, _MM_HINT_T0), _mm_prefetch(later + p.columns + c * kTile, _MM_HINT_T0);
        const __mmask16 some = lanes(p.columns - column - c * kTile);
        const __m512 even = _mm512_maskz_loadu_ps(k < p.inner ? some : 0, w + c * kTile);
        const __m512 odd = _mm512_maskz_loadu_ps(k + 1 < p.inner ? some : 0, w + p.columns + c * kTile);
        cutPairs<parts>(even, odd, to + (c * steps + s) * parts * kBytes + i * 64);
      }
    }
  }
}

/** Sums are in tiles 0 to 3 (of rows a0: 0, 1; of rows a1: 2, 3), those of x in 4 and 5, of W in 6 and 7. */
enum Rows { kFirst = 1, kSecond = 2, kBoth = 3 };

template <int rows>
ON_TILES INLINE void loadRows(const char* a0, const char* a1) {
  if (rows & kFirst) _tile_loadd(4, a0, 64);
  if (rows & kSecond) _tile_loadd(5, a1, 64);
}
ON_TILES INLINE void loadColumns(const char* b0, const char* b1) {
  _tile_loadd(6, b0, 64);
  _tile_loadd(7, b1, 64);
}
template <int rows>
ON_TILES INLINE void multiply() {
  if (rows & kFirst) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
  }
  if (rows & kSecond) {
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
}

/** One step: every product of parts that counts, the small ones first. */
template <int64_t parts, int rows>
ON_TILES INLINE void step(const char* a0, const char* a1, const char* b0, const char* b1) {
  loadRows<rows>(a0, a1);
  if (parts == 3) {
    loadColumns(b0 + 2 * kBytes, b1 + 2 * kBytes);
    multiply<rows>();
  }
  if (parts >= 2) {
    loadColumns(b0 + kBytes, b1 + kBytes);
    multiply<rows>();
    loadRows<rows>(a0 + kBytes, a1 + kBytes);
    if (parts == 3) multiply<rows>();
  }
  loadColumns(b0, b1);
  if (parts >= 2) multiply<rows>();
  if (parts == 3) {
    loadRows<rows>(a0 + 2 * kBytes, a1 + 2 * kBytes);
    multiply<rows>();
  }
  if (parts >= 2) loadRows<rows>(a0, a1);
  multiply<rows>();
}

/** Tiles of x that will be read next: each step fetches some lines of them into level 2. */
struct Ahead {
  const char* at = nullptr;
  /** Bytes of a tile's steps, from one tile to the next, and of all that is left. */
  int64_t run = 0, stride = 0, left = 0, done = 0, lines = 0;
  ON_TILES void fetch() {
    for (int64_t line = 0; line < lines && left > 0; line++, left -= 64) {
      _mm_prefetch(at + done, _MM_HINT_T1);
      done += 64;
      if (done == run) at += stride, done = 0;
    }
  }
};

/** The sums of two tiles of rows (a1 may be null) and two of columns over some steps, which `wanted` may leave out. */
template <int64_t parts>
ON_TILES void multiplySteps(const char* a0, const char* a1, const char* b0, const char* b1, int64_t steps, const uint8_t* wanted0, const uint8_t* wanted1, Ahead& ahead) {
  for (int64_t s = 0; s < steps; s++) {
    const int64_t at = s * parts * kBytes;
    ahead.fetch();
    const bool first = wanted0 == nullptr || wanted0[s] != 0, second = a1 != nullptr && (wanted1 == nullptr || wanted1[s] != 0);
    if (first && second)
      step<parts, kBoth>(a0 + at, a1 + at, b0 + at, b1 + at);
    else if (first)
      step<parts, kFirst>(a0 + at, nullptr, b0 + at, b1 + at);
    else if (second)
      step<parts, kSecond>(nullptr, a1 + at, b0 + at, b1 + at);
  }
}

/** 16 rows of 32 sums, a line of 32 each, that a block of steps leaves or takes up. */
ON_TILES void exchange(const Product& p, int64_t row, int64_t column, float* sums, bool out) {
  const int64_t rows = std::min(kTile, p.rows - row);
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t c = 0; c < 2 * kTile; c += kTile) {
      const __mmask16 some = lanes(p.columns - column - c);
      float *at = p.out + (row + r) * p.columns + column + c, *here = sums + r * 2 * kTile + c;
      if (out) _mm512_mask_storeu_ps(at, some, _mm512_load_ps(here));
      else _mm512_store_ps(here, _mm512_maskz_loadu_ps(some, at));
    }
  }
}

/** act(sums + b) + residual of 16 rows and 32 columns, zero where a head is off; null sums are all off. */
template <int64_t kind>
ON_TILES INLINE void finishTile(const Product& p, int64_t row, int64_t column, const float* sums) {
  const int64_t rows = std::min(kTile, p.rows - row);
  const bool heads = p.intoHeads && p.live != nullptr;
  const int64_t width = heads ? p.columns / p.heads : 1;
  for (int64_t c = 0; c < 2 * kTile; c += kTile) {
    const int64_t at = column + c;
    const __mmask16 some = lanes(p.columns - at);
    if (some == 0) return;
    const __m512 b = p.b == nullptr ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(some, p.b + at);
    const int32_t* live = heads ? p.live + at / width : nullptr;
    for (int64_t r = 0; r < rows; r++) {
      Floats y{};
      if (sums != nullptr && (!heads || live[(row + r) / p.span * p.heads] != 0)) {
        y = activate<kind>(reinterpret_cast<Floats>(_mm512_add_ps(_mm512_load_ps(sums + r * 2 * kTile + c), b)));
        if (p.residual != nullptr)
          y += reinterpret_cast<Floats>(_mm512_maskz_loadu_ps(some, p.residual + (row + r) % p.residualRows * p.columns + at));
      }
      _mm512_mask_storeu_ps(p.out + (row + r) * p.columns + at, some, reinterpret_cast<__m512>(y));
    }
  }
}

ON_TILES void finishAny(const Product& p, int64_t row, int64_t column, const float* sums) {
  switch (p.activation) {
    case kRelu: return finishTile<kRelu>(p, row, column, sums);
    case kSilu: return finishTile<kSilu>(p, row, column, sums);
    case kGelu: return finishTile<kGelu>(p, row, column, sums);
    case kGeluNew: return finishTile<kGeluNew>(p, row, column, sums);
    default: return finishTile<kNone>(p, row, column, sums);
  }
}

struct alignas(64) TileShapes {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

/** Two tiles of columns from tile c of a panel on, by one tile of rows or two (t1 is -1). */
struct Visit {
  int64_t c, t0, t1;
};

/** A panel of columns by tiles [begin, end) of x, which is in parts at `packed`, counted from row `first`. */
template <int64_t parts>
ON_TILES void multiplyPanel(const Product& p, int64_t first, int64_t column, int64_t panel, int64_t begin, int64_t end, const char* packed, Flags flags) {
  static thread_local Room room;
  alignas(64) float sums[2 * kTile * 2 * kTile];
  const int64_t steps = (p.inner + kDepth - 1) / kDepth, blocks = (steps + kSteps - 1) / kSteps, most = (steps + blocks - 1) / blocks;
  const int64_t wide = (std::min(panel, p.columns - column) + 2 * kTile - 1) / (2 * kTile) * 2;
  char* weights = room.of(wide * most * parts * kBytes);
  const int64_t width = p.intoHeads && p.live != nullptr ? p.columns / p.heads : 0;
  // Tiles of rows that are in level 2 while all columns of the panel meet them; where heads differ, more, so that tiles find a second one.
  const int64_t group = width == 0 ? 2 : kGroup;
  const TileShapes shapes;
  std::vector<Visit> visits;
  std::vector<int64_t> tiles;
  for (int64_t from = 0; from < steps; from += most) {
    const int64_t here = std::min(most, steps - from);
    packPanel<parts>(p, column, wide, from, here, weights);
    fence();
    _tile_loadconfig(&shapes);
    for (int64_t start = begin; start < end; start += group) {
      const int64_t stop = std::min(end, start + group);
      visits.clear();
      for (int64_t c = 0; c < wide; c += 2) {
        const int64_t at = column + c * kTile;
        tiles.clear();
        for (int64_t t = start; t < stop; t++) {
          if (width == 0 || anyLive(p, width, first + t * kTile, at, std::min(at + 2 * kTile, p.columns))) tiles.push_back(t);
          else if (from == 0) finishAny(p, first + t * kTile, at, nullptr);
        }
        for (size_t i = 0; i < tiles.size(); i += 2) visits.push_back({c, tiles[i], i + 1 < tiles.size() ? tiles[i + 1] : -1});
      }
      Ahead ahead;
      ahead.stride = steps * parts * kBytes, ahead.run = here * parts * kBytes, ahead.at = packed + stop * ahead.stride + from * parts * kBytes;
      ahead.left = std::max<int64_t>(0, std::min(end, stop + group) - stop) * ahead.run;
      ahead.lines = visits.empty() ? 0 : ahead.left / 64 / (static_cast<int64_t>(visits.size()) * here) + 1;
      for (const auto& [c, t0, t1] : visits) {
        const int64_t rows[2] = {first + t0 * kTile, t1 < 0 ? p.rows : first + t1 * kTile}, at = column + c * kTile;
        const char *a0 = packed + (t0 * steps + from) * parts * kBytes, *a1 = t1 < 0 ? nullptr : packed + (t1 * steps + from) * parts * kBytes;
        const char *b0 = weights + c * here * parts * kBytes, *b1 = b0 + here * parts * kBytes;
        if (from == 0) {
          _tile_zero(0);
          _tile_zero(1);
          _tile_zero(2);
          _tile_zero(3);
        } else {
          for (int i = 0; i < 2; i++) exchange(p, rows[i], at, sums + i * kTile * 2 * kTile, false);
          fence();
          _tile_loadd(0, sums, 128);
          _tile_loadd(1, sums + kTile, 128);
          _tile_loadd(2, sums + 2 * kTile * kTile, 128);
          _tile_loadd(3, sums + 2 * kTile * kTile + kTile, 128);
        }
        const uint8_t *w0 = flags.of(t0), *w1 = t1 < 0 ? nullptr : flags.of(t1);
        multiplySteps<parts>(a0, a1, b0, b1, here, w0 == nullptr ? nullptr : w0 + from, w1 == nullptr ? nullptr : w1 + from, ahead);
        _tile_stored(0, sums, 128);
        _tile_stored(1, sums + kTile, 128);
        _tile_stored(2, sums + 2 * kTile * kTile, 128);
        _tile_stored(3, sums + 2 * kTile * kTile + kTile, 128);
        fence();
        for (int i = 0; i < 2; i++) {
          if (from + here < steps) exchange(p, rows[i], at, sums + i * kTile * 2 * kTile, true);
          else finishAny(p, rows[i], at, sums + i * kTile * 2 * kTile);
        }
      }
    }
    _tile_release();
  }
}

template <int64_t parts>
void multiplyParts(const Product& p) {
  static std::mutex one;
  static Room room;
  static int64_t held = 0, heldInner = 0;  // the name of the x that is in parts there, and how wide its rows were
  const std::lock_guard<std::mutex> lock(one);
  const int64_t steps = (p.inner + kDepth - 1) / kDepth, tileBytes = steps * parts * kBytes;
  const int64_t most = std::max<int64_t>(16, kShared / tileBytes / 2 * 2);  // tiles of rows at a time
  const int64_t width = p.live == nullptr ? 0 : (p.intoHeads ? p.columns : p.inner) / p.heads;
  std::vector<uint8_t> wanted;
  const bool whole = p.rows <= most * kTile && (width == 0 || p.intoHeads), there = whole && p.name != 0 && p.name == held && p.inner == heldInner;
  held = whole ? p.name : 0, heldInner = p.inner;
  for (int64_t first = 0; first < p.rows; first += most * kTile) {
    const int64_t tiles = std::min(most, (p.rows - first + kTile - 1) / kTile);
    char* packed = room.of(tiles * tileBytes);
    Flags flags;
    if (width > 0 && !p.intoHeads) {
      wanted.resize(tiles * steps);
      for (int64_t t = 0; t < tiles; t++)
        for (int64_t s = 0; s < steps; s++) wanted[t * steps + s] = anyLive(p, width, first + t * kTile, s * kDepth, std::min(p.inner, (s + 1) * kDepth));
      flags.at = wanted.data(), flags.steps = steps;
    }
    if (!there) share(tiles, kTile * p.inner, [&](int64_t begin, int64_t end) { packRows<parts>(p, first, steps, flags, begin, end, packed); });
    // Pieces are panels, narrower and by part of the rows where threads would go without; a panel is cut once for each part.
    const int64_t pieces = 2 * threads();
    int64_t panel = kPanel;
    while (panel > 2 * kTile && (p.columns + panel - 1) / panel < pieces) panel /= 2;
    const int64_t panels = (p.columns + panel - 1) / panel;
    const int64_t cuts = std::max<int64_t>(1, std::min<int64_t>(tiles / 32, (pieces + panels - 1) / panels)), run = (tiles + 2 * cuts - 1) / (2 * cuts) * 2;
    share(panels * cuts, run * kTile * p.inner, [&](int64_t begin, int64_t end) {
      for (int64_t piece = begin; piece < end; piece++) {
        const int64_t from = piece / panels * run;
        if (from < tiles) multiplyPanel<parts>(p, first, piece % panels * panel, panel, from, std::min(tiles, from + run), packed, flags);
      }
    });
  }
}

/** The result's heads that are off are set to zero, for heads that tiles do not end with. */
void silence(const Product& p) {
  const int64_t width = p.columns / p.heads;
  for (int64_t row = 0; row < p.rows; row++)
    for (int64_t head = 0; head < p.heads; head++)
      if (p.live[row / p.span * p.heads + head] == 0) std::memset(p.out + row * p.columns + head * width, 0, width * sizeof(float));
}

}  // namespace

bool hasTiles() {
  static const bool has = askForTiles();
  return has;
}

void multiplyOnTiles(const Product& product) {
  Product p = product;
  const bool ragged = p.live != nullptr && p.intoHeads && p.columns / p.heads % kTile != 0;
  if (ragged) p.live = nullptr;
  if (p.parts == 1) multiplyParts<1>(p);
  else if (p.parts == 2) multiplyParts<2>(p);
  else multiplyParts<3>(p);
  if (ragged) silence(product);
}

}  // namespace spexlens

#else

namespace spexlens {
bool hasTiles() { return false; }
void multiplyOnTiles(const Product&) {}
}  // namespace spexlens

#endif
