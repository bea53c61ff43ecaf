/**
 * TensorFlow operations of our own, compiled into the addon: what stands between the matrix products of a transformer,
 * in one pass over memory each. src/backend/tensorflow-kernels.ts calls them; without them it has stock operations.
 *
 * Registered through TensorFlow's C interface when the addon loads, for float32 on CPUs. SIMD is written with the vector
 * types of GCC and clang (16 floats); GCC compiles each loop for AVX-512, AVX2 and plain x86-64 and picks when it loads.
 * TensorFlow's own threads are out of reach of the C interface, so there are a few here, as many as TensorFlow takes.
 */
#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#define IS_SLIM_BUILD  // kernels.h then does without a header from outside tensorflow/c
#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"
#include "tensorflow/c/tf_status.h"
#include "lanes.h"
#include "tensorflow/c/tf_tensor.h"
#include "tiles.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define EACH_CPU __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define EACH_CPU
#endif

namespace {

using namespace spexlens;

// ---- threads ----

int countThreads() {
  const char* wanted = std::getenv("TF_NUM_INTRAOP_THREADS");
  const int given = wanted == nullptr ? 0 : std::atoi(wanted);
  return std::max(1, given > 0 ? given : static_cast<int>(std::thread::hardware_concurrency()));
}

/** Threads that share out one job at a time. Made at the first large job and never taken down: they sleep between jobs. */
class Pool {
 public:
  explicit Pool(int count) {
    for (int k = 1; k < count; k++) std::thread([this] { serve(); }).detach();
  }

  /** Calls part(begin, end) over [0, pieces) in chunks, here too; returns when all are done. */
  void run(int64_t pieces, int64_t chunk, const std::function<void(int64_t, int64_t)>& part) {
    std::lock_guard<std::mutex> one(jobs_);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      part_ = &part, next_ = 0, pieces_ = pieces, chunk_ = chunk;
    }
    wake_.notify_all();
    work();
    std::unique_lock<std::mutex> lock(mutex_);
    idle_.wait(lock, [this] { return busy_ == 0; });
    part_ = nullptr;
  }

 private:
  void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return part_ != nullptr && next_ < pieces_; });
      lock.unlock();
      work();
      lock.lock();
    }
  }

  void work() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (part_ != nullptr && next_ < pieces_) {
      const int64_t begin = next_, end = std::min(pieces_, begin + chunk_);
      const auto* part = part_;
      next_ = end;
      busy_++;
      lock.unlock();
      (*part)(begin, end);
      lock.lock();
      if (--busy_ == 0) idle_.notify_all();
    }
  }

  std::mutex jobs_, mutex_;
  std::condition_variable wake_, idle_;
  const std::function<void(int64_t, int64_t)>* part_ = nullptr;
  int64_t next_ = 0, pieces_ = 0, chunk_ = 1, busy_ = 0;
};

}  // namespace

namespace spexlens {

int threads() {
  static const int count = countThreads();
  return count;
}

void share(int64_t pieces, int64_t cost, const std::function<void(int64_t, int64_t)>& part) {
  const int threads = spexlens::threads();
  if (threads == 1 || pieces < 2 || pieces * cost < 32768) return part(0, pieces);
  static Pool* pool = new Pool(threads);
  const int64_t smallest = std::max<int64_t>(1, 8192 / std::max<int64_t>(1, cost));
  pool->run(pieces, std::max(smallest, pieces / (4 * threads)), part);
}

}  // namespace spexlens

namespace {

// ---- the loops ----

template <int64_t kind>
INLINE void finishRows(float* x, const float* b, const float* residual, int64_t residualRows, int64_t width, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; r++) {
    float* row = x + r * width;
    const float* rest = residual == nullptr ? nullptr : residual + (r % residualRows) * width;
    int64_t c = 0;
    for (; c + kLanes <= width; c += kLanes) {
      Floats y = load(row + c);
      if (b != nullptr) y += load(b + c);
      y = activate<kind>(y);
      if (rest != nullptr) y += load(rest + c);
      store(row + c, y);
    }
    for (; c < width; c++) {
      float y = activate<kind>(all(row[c] + (b == nullptr ? 0.0f : b[c])))[0];
      row[c] = rest == nullptr ? y : y + rest[c];
    }
  }
}

/** act(x + b) + residual, in place. */
EACH_CPU void finish(int64_t kind, float* x, const float* b, const float* residual, int64_t residualRows, int64_t width, int64_t begin, int64_t end) {
  switch (kind) {
    case kRelu: return finishRows<kRelu>(x, b, residual, residualRows, width, begin, end);
    case kSilu: return finishRows<kSilu>(x, b, residual, residualRows, width, begin, end);
    case kGelu: return finishRows<kGelu>(x, b, residual, residualRows, width, begin, end);
    case kGeluNew: return finishRows<kGeluNew>(x, b, residual, residualRows, width, begin, end);
    default: return finishRows<kNone>(x, b, residual, residualRows, width, begin, end);
  }
}

template <int64_t kind>
INLINE void gateAll(const float* gate, const float* up, float* out, int64_t begin, int64_t end) {
  int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
    const Floats y = activate<kind>(load(gate + i));
    store(out + i, up == nullptr ? y : y * load(up + i));
  }
  for (; i < end; i++) out[i] = activate<kind>(all(gate[i]))[0] * (up == nullptr ? 1.0f : up[i]);
}

EACH_CPU void gated(int64_t kind, const float* gate, const float* up, float* out, int64_t begin, int64_t end) {
  switch (kind) {
    case kRelu: return gateAll<kRelu>(gate, up, out, begin, end);
    case kSilu: return gateAll<kSilu>(gate, up, out, begin, end);
    case kGelu: return gateAll<kGelu>(gate, up, out, begin, end);
    case kGeluNew: return gateAll<kGeluNew>(gate, up, out, begin, end);
    default: return gateAll<kNone>(gate, up, out, begin, end);
  }
}

INLINE float sumOf(Floats x) {
  float sum = 0;
  for (int64_t lane = 0; lane < kLanes; lane++) sum += x[lane];
  return sum;
}

INLINE float meanOf(const float* row, int64_t width) {
  Floats sums{};
  int64_t c = 0;
  for (; c + kLanes <= width; c += kLanes) sums += load(row + c);
  float sum = sumOf(sums);
  for (; c < width; c++) sum += row[c];
  return sum / width;
}

/** Layer norm (centred) or RMS norm of rows; the variance is of the centred row, as two passes give it. */
EACH_CPU void normalise(bool centred, float eps, float offset, const float* x, const float* w, const float* b, float* out, int64_t width, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; r++) {
    const float* row = x + r * width;
    float* to = out + r * width;
    const float mean = centred ? meanOf(row, width) : 0;
    int64_t c;
    Floats squares{};
    for (c = 0; c + kLanes <= width; c += kLanes) {
      const Floats d = load(row + c) - mean;
      squares += d * d;
    }
    float square = sumOf(squares);
    for (; c < width; c++) square += (row[c] - mean) * (row[c] - mean);
    const float scale = 1.0f / std::sqrt(square / width + eps);
    for (c = 0; c + kLanes <= width; c += kLanes) {
      Floats y = (load(row + c) - mean) * scale;
      if (w != nullptr) y *= load(w + c) + offset;
      if (b != nullptr) y += load(b + c);
      store(to + c, y);
    }
    for (; c < width; c++) {
      float y = (row[c] - mean) * scale;
      if (w != nullptr) y *= w[c] + offset;
      to[c] = b == nullptr ? y : y + b[c];
    }
  }
}

struct Attention {
  const float *q, *k, *v, *mask;
  float* z;
  int64_t batch, queries, heads, e, keys, kvHeads;
  int64_t qBatch, kBatch, vBatch, maskBatch;
  float scale, softcap;
  /** [batch, heads] of 0 and 1, or null: z is zero where it is 0. */
  const int32_t* live = nullptr;
  /** [maskBatch, queries]: keys from here on are hidden from a query; all where there is no mask. */
  std::vector<int64_t> reach;
};

/** Where each query's hidden keys begin. A query that sees nothing takes the mean of all, as softmax has it. */
void findReach(Attention& a) {
  a.reach.assign(a.maskBatch * a.queries, a.keys);
  if (a.mask == nullptr) return;
  for (int64_t i = 0; i < a.maskBatch * a.queries; i++) {
    int64_t last = a.keys;
    while (last > 0 && a.mask[i * a.keys + last - 1] < -1e29f) last--;
    if (last > 0) a.reach[i] = last;
  }
}

/** tanh(x) to 2 ulp: by exp where |x| >= 5/8, below by a polynomial (Moshier, Cephes, tanhf). */
INLINE Floats hyperbolic(Floats x) {
  const Floats size = x < 0.0f ? -x : x, far = 1.0f - 2.0f / (exponential(size + size) + 1.0f), square = x * x;
  Floats p = all(-5.70498872745e-3f);
  p = p * square + 2.06390887954e-2f;
  p = p * square - 5.37397155531e-2f;
  p = p * square + 1.33314422036e-1f;
  p = p * square - 3.33332819422e-1f;
  const Floats near = x + x * square * p;
  return size >= 0.625f ? (x < 0.0f ? -far : far) : near;
}

/** The first `count` of 16 numbers at `from`, `otherwise` behind them. */
INLINE Floats loadSome(const float* from, int64_t count, float otherwise) {
  Floats x = all(otherwise);
  std::memcpy(&x, from, std::min(count, kLanes) * sizeof(float));
  return x;
}

/** Scores [count] become exp(cap(score) + mask - most), up to whole lanes; the result is 1 / their sum. */
INLINE float soften(float* score, int64_t count, float softcap, const float* mask) {
  Floats top = all(-INFINITY);
  for (int64_t j = 0; j < count; j += kLanes) {
    Floats s = load(score + j);
    if (softcap != 0) s = softcap * hyperbolic(s / softcap);
    if (mask != nullptr) s += j + kLanes <= count ? load(mask + j) : loadSome(mask + j, count - j, 0);
    if (j + kLanes > count) {
      store(score + j, s);
      s = loadSome(score + j, count - j, -INFINITY);
    }
    store(score + j, s);
    top = s > top ? s : top;
  }
  float most = -INFINITY;
  for (int64_t lane = 0; lane < kLanes; lane++) most = std::max(most, top[lane]);
  Floats sums{};
  for (int64_t j = 0; j < count; j += kLanes) {
    const Floats p = exponential(load(score + j) - most);
    sums += p;
    store(score + j, p);
  }
  return 1.0f / sumOf(sums);
}

constexpr int64_t kQueries = 4;  // rows of scores that one pass over the keys makes on the way back ..
constexpr int64_t kRows = 6;     // .. and forwards, where as many sums fit into the registers of AVX2 and keep AVX-512 busy

/** z of the pairs (row of the batch, key/value head) begin..end: keys turned once, then some queries at a time. */
EACH_CPU void attendPairs(const Attention& a, int64_t begin, int64_t end) {
  const int64_t shared = a.heads / a.kvHeads, padded = (a.keys + kLanes - 1) / kLanes * kLanes;
  std::vector<float> turned(a.e * padded, 0.0f), scores(kRows * padded);
  std::vector<int64_t> heads;
  for (int64_t pair = begin; pair < end; pair++) {
    const int64_t row = pair / a.kvHeads, group = pair % a.kvHeads;
    const int64_t step = a.kvHeads * a.e;
    heads.clear();
    for (int64_t head = group * shared; head < (group + 1) * shared; head++) {
      if (a.live == nullptr || a.live[row * a.heads + head] != 0) heads.push_back(head);
      else for (int64_t query = 0; query < a.queries; query++) std::memset(a.z + ((row * a.queries + query) * a.heads + head) * a.e, 0, a.e * sizeof(float));
    }
    if (heads.empty()) continue;
    const float* k = a.k + (std::min(row, a.kBatch - 1) * a.keys * a.kvHeads + group) * a.e;
    const float* v = a.v + (std::min(row, a.vBatch - 1) * a.keys * a.kvHeads + group) * a.e;
    for (int64_t j = 0; j < a.keys; j++)
      for (int64_t c = 0; c < a.e; c++) turned[c * padded + j] = k[j * step + c];
    const int64_t all_of = static_cast<int64_t>(heads.size()) * a.queries;
    for (int64_t each = 0; each < all_of; each += kRows) {
      const int64_t many = std::min(kRows, all_of - each);
      const float *q[kRows], *mask[kRows];
      float* z[kRows];
      int64_t seen = 0;  // keys from here on are hidden from all of these queries
      for (int64_t i = 0; i < kRows; i++) {
        const int64_t which = each + std::min(i, many - 1), query = which % a.queries, head = heads[which / a.queries];
        const int64_t masked = std::min(row, a.maskBatch - 1) * a.queries + query;
        q[i] = a.q + ((std::min(row, a.qBatch - 1) * a.queries + query) * a.heads + head) * a.e;
        z[i] = a.z + ((row * a.queries + query) * a.heads + head) * a.e;
        mask[i] = a.mask == nullptr ? nullptr : a.mask + masked * a.keys;
        seen = std::max(seen, a.reach[masked]);
      }
      for (int64_t j = 0; j < seen; j += kLanes) {
        Floats sum[kRows] = {};
        for (int64_t c = 0; c < a.e; c++) {
          const Floats column = load(&turned[c * padded + j]);
          for (int64_t i = 0; i < kRows; i++) sum[i] += q[i][c] * column;
        }
        for (int64_t i = 0; i < kRows; i++) store(&scores[i * padded + j], sum[i] * a.scale);
      }
      float total[kRows];
      for (int64_t i = 0; i < many; i++) total[i] = soften(&scores[i * padded], seen, a.softcap, mask[i]);
      int64_t c = 0;
      for (; c + kLanes <= a.e; c += kLanes) {
        Floats sum[kRows] = {};
        for (int64_t j = 0; j < seen; j++) {
          const Floats value = load(v + j * step + c);
          for (int64_t i = 0; i < kRows; i++) sum[i] += scores[i * padded + j] * value;
        }
        for (int64_t i = 0; i < many; i++) store(z[i] + c, sum[i] * total[i]);
      }
      for (; c < a.e; c++) {
        for (int64_t i = 0; i < many; i++) {
          float sum = 0;
          for (int64_t j = 0; j < seen; j++) sum += scores[i * padded + j] * v[j * step + c];
          z[i][c] = sum * total[i];
        }
      }
    }
  }
}

/** Attention along paths through one row of tokens: q and z [queries, heads, e], k and v [columns, kvHeads, e]. */
struct PathAttention {
  const float *q, *k, *v;
  float* z;
  int64_t heads, e, kvHeads, longest;
  /** [paths, longest] of columns; by span its path, its first query, how many follow each other, and the tokens before it on its path. */
  const int32_t *paths, *spans;
  /** [columns], 0 for what only itself attends to; or null. */
  const int32_t* seen;
  float scale, softcap;
};

/** z of the pairs (span, key/value head) begin..end: a path's keys are turned and its values lined up once. */
EACH_CPU void attendPaths(const PathAttention& a, int64_t begin, int64_t end) {
  const int64_t shared = a.heads / a.kvHeads, padded = (a.longest + kLanes - 1) / kLanes * kLanes;
  std::vector<float> turned(a.e * padded, 0.0f), values(a.longest * a.e), scores(kRows * padded), mask(padded);
  for (int64_t pair = begin; pair < end; pair++) {
    const int32_t* span = a.spans + pair / a.kvHeads * 4;
    const int32_t* path = a.paths + span[0] * a.longest;
    const int64_t group = pair % a.kvHeads, first = span[1], count = span[2], before = span[3], keys = before + count;
    for (int64_t j = 0; j < keys; j++) {
      const int64_t at = (path[j] * a.kvHeads + group) * a.e;
      for (int64_t c = 0; c < a.e; c++) turned[c * padded + j] = a.k[at + c];
      std::memcpy(&values[j * a.e], a.v + at, a.e * sizeof(float));
      mask[j] = a.seen == nullptr || a.seen[path[j]] != 0 ? 0.0f : -1e30f;
    }
    // Heads of one query stand together, so that queries of a tile see about as many keys.
    for (int64_t each = 0; each < count * shared; each += kRows) {
      const int64_t many = std::min(kRows, count * shared - each);
      const float* q[kRows];
      float* z[kRows];
      int64_t reach[kRows], most = 0;
      for (int64_t i = 0; i < kRows; i++) {
        const int64_t which = each + std::min(i, many - 1), query = which / shared, head = group * shared + which % shared;
        const int64_t at = ((first + query) * a.heads + head) * a.e;
        q[i] = a.q + at, z[i] = a.z + at, reach[i] = before + query + 1, most = std::max(most, reach[i]);
      }
      for (int64_t j = 0; j < most; j += kLanes) {
        Floats sum[kRows] = {};
        for (int64_t c = 0; c < a.e; c++) {
          const Floats column = load(&turned[c * padded + j]);
          for (int64_t i = 0; i < kRows; i++) sum[i] += q[i][c] * column;
        }
        for (int64_t i = 0; i < kRows; i++) store(&scores[i * padded + j], sum[i] * a.scale);
      }
      float total[kRows];
      for (int64_t i = 0; i < many; i++) {
        float *score = &scores[i * padded], &itself = mask[reach[i] - 1];
        const float kept = itself;
        itself = 0;
        total[i] = soften(score, reach[i], a.softcap, a.seen == nullptr ? nullptr : mask.data());
        itself = kept;
        std::fill(score + reach[i], score + most, 0.0f);
      }
      int64_t c = 0;
      for (; c + kLanes <= a.e; c += kLanes) {
        Floats sum[kRows] = {};
        for (int64_t j = 0; j < most; j++) {
          const Floats value = load(&values[j * a.e + c]);
          for (int64_t i = 0; i < kRows; i++) sum[i] += scores[i * padded + j] * value;
        }
        for (int64_t i = 0; i < many; i++) store(z[i] + c, sum[i] * total[i]);
      }
      for (; c < a.e; c++) {
        for (int64_t i = 0; i < many; i++) {
          float sum = 0;
          for (int64_t j = 0; j < most; j++) sum += scores[i * padded + j] * values[j * a.e + c];
          z[i][c] = sum * total[i];
        }
      }
    }
  }
}

// ---- the way back ----

/** act'(x). */
template <int64_t kind>
INLINE Floats slope(Floats x) {
  switch (kind) {
    case kRelu:
      return x > 0.0f ? all(1.0f) : x != x ? x : Floats{};
    case kSilu: {
      const Floats s = 1.0f / (1.0f + exponential(-x));
      return s + x * s * (1.0f - s);
    }
    case kGelu: {
      const Floats half = complement((x < 0.0f ? -x : x) * 0.70710678f) * 0.5f;
      return (x < 0.0f ? half : 1.0f - half) + x * (0.39894228f * exponential(x * x * -0.5f));
    }
    case kGeluNew: {
      const Floats far = all(30.0f);  // beyond, the slope is 0 or 1
      x = x > far ? far : x;
      x = x < -far ? -far : x;
      const Floats square = x * x, s = 1.0f / (1.0f + exponential(x * (-1.59576912f - 0.0713548162f * square)));
      return s + x * s * (1.0f - s) * (1.59576912f + 0.2140644486f * square);
    }
    default:
      return all(1.0f);
  }
}

/** dx = dy · up · act'(x) and, where there is an up, dup = dy · act(x). */
template <int64_t kind>
INLINE void backAll(const float* x, const float* up, const float* dy, float* dx, float* dup, int64_t begin, int64_t end) {
  int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
    const Floats at = load(x + i);
    Floats g = load(dy + i);
    if (up != nullptr) {
      store(dup + i, g * activate<kind>(at));
      g *= load(up + i);
    }
    store(dx + i, g * slope<kind>(at));
  }
  for (; i < end; i++) {
    float g = dy[i];
    if (up != nullptr) {
      dup[i] = g * activate<kind>(all(x[i]))[0];
      g *= up[i];
    }
    dx[i] = g * slope<kind>(all(x[i]))[0];
  }
}

EACH_CPU void backPointwise(int64_t kind, const float* x, const float* up, const float* dy, float* dx, float* dup, int64_t begin, int64_t end) {
  switch (kind) {
    case kRelu: return backAll<kRelu>(x, up, dy, dx, dup, begin, end);
    case kSilu: return backAll<kSilu>(x, up, dy, dx, dup, begin, end);
    case kGelu: return backAll<kGelu>(x, up, dy, dx, dup, begin, end);
    case kGeluNew: return backAll<kGeluNew>(x, up, dy, dx, dup, begin, end);
    default: return backAll<kNone>(x, up, dy, dx, dup, begin, end);
  }
}

/** g = dy · (w + offset), d the centred row: dx = (g - mean g - d · scale² · mean(g d)) · scale, the first mean only where x was centred. */
EACH_CPU void backNormalise(bool centred, float eps, float offset, const float* x, const float* w, const float* dy, float* dx, int64_t width, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; r++) {
    const float *row = x + r * width, *back = dy + r * width;
    float* to = dx + r * width;
    const float mean = centred ? meanOf(row, width) : 0;
    int64_t c;
    Floats squares{}, gs{}, gds{};
    for (c = 0; c + kLanes <= width; c += kLanes) {
      const Floats d = load(row + c) - mean;
      Floats g = load(back + c);
      if (w != nullptr) g *= load(w + c) + offset;
      squares += d * d;
      gs += g;
      gds += g * d;
    }
    float square = sumOf(squares), sumG = sumOf(gs), along = sumOf(gds);
    for (; c < width; c++) {
      const float d = row[c] - mean, g = w == nullptr ? back[c] : back[c] * (w[c] + offset);
      square += d * d, sumG += g, along += g * d;
    }
    const float scale = 1.0f / std::sqrt(square / width + eps), less = centred ? sumG / width : 0.0f;
    along = along / width * scale * scale;
    for (c = 0; c + kLanes <= width; c += kLanes) {
      Floats g = load(back + c);
      if (w != nullptr) g *= load(w + c) + offset;
      store(to + c, (g - less - (load(row + c) - mean) * along) * scale);
    }
    for (; c < width; c++) {
      const float g = w == nullptr ? back[c] : back[c] * (w[c] + offset);
      to[c] = (g - less - (row[c] - mean) * along) * scale;
    }
  }
}

struct BackAttention {
  Attention a;  // its z is not used
  const float* dz;
  float *dq, *dk, *dv;
};

/** row [n] += Σ_i by[i] · from[i] [n], i < kQueries. */
INLINE void addScaled(float* row, const float* const* from, const float* by, int64_t n) {
  int64_t c = 0;
  for (; c + kLanes <= n; c += kLanes) {
    Floats sum = load(row + c);
    for (int64_t i = 0; i < kQueries; i++) sum += load(from[i] + c) * by[i];
    store(row + c, sum);
  }
  for (; c < n; c++)
    for (int64_t i = 0; i < kQueries; i++) row[c] += by[i] * from[i][c];
}

/**
 * The gradients of the pairs (row of the batch, key/value head) begin..end. The pattern P is made again; with dP = dz·vᵀ and
 * dS = P (dP - Σ P dP), through the cap and the scale, dq = dS·k, dk = dSᵀ·q, dv = Pᵀ·dz.
 */
EACH_CPU void backPairs(const BackAttention& all_of, int64_t begin, int64_t end) {
  const Attention& a = all_of.a;
  const int64_t shared = a.heads / a.kvHeads, padded = (a.keys + kLanes - 1) / kLanes * kLanes, step = a.kvHeads * a.e;
  std::vector<float> turnedK(a.e * padded, 0.0f), turnedV(a.e * padded, 0.0f), patterns(kQueries * padded), slopes(kQueries * padded), bends(kQueries * padded);
  for (int64_t pair = begin; pair < end; pair++) {
    const int64_t row = pair / a.kvHeads, first = (row * a.keys * a.kvHeads + pair % a.kvHeads) * a.e;
    const float *k = a.k + first, *v = a.v + first;
    float *dk = all_of.dk + first, *dv = all_of.dv + first;
    for (int64_t j = 0; j < a.keys; j++) {
      for (int64_t c = 0; c < a.e; c++) turnedK[c * padded + j] = k[j * step + c], turnedV[c * padded + j] = v[j * step + c];
      std::memset(dk + j * step, 0, a.e * sizeof(float)), std::memset(dv + j * step, 0, a.e * sizeof(float));
    }
    for (int64_t each = 0; each < shared * a.queries; each += kQueries) {
      const int64_t many = std::min(kQueries, shared * a.queries - each);
      const float *q[kQueries], *dz[kQueries], *mask[kQueries];
      float* dq[kQueries];
      int64_t seen = 0;  // keys from here on are hidden from all of these queries
      for (int64_t i = 0; i < kQueries; i++) {
        const int64_t which = each + std::min(i, many - 1), query = which % a.queries, head = pair % a.kvHeads * shared + which / a.queries;
        const int64_t at = ((row * a.queries + query) * a.heads + head) * a.e;
        q[i] = a.q + at, dz[i] = all_of.dz + at, dq[i] = all_of.dq + at;
        mask[i] = a.mask == nullptr ? nullptr : a.mask + (std::min(row, a.maskBatch - 1) * a.queries + query) * a.keys;
        int64_t last = a.keys;
        if (mask[i] != nullptr)
          while (last > 0 && mask[i][last - 1] < -1e29f) last--;
        seen = std::max(seen, last == 0 ? a.keys : last);
      }
      for (int64_t j = 0; j < seen; j += kLanes) {
        Floats score[kQueries] = {}, back[kQueries] = {};
        for (int64_t c = 0; c < a.e; c++) {
          const Floats key = load(&turnedK[c * padded + j]), value = load(&turnedV[c * padded + j]);
          for (int64_t i = 0; i < kQueries; i++) score[i] += q[i][c] * key, back[i] += dz[i][c] * value;
        }
        for (int64_t i = 0; i < kQueries; i++) store(&patterns[i * padded + j], score[i] * a.scale), store(&slopes[i * padded + j], back[i]);
      }
      for (int64_t i = 0; i < kQueries; i++) {
        float *p = &patterns[i * padded], *ds = &slopes[i * padded], *bend = &bends[i * padded];
        float most = -INFINITY;
        for (int64_t j = 0; j < seen; j++) {
          bend[j] = a.scale;
          if (a.softcap != 0) {
            const float t = std::tanh(p[j] / a.softcap);
            p[j] = a.softcap * t, bend[j] = a.scale * (1 - t * t);
          }
          if (mask[i] != nullptr) p[j] += mask[i][j];
          most = p[j] > most || p[j] != p[j] ? p[j] : most;
        }
        for (int64_t j = seen; j % kLanes != 0; j++) p[j] = -INFINITY, bend[j] = 0;
        Floats sums{}, alongs{};
        for (int64_t j = 0; j < seen; j += kLanes) {
          const Floats e = exponential(load(p + j) - most);
          sums += e, alongs += e * load(ds + j);
          store(p + j, e);
        }
        const float part = i < many ? 1.0f / sumOf(sums) : 0.0f, along = i < many ? sumOf(alongs) * part : 0.0f;  // a query that only fills up counts for nothing
        for (int64_t j = 0; j < seen; j += kLanes) {
          const Floats pattern = load(p + j) * part;
          store(p + j, pattern), store(ds + j, pattern * (load(ds + j) - along) * load(bend + j));
        }
      }
      int64_t c = 0;
      for (; c + kLanes <= a.e; c += kLanes) {
        Floats sum[kQueries] = {};
        for (int64_t j = 0; j < seen; j++) {
          const Floats key = load(k + j * step + c);
          for (int64_t i = 0; i < kQueries; i++) sum[i] += slopes[i * padded + j] * key;
        }
        for (int64_t i = 0; i < many; i++) store(dq[i] + c, sum[i]);
      }
      for (; c < a.e; c++) {
        for (int64_t i = 0; i < many; i++) {
          float sum = 0;
          for (int64_t j = 0; j < seen; j++) sum += slopes[i * padded + j] * k[j * step + c];
          dq[i][c] = sum;
        }
      }
      for (int64_t j = 0; j < seen; j++) {
        float ds[kQueries], p[kQueries];
        for (int64_t i = 0; i < kQueries; i++) ds[i] = slopes[i * padded + j], p[i] = patterns[i * padded + j];
        addScaled(dk + j * step, q, ds, a.e), addScaled(dv + j * step, dz, p, a.e);
      }
    }
  }
}

/** x [1 or rows, S, E, w] and base [1, 1 or S, E, w] with factors [rows, 1 or S, E]. */
struct Blend {
  const float *x, *factors, *base, *dy;
  float* out;
  int64_t rows, xRows, positions, factorPositions, basePositions, elements, width;
};

/** factor · x + (1 - factor) · base, to the last bit x where the factor is 1 and the base (or 0) where it is 0. */
EACH_CPU void blendRows(const Blend& b, int64_t begin, int64_t end) {
  const int64_t line = b.elements * b.width;
  for (int64_t at = begin; at < end; at++) {  // a row's position
    const int64_t r = at / b.positions, p = at % b.positions;
    const float* x = b.x + ((b.xRows == 1 ? 0 : r) * b.positions + p) * line;
    const float* f = b.factors + (r * b.factorPositions + (b.factorPositions == 1 ? 0 : p)) * b.elements;
    const float* base = b.base == nullptr ? nullptr : b.base + (b.basePositions == 1 ? 0 : p) * line;
    float* out = b.out + at * line;
    if (b.width == 1) {
      int64_t e = 0;
      for (; e + kLanes <= line; e += kLanes) {
        const Floats factor = load(f + e), here = load(x + e);
        const Floats other = base == nullptr ? Floats{} : load(base + e);
        const Floats between = base == nullptr ? here * factor : here * factor + other * (1.0f - factor);
        store(out + e, factor == 1.0f ? here : factor == 0.0f ? other : between);
      }
      for (; e < line; e++) {
        const float other = base == nullptr ? 0.0f : base[e];
        out[e] = f[e] == 1 ? x[e] : f[e] == 0 ? other : x[e] * f[e] + other * (1 - f[e]);
      }
      continue;
    }
    for (int64_t e = 0; e < b.elements; e++) {
      const int64_t from = e * b.width, to = from + b.width;
      const float factor = f[e], rest = 1 - factor;
      if (factor == 1) {
        std::memcpy(out + from, x + from, b.width * sizeof(float));
      } else if (factor == 0 && base != nullptr) {
        std::memcpy(out + from, base + from, b.width * sizeof(float));
      } else if (factor == 0) {
        std::memset(out + from, 0, b.width * sizeof(float));
      } else if (base == nullptr) {
        for (int64_t c = from; c < to; c++) out[c] = x[c] * factor;
      } else {
        for (int64_t c = from; c < to; c++) out[c] = x[c] * factor + base[c] * rest;
      }
    }
  }
}

/** The slopes of the factors: sums of dy · (x - base) over each element's numbers, and over positions where there is one factor for all. */
EACH_CPU void slopeRows(const Blend& b, int64_t begin, int64_t end) {
  const int64_t line = b.elements * b.width;
  for (int64_t r = begin; r < end; r++) {
    float* rows = b.out + r * b.factorPositions * b.elements;
    std::memset(rows, 0, b.factorPositions * b.elements * sizeof(float));
    for (int64_t p = 0; p < b.positions; p++) {
      const float* x = b.x + ((b.xRows == 1 ? 0 : r) * b.positions + p) * line;
      const float* base = b.base == nullptr ? nullptr : b.base + (b.basePositions == 1 ? 0 : p) * line;
      const float* dy = b.dy + (r * b.positions + p) * line;
      float* out = rows + (b.factorPositions == 1 ? 0 : p) * b.elements;
      if (b.width == 1) {
        if (base == nullptr)
          for (int64_t e = 0; e < line; e++) out[e] += dy[e] * x[e];
        else
          for (int64_t e = 0; e < line; e++) out[e] += dy[e] * (x[e] - base[e]);
        continue;
      }
      for (int64_t e = 0; e < b.elements; e++) {
        Floats sums{};
        int64_t c = e * b.width;
        const int64_t last = c + b.width;
        for (; c + kLanes <= last; c += kLanes) sums += load(dy + c) * (base == nullptr ? load(x + c) : load(x + c) - load(base + c));
        float sum = sumOf(sums);
        for (; c < last; c++) sum += dy[c] * (base == nullptr ? x[c] : x[c] - base[c]);
        out[e] += sum;
      }
    }
  }
}

struct Turn {
  const float *x, *cos, *sin;
  float* out;
  int64_t batch, tableBatch, positions, heads, e, dims;
};

/** x · cos + swapped · sin at (row, position) begin..end; swapped: the halves of the first dims columns exchanged. */
EACH_CPU void turnRows(const Turn& t, int64_t begin, int64_t end) {
  const int64_t half = t.dims / 2;
  for (int64_t at = begin; at < end; at++) {
    const int64_t r = at / t.positions, p = at % t.positions;
    const float* x = t.x + at * t.heads * t.e;
    const int64_t table = ((t.tableBatch == 1 ? 0 : r) * t.positions + p) * t.e;
    const float *cos = t.cos + table, *sin = t.sin + table;
    float* out = t.out + at * t.heads * t.e;
    for (int64_t h = 0; h < t.heads; h++, x += t.e, out += t.e) {
      for (int64_t c = 0; c < half; c++) out[c] = x[c] * cos[c] + x[c + half] * sin[c];
      for (int64_t c = half; c < t.dims; c++) out[c] = x[c] * cos[c] + x[c - half] * sin[c];
      for (int64_t c = t.dims; c < t.e; c++) out[c] = x[c] * cos[c] + x[c] * sin[c];
    }
  }
}

// ---- operations ----

/** A tensor of a kernel's context, released with it. */
struct Held {
  TF_Tensor* tensor = nullptr;
  ~Held() {
    if (tensor != nullptr) TF_DeleteTensor(tensor);
  }
  float* floats() const { return static_cast<float*>(TF_TensorData(tensor)); }
  const int32_t* wholes() const { return static_cast<const int32_t*>(TF_TensorData(tensor)); }
  int64_t size() const { return TF_TensorElementCount(tensor); }
  int64_t dim(int axis) const { return TF_Dim(tensor, axis); }
  int rank() const { return TF_NumDims(tensor); }
  std::vector<int64_t> shape() const {
    std::vector<int64_t> dims(rank());
    for (int axis = 0; axis < rank(); axis++) dims[axis] = dim(axis);
    return dims;
  }
  int64_t last() const { return TF_NumDims(tensor) == 0 ? 1 : TF_Dim(tensor, TF_NumDims(tensor) - 1); }
};

struct Context {
  TF_OpKernelContext* context;
  TF_Status* status = TF_NewStatus();
  explicit Context(TF_OpKernelContext* given) : context(given) {}
  ~Context() { TF_DeleteStatus(status); }
  bool input(int index, Held& held) {
    TF_GetInput(context, index, &held.tensor, status);
    return passed();
  }
  bool output(int index, const std::vector<int64_t>& shape, Held& held) {
    int64_t size = 1;
    for (const int64_t dim : shape) size *= dim;
    held.tensor = TF_AllocateOutput(context, index, TF_FLOAT, shape.data(), static_cast<int>(shape.size()), size * sizeof(float), status);
    return passed();
  }
  /** An output of the shape of `like`. */
  bool output(const Held& like, Held& held, int index = 0) { return output(index, like.shape(), held); }
  bool need(bool holds, const char* otherwise) {
    if (!holds) TF_SetStatus(status, TF_INVALID_ARGUMENT, otherwise);
    return passed();
  }
  bool passed() {
    if (TF_GetCode(status) == TF_OK) return true;
    TF_OpKernelContext_Failure(context, status);
    return false;
  }
};

/** What every operation here is set to; each reads its part. */
struct Setting {
  int64_t activation = kNone, dims = 0, positions = 1, elements = 1, parts = 3, name = 0;
  bool hasB = false, hasRest = false, centred = true, turned = false, into = false;
  float eps = 0, offset = 0, scale = 1, softcap = 0;
};

void* makeSetting(TF_OpKernelConstruction* construction) {
  auto* setting = new Setting;
  TF_Status* status = TF_NewStatus();
  const auto flag = [&](const char* name, bool& into) {
    TF_Bool value = 0;
    TF_OpKernelConstruction_GetAttrBool(construction, name, &value, status);
    into = value != 0;
  };
  const auto number = [&](const char* name, float& into) { TF_OpKernelConstruction_GetAttrFloat(construction, name, &into, status); };
  const auto whole = [&](const char* name, int64_t& into) { TF_OpKernelConstruction_GetAttrInt64(construction, name, &into, status); };
  whole("activation", setting->activation), whole("dims", setting->dims), whole("positions", setting->positions), whole("elements", setting->elements), whole("parts", setting->parts), whole("name", setting->name);
  flag("has_b", setting->hasB), flag("has_rest", setting->hasRest), flag("centred", setting->centred), flag("turned", setting->turned), flag("into", setting->into);
  number("eps", setting->eps), number("offset", setting->offset), number("scale", setting->scale), number("softcap", setting->softcap);
  TF_DeleteStatus(status);
  return setting;
}

void dropSetting(void* setting) { delete static_cast<Setting*>(setting); }

/** act(x · W + b) + rest on tiles (tiles.cc): x [..., a], W [a, c] (turned: [c, a]), b [c], rest [..., c] of rows that divide those of x; live as Product has it. */
void multiply(const Setting& s, Context& context, bool withLive) {
  Held x, w, b, rest, live, out;
  if (!context.need(hasTiles(), "SpexlensMultiply: this processor has no tiles.")) return;
  if (!context.input(0, x) || !context.input(1, w) || !context.input(2, b) || !context.input(3, rest)) return;
  if (withLive && !context.input(4, live)) return;
  if (!context.need(x.rank() > 0 && w.rank() == 2, "SpexlensMultiply: W has two axes.")) return;
  Product p;
  p.turned = s.turned, p.inner = x.last(), p.columns = w.dim(s.turned ? 0 : 1), p.rows = p.inner == 0 ? 0 : x.size() / p.inner;
  if (!context.need(w.dim(s.turned ? 1 : 0) == p.inner && p.inner > 0, "SpexlensMultiply: W does not take rows as wide as those of x.")) return;
  if (!context.need(!s.hasB || b.size() == p.columns, "SpexlensMultiply: b is not as wide as W.")) return;
  p.residualRows = s.hasRest && p.columns > 0 ? rest.size() / p.columns : 1;
  if (!context.need(!s.hasRest || (rest.last() == p.columns && p.residualRows > 0 && p.rows % p.residualRows == 0), "SpexlensMultiply: the residual's rows do not divide those of x.")) return;
  if (withLive) {
    const bool two = x.rank() == 3 && live.rank() == 2 && live.dim(0) == x.dim(0) && live.dim(1) > 0;
    if (!context.need(two && (s.into ? p.columns : p.inner) % live.dim(1) == 0, "SpexlensMultiplyHeads: live is not of x's batch, or not of so many heads.")) return;
    p.live = live.wholes(), p.heads = live.dim(1), p.span = x.dim(1), p.intoHeads = s.into;
  }
  std::vector<int64_t> shape = x.shape();
  shape.back() = p.columns;
  if (!context.output(0, shape, out) || out.size() == 0) return;
  p.x = x.floats(), p.w = w.floats(), p.b = s.hasB ? b.floats() : nullptr, p.residual = s.hasRest ? rest.floats() : nullptr, p.out = out.floats();
  p.activation = s.activation, p.parts = s.parts, p.name = s.name;
  multiplyOnTiles(p);
}

void computeMultiply(void* kernel, TF_OpKernelContext* given) {
  Context context(given);
  multiply(*static_cast<Setting*>(kernel), context, false);
}

void computeMultiplyHeads(void* kernel, TF_OpKernelContext* given) {
  Context context(given);
  multiply(*static_cast<Setting*>(kernel), context, true);
}

/** x [..., width], b [width], rest [..., width] -> nothing: x becomes act(x + b) + rest. */
void computeFinish(void* kernel, TF_OpKernelContext* given) {
  const Setting& s = *static_cast<Setting*>(kernel);
  Context context(given);
  Held x, b, rest;
  if (!context.input(0, x) || !context.input(1, b) || !context.input(2, rest) || x.size() == 0) return;
  const int64_t width = x.last(), rows = x.size() / width;
  const int64_t restRows = s.hasRest ? rest.size() / width : 1;
  if (!context.need(!s.hasB || b.size() == width, "SpexlensFinish: b is not as wide as x.")) return;
  if (!context.need(!s.hasRest || (rest.last() == width && restRows > 0 && rows % restRows == 0), "SpexlensFinish: the residual's rows do not divide those of x.")) return;
  float* at = x.floats();
  const float *bias = s.hasB ? b.floats() : nullptr, *residual = s.hasRest ? rest.floats() : nullptr;
  share(rows, width, [=](int64_t begin, int64_t end) { finish(s.activation, at, bias, residual, restRows, width, begin, end); });
}

/** x [..., width], w [width], b [width] -> the norm of x. */
void computeNorm(void* kernel, TF_OpKernelContext* given) {
  const Setting& s = *static_cast<Setting*>(kernel);
  Context context(given);
  Held x, w, b, out;
  if (!context.input(0, x) || !context.input(1, w) || !context.input(2, b) || !context.output(x, out) || x.size() == 0) return;
  const int64_t width = x.last();
  if (!context.need((!s.hasRest || w.size() == width) && (!s.hasB || b.size() == width), "SpexlensNormalise: w or b is not as wide as x.")) return;
  const float *from = x.floats(), *scale = s.hasRest ? w.floats() : nullptr, *bias = s.hasB ? b.floats() : nullptr;
  float* to = out.floats();
  share(x.size() / width, width, [=](int64_t begin, int64_t end) { normalise(s.centred, s.eps, s.offset, from, scale, bias, to, width, begin, end); });
}

/** q [B, Sq, H, e], k and v [B, S, K, e], mask [1 or B, 1, Sq, S] -> z [B, Sq, H, e]; live [B, H], or none. */
void attend(const Setting& s, Context& context, bool withLive) {
  Held q, k, v, mask, live, z;
  if (!context.input(0, q) || !context.input(1, k) || !context.input(2, v) || !context.input(3, mask) || (withLive && !context.input(4, live)) || !context.output(q, z) || q.size() == 0) return;
  if (!context.need(TF_NumDims(q.tensor) == 4 && TF_NumDims(k.tensor) == 4 && TF_NumDims(v.tensor) == 4, "SpexlensAttend: q, k and v have four axes.")) return;
  const auto dim = [](const Held& held, int axis) { return TF_Dim(held.tensor, axis); };
  Attention a;
  a.batch = a.qBatch = dim(q, 0), a.queries = dim(q, 1), a.heads = dim(q, 2), a.e = dim(q, 3);
  a.kBatch = dim(k, 0), a.vBatch = dim(v, 0), a.keys = dim(k, 1), a.kvHeads = dim(k, 2);
  a.maskBatch = s.hasB ? mask.size() / (a.queries * a.keys) : 1;
  const auto fits = [&](int64_t rows) { return rows == 1 || rows == a.batch; };
  const bool agree = dim(k, 3) == a.e && v.size() == a.vBatch * a.keys * a.kvHeads * a.e && a.keys > 0 && a.kvHeads > 0 && a.heads % a.kvHeads == 0 &&
                     fits(a.kBatch) && fits(a.vBatch) && fits(a.maskBatch) && (!s.hasB || mask.size() == a.maskBatch * a.queries * a.keys);
  if (!context.need(agree, "SpexlensAttend: the shapes of q, k, v and mask do not go together.")) return;
  a.q = q.floats(), a.k = k.floats(), a.v = v.floats(), a.mask = s.hasB ? mask.floats() : nullptr, a.z = z.floats();
  a.scale = s.scale, a.softcap = s.softcap;
  if (withLive) {
    if (!context.need(live.size() == a.batch * a.heads, "SpexlensAttendHeads: live is not of q's batch and heads.")) return;
    a.live = live.wholes();
  }
  findReach(a);
  const int64_t cost = (a.queries * a.heads / a.kvHeads * a.keys + a.keys) * a.e / 4;
  share(a.batch * a.kvHeads, cost, [&a](int64_t begin, int64_t end) { attendPairs(a, begin, end); });
}

void computeAttend(void* kernel, TF_OpKernelContext* given) {
  Context context(given);
  attend(*static_cast<Setting*>(kernel), context, false);
}

void computeAttendHeads(void* kernel, TF_OpKernelContext* given) {
  Context context(given);
  attend(*static_cast<Setting*>(kernel), context, true);
}

/** q [1, n, H, e], k and v [1, N, K, e], paths [P, S], spans [m, 4], seen [N] (where hasB) -> z as q. */
void computeAttendPaths(void* kernel, TF_OpKernelContext* given) {
  const Setting& s = *static_cast<Setting*>(kernel);
  Context context(given);
  Held q, k, v, paths, spans, seen, z;
  if (!context.input(0, q) || !context.input(1, k) || !context.input(2, v) || !context.input(3, paths) || !context.input(4, spans) || !context.input(5, seen) || !context.output(q, z) || q.size() == 0) return;
  const bool axes = q.rank() == 4 && k.rank() == 4 && v.rank() == 4 && paths.rank() == 2 && spans.rank() == 2;
  if (!context.need(axes, "SpexlensAttendPaths: q, k and v have four axes, paths and spans two.")) return;
  PathAttention a;
  const int64_t queries = q.dim(1), columns = k.dim(1);
  a.heads = q.dim(2), a.e = q.dim(3), a.kvHeads = k.dim(2), a.longest = paths.dim(1);
  const bool agree = q.dim(0) == 1 && k.dim(0) == 1 && k.dim(3) == a.e && v.size() == k.size() && a.kvHeads > 0 && a.heads % a.kvHeads == 0 && spans.dim(1) == 4 && (!s.hasB || seen.size() == columns);
  if (!context.need(agree, "SpexlensAttendPaths: the shapes of q, k, v, spans and seen do not go together.")) return;
  a.q = q.floats(), a.k = k.floats(), a.v = v.floats(), a.z = z.floats(), a.scale = s.scale, a.softcap = s.softcap;
  a.paths = paths.wholes(), a.spans = spans.wholes(), a.seen = s.hasB ? seen.wholes() : nullptr;
  bool inside = true;
  int64_t asked = 0;  // every query is of one span
  for (int64_t i = 0; i < spans.dim(0); i++) {
    const int32_t* span = a.spans + i * 4;
    inside = inside && span[0] >= 0 && span[0] < paths.dim(0) && span[1] == asked && span[2] > 0 && span[3] >= 0 && span[3] + span[2] <= a.longest;
    asked += span[2];
  }
  for (int64_t i = 0; i < paths.size(); i++) inside = inside && a.paths[i] >= 0 && a.paths[i] < columns;
  if (!context.need(inside && asked == queries, "SpexlensAttendPaths: spans and paths lead out of q, k and v, or leave queries out.")) return;
  const int64_t pairs = spans.dim(0) * a.kvHeads;
  const int64_t cost = (queries * a.heads * a.longest / pairs + a.longest) * a.e / 4;
  share(pairs, cost, [&a](int64_t begin, int64_t end) { attendPaths(a, begin, end); });
}

/** gate and up of one shape -> act(gate) · up. */
void computeGate(void* kernel, TF_OpKernelContext* given) {
  const Setting& s = *static_cast<Setting*>(kernel);
  Context context(given);
  Held gate, up, out;
  if (!context.input(0, gate) || !context.input(1, up) || !context.output(gate, out)) return;
  if (!context.need(gate.size() == up.size(), "SpexlensGated: gate and up differ in size.")) return;
  const float *open = gate.floats(), *through = up.floats();
  float* to = out.floats();
  const int64_t size = gate.size(), piece = 4096;
  share((size + piece - 1) / piece, piece, [=](int64_t begin, int64_t end) { gated(s.activation, open, through, to, begin * piece, std::min(size, end * piece)); });
}

/** x -> act(x). */
void computeActivate(void* kernel, TF_OpKernelContext* given) {
  const Setting& s = *static_cast<Setting*>(kernel);
  Context context(given);
  Held x, out;
  if (!context.input(0, x) || !context.output(x, out)) return;
  const float* from = x.floats();
  float* to = out.floats();
  const int64_t size = x.size(), piece = 4096;
  share((size + piece - 1) / piece, piece, [=](int64_t begin, int64_t end) { gated(s.activation, from, nullptr, to, begin * piece, std::min(size, end * piece)); });
}

/** x and dy of one shape -> dy · act'(x). */
void computeBackActivate(void* kernel, TF_OpKernelContext* given) {
  const Setting& s = *static_cast<Setting*>(kernel);
  Context context(given);
  Held x, dy, out;
  if (!context.input(0, x) || !context.input(1, dy) || !context.output(x, out)) return;
  if (!context.need(x.size() == dy.size(), "SpexlensBackActivate: x and dy differ in size.")) return;
  const float *from = x.floats(), *back = dy.floats();
  float* to = out.floats();
  const int64_t size = x.size(), piece = 4096;
  share((size + piece - 1) / piece, piece, [=](int64_t begin, int64_t end) { backPointwise(s.activation, from, nullptr, back, to, nullptr, begin * piece, std::min(size, end * piece)); });
}

/** gate, up and dy of one shape -> their gradients. */
void computeBackGate(void* kernel, TF_OpKernelContext* given) {
  const Setting& s = *static_cast<Setting*>(kernel);
  Context context(given);
  Held gate, up, dy, dgate, dup;
  if (!context.input(0, gate) || !context.input(1, up) || !context.input(2, dy) || !context.output(gate, dgate) || !context.output(gate, dup, 1)) return;
  if (!context.need(gate.size() == up.size() && gate.size() == dy.size(), "SpexlensBackGated: gate, up and dy differ in size.")) return;
  const float *open = gate.floats(), *through = up.floats(), *back = dy.floats();
  float *toGate = dgate.floats(), *toUp = dup.floats();
  const int64_t size = gate.size(), piece = 4096;
  share((size + piece - 1) / piece, piece, [=](int64_t begin, int64_t end) { backPointwise(s.activation, open, through, back, toGate, toUp, begin * piece, std::min(size, end * piece)); });
}

/** x [..., width], w [width], dy as x -> the gradient of the norm with respect to x. */
void computeBackNorm(void* kernel, TF_OpKernelContext* given) {
  const Setting& s = *static_cast<Setting*>(kernel);
  Context context(given);
  Held x, w, dy, out;
  if (!context.input(0, x) || !context.input(1, w) || !context.input(2, dy) || !context.output(x, out) || x.size() == 0) return;
  const int64_t width = x.last();
  if (!context.need(dy.size() == x.size() && (!s.hasRest || w.size() == width), "SpexlensBackNormalise: w is not as wide as x, or dy not as large.")) return;
  const float *from = x.floats(), *scale = s.hasRest ? w.floats() : nullptr, *back = dy.floats();
  float* to = out.floats();
  share(x.size() / width, width, [=](int64_t begin, int64_t end) { backNormalise(s.centred, s.eps, s.offset, from, scale, back, to, width, begin, end); });
}

/** q [B, Sq, H, e], k and v [B, S, K, e], mask [1 or B, 1, Sq, S], dz as q -> dq, dk, dv. */
void computeBackAttend(void* kernel, TF_OpKernelContext* given) {
  const Setting& s = *static_cast<Setting*>(kernel);
  Context context(given);
  Held q, k, v, mask, dz, dq, dk, dv;
  if (!context.input(0, q) || !context.input(1, k) || !context.input(2, v) || !context.input(3, mask) || !context.input(4, dz)) return;
  if (!context.output(q, dq) || !context.output(k, dk, 1) || !context.output(v, dv, 2) || q.size() == 0) return;
  if (!context.need(q.rank() == 4 && k.rank() == 4 && v.rank() == 4, "SpexlensBackAttend: q, k and v have four axes.")) return;
  BackAttention b;
  Attention& a = b.a;
  a.batch = a.qBatch = a.kBatch = a.vBatch = q.dim(0), a.queries = q.dim(1), a.heads = q.dim(2), a.e = q.dim(3), a.keys = k.dim(1), a.kvHeads = k.dim(2);
  a.maskBatch = s.hasB && a.keys > 0 ? mask.size() / (a.queries * a.keys) : 1;
  const bool agree = k.dim(3) == a.e && a.keys > 0 && a.kvHeads > 0 && a.heads % a.kvHeads == 0 && k.size() == a.batch * a.keys * a.kvHeads * a.e && v.size() == k.size() && dz.size() == q.size() &&
                     (a.maskBatch == 1 || a.maskBatch == a.batch) && (!s.hasB || mask.size() == a.maskBatch * a.queries * a.keys);
  if (!context.need(agree, "SpexlensBackAttend: the shapes of q, k, v, mask and dz do not go together.")) return;
  a.q = q.floats(), a.k = k.floats(), a.v = v.floats(), a.mask = s.hasB ? mask.floats() : nullptr, a.z = nullptr;
  a.scale = s.scale, a.softcap = s.softcap;
  b.dz = dz.floats(), b.dq = dq.floats(), b.dk = dk.floats(), b.dv = dv.floats();
  const int64_t cost = (a.queries * a.heads / a.kvHeads * a.keys + a.keys) * a.e / 2;
  share(a.batch * a.kvHeads, cost, [&b](int64_t begin, int64_t end) { backPairs(b, begin, end); });
}

/** The sizes of a blend of x [1 or rows, S, ...] by factors of `shape`; false where they do not go together. */
bool blendOf(Blend& b, const Held& x, const std::vector<int64_t>& shape, const Held* base) {
  if (x.rank() < 3 || shape.size() != 3 || x.size() == 0) return false;
  b.rows = shape[0], b.xRows = x.dim(0), b.positions = x.dim(1), b.factorPositions = shape[1], b.elements = shape[2];
  const int64_t line = x.size() / (b.xRows * b.positions);
  b.x = x.floats(), b.width = b.elements > 0 ? line / b.elements : 0, b.base = base == nullptr ? nullptr : base->floats();
  b.basePositions = base == nullptr ? 1 : base->size() / line;
  return b.rows > 0 && (b.xRows == 1 || b.xRows == b.rows) && (b.factorPositions == 1 || b.factorPositions == b.positions) && b.width > 0 && b.width * b.elements == line &&
         (base == nullptr || ((b.basePositions == 1 || b.basePositions == b.positions) && base->size() == b.basePositions * line));
}

/** x [1 or rows, S, ...], factors [rows, 1 or S, E], base [1, 1 or S, ...] -> [rows, S, ...]. */
void computeBlend(void* kernel, TF_OpKernelContext* given) {
  const Setting& s = *static_cast<Setting*>(kernel);
  Context context(given);
  Held x, factors, base, out;
  if (!context.input(0, x) || !context.input(1, factors) || !context.input(2, base)) return;
  Blend b;
  if (!context.need(blendOf(b, x, factors.shape(), s.hasB ? &base : nullptr), "SpexlensBlend: the shapes of x, factors and base do not go together.")) return;
  std::vector<int64_t> shape = x.shape();
  shape[0] = b.rows;
  if (!context.output(0, shape, out)) return;
  b.factors = factors.floats(), b.out = out.floats();
  share(b.rows * b.positions, b.elements * b.width, [b](int64_t begin, int64_t end) { blendRows(b, begin, end); });
}

/** x, base and dy [rows, S, ...] -> [rows, positions, elements]. */
void computeBlendSlopes(void* kernel, TF_OpKernelContext* given) {
  const Setting& s = *static_cast<Setting*>(kernel);
  Context context(given);
  Held x, base, dy, out;
  if (!context.input(0, x) || !context.input(1, base) || !context.input(2, dy)) return;
  Blend b;
  const int64_t rows = dy.rank() == 0 ? 0 : dy.dim(0);
  const bool agree = blendOf(b, x, {rows, s.positions, s.elements}, s.hasB ? &base : nullptr) && dy.size() == rows * b.positions * b.elements * b.width;
  if (!context.need(agree, "SpexlensBlendSlopes: the shapes of x, base and dy do not go together.")) return;
  if (!context.output(0, {rows, s.positions, s.elements}, out)) return;
  b.dy = dy.floats(), b.out = out.floats();
  share(rows, b.positions * b.elements * b.width, [b](int64_t begin, int64_t end) { slopeRows(b, begin, end); });
}

/** x [B, S, H, e], cos and sin [1 or B, S, 1, e] -> as x. */
void computeTurn(void* kernel, TF_OpKernelContext* given) {
  const Setting& s = *static_cast<Setting*>(kernel);
  Context context(given);
  Held x, cos, sin, out;
  if (!context.input(0, x) || !context.input(1, cos) || !context.input(2, sin)) return;
  if (!context.need(x.rank() == 4 && cos.rank() == 4, "SpexlensTurned: x, cos and sin have four axes.")) return;
  Turn t;
  t.batch = x.dim(0), t.tableBatch = cos.dim(0), t.positions = x.dim(1), t.heads = x.dim(2), t.e = x.dim(3), t.dims = s.dims;
  const bool agree = cos.size() == t.tableBatch * t.positions * t.e && sin.size() == cos.size() && t.dims >= 0 && t.dims % 2 == 0 && t.dims <= t.e &&
                     (t.tableBatch == 1 || t.tableBatch == t.batch);
  if (!context.need(agree, "SpexlensTurned: the shapes of x, cos and sin do not go together.")) return;
  if (!context.output(x, out)) return;
  t.x = x.floats(), t.cos = cos.floats(), t.sin = sin.floats(), t.out = out.floats();
  share(t.batch * t.positions, t.heads * t.e, [t](int64_t begin, int64_t end) { turnRows(t, begin, end); });
}

void noShape(TF_ShapeInferenceContext* context, TF_Status* status) { TF_ShapeInferenceContextSetUnknownShape(context, status); }
void nothing(TF_ShapeInferenceContext*, TF_Status*) {}

void define(const char* name, const std::vector<const char*>& inputs, int outputs, void (*compute)(void*, TF_OpKernelContext*)) {
  TF_Status* status = TF_NewStatus();
  TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder(name);
  const auto isWhole = [](const std::string& input) { return input == "live" || input == "paths" || input == "spans" || input == "seen"; };
  for (const char* input : inputs) TF_OpDefinitionBuilderAddInput(op, (std::string(input) + (isWhole(input) ? ": int32" : ": float")).c_str());
  for (int k = 0; k < outputs; k++) TF_OpDefinitionBuilderAddOutput(op, ("out" + std::to_string(k) + ": float").c_str());
  for (const char* attr : {"activation: int = 0", "dims: int = 0", "positions: int = 1", "elements: int = 1", "parts: int = 3", "name: int = 0", "turned: bool = false", "into: bool = false", "has_b: bool = false", "has_rest: bool = false", "centred: bool = true", "eps: float = 0.0", "offset: float = 0.0", "scale: float = 1.0", "softcap: float = 0.0"})
    TF_OpDefinitionBuilderAddAttr(op, attr);
  TF_OpDefinitionBuilderSetIsStateful(op, true);  // the first one writes into its input
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, outputs > 0 ? noShape : nothing);
  TF_RegisterOpDefinition(op, status);
  if (TF_GetCode(status) == TF_OK) TF_RegisterKernelBuilder(name, TF_NewKernelBuilder(name, "CPU", makeSetting, compute, dropSetting), status);
  TF_DeleteStatus(status);
}

const bool defined = [] {
  define("SpexlensFinish", {"x", "b", "rest"}, 0, computeFinish);
  define("SpexlensMultiply", {"x", "w", "b", "rest"}, 1, computeMultiply);
  define("SpexlensMultiplyHeads", {"x", "w", "b", "rest", "live"}, 1, computeMultiplyHeads);
  define("SpexlensNormalise", {"x", "w", "b"}, 1, computeNorm);
  define("SpexlensAttend", {"q", "k", "v", "mask"}, 1, computeAttend);
  define("SpexlensAttendHeads", {"q", "k", "v", "mask", "live"}, 1, computeAttendHeads);
  define("SpexlensAttendPaths", {"q", "k", "v", "paths", "spans", "seen"}, 1, computeAttendPaths);
  define("SpexlensGated", {"gate", "up"}, 1, computeGate);
  define("SpexlensActivate", {"x"}, 1, computeActivate);
  define("SpexlensBlend", {"x", "factors", "base"}, 1, computeBlend);
  define("SpexlensTurned", {"x", "cos", "sin"}, 1, computeTurn);
  define("SpexlensBackActivate", {"x", "dy"}, 1, computeBackActivate);
  define("SpexlensBackGated", {"gate", "up", "dy"}, 2, computeBackGate);
  define("SpexlensBackNormalise", {"x", "w", "dy"}, 1, computeBackNorm);
  define("SpexlensBackAttend", {"q", "k", "v", "mask", "dz"}, 3, computeBackAttend);
  define("SpexlensBlendSlopes", {"x", "base", "dy"}, 1, computeBlendSlopes);
  return true;
}();

}  // namespace
