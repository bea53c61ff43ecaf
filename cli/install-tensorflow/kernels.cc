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
#include "tensorflow/c/tf_tensor.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define EACH_CPU __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define EACH_CPU
#endif
#define INLINE inline __attribute__((always_inline))

namespace {

// ---- 16 floats at a time ----

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

// ---- threads ----

int threadCount() {
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

/** part over [0, pieces), on several threads when it is worth waking them; `cost` counts a piece's floats. */
void share(int64_t pieces, int64_t cost, const std::function<void(int64_t, int64_t)>& part) {
  static const int threads = threadCount();
  if (threads == 1 || pieces < 2 || pieces * cost < 32768) return part(0, pieces);
  static Pool* pool = new Pool(threads);
  const int64_t smallest = std::max<int64_t>(1, 8192 / std::max<int64_t>(1, cost));
  pool->run(pieces, std::max(smallest, pieces / (4 * threads)), part);
}

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
  for (; i + kLanes <= end; i += kLanes) store(out + i, activate<kind>(load(gate + i)) * load(up + i));
  for (; i < end; i++) out[i] = activate<kind>(all(gate[i]))[0] * up[i];
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

/** Layer norm (centred) or RMS norm of rows; the variance is of the centred row, as two passes give it. */
EACH_CPU void normalise(bool centred, float eps, float offset, const float* x, const float* w, const float* b, float* out, int64_t width, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; r++) {
    const float* row = x + r * width;
    float* to = out + r * width;
    float mean = 0;
    int64_t c;
    if (centred) {
      Floats sums{};
      for (c = 0; c + kLanes <= width; c += kLanes) sums += load(row + c);
      float sum = sumOf(sums);
      for (; c < width; c++) sum += row[c];
      mean = sum / width;
    }
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
};

constexpr int64_t kQueries = 4;  // rows of scores that one pass over the keys makes

/** z of the pairs (row of the batch, key/value head) begin..end: keys turned once, then four queries at a time. */
EACH_CPU void attendPairs(const Attention& a, int64_t begin, int64_t end) {
  const int64_t shared = a.heads / a.kvHeads, padded = (a.keys + kLanes - 1) / kLanes * kLanes;
  std::vector<float> turned(a.e * padded, 0.0f), scores(kQueries * padded);
  for (int64_t pair = begin; pair < end; pair++) {
    const int64_t row = pair / a.kvHeads, group = pair % a.kvHeads;
    const int64_t step = a.kvHeads * a.e;
    const float* k = a.k + (std::min(row, a.kBatch - 1) * a.keys * a.kvHeads + group) * a.e;
    const float* v = a.v + (std::min(row, a.vBatch - 1) * a.keys * a.kvHeads + group) * a.e;
    for (int64_t j = 0; j < a.keys; j++)
      for (int64_t c = 0; c < a.e; c++) turned[c * padded + j] = k[j * step + c];
    for (int64_t each = 0; each < shared * a.queries; each += kQueries) {
      const int64_t many = std::min(kQueries, shared * a.queries - each);
      const float *q[kQueries], *mask[kQueries];
      float* z[kQueries];
      int64_t seen = 0;  // keys from here on are hidden from all of these queries
      for (int64_t i = 0; i < kQueries; i++) {
        const int64_t which = each + std::min(i, many - 1), query = which % a.queries, head = group * shared + which / a.queries;
        q[i] = a.q + ((std::min(row, a.qBatch - 1) * a.queries + query) * a.heads + head) * a.e;
        z[i] = a.z + ((row * a.queries + query) * a.heads + head) * a.e;
        mask[i] = a.mask == nullptr ? nullptr : a.mask + (std::min(row, a.maskBatch - 1) * a.queries + query) * a.keys;
        int64_t last = a.keys;
        if (mask[i] != nullptr)
          while (last > 0 && mask[i][last - 1] < -1e29f) last--;
        seen = std::max(seen, last == 0 ? a.keys : last);  // a query that sees nothing takes the mean of all, as softmax has it
      }
      for (int64_t j = 0; j < seen; j += kLanes) {
        Floats sum[kQueries] = {};
        for (int64_t c = 0; c < a.e; c++) {
          const Floats column = load(&turned[c * padded + j]);
          for (int64_t i = 0; i < kQueries; i++) sum[i] += q[i][c] * column;
        }
        for (int64_t i = 0; i < kQueries; i++) store(&scores[i * padded + j], sum[i] * a.scale);
      }
      float total[kQueries];
      for (int64_t i = 0; i < kQueries; i++) {
        float* score = &scores[i * padded];
        float most = -INFINITY;
        for (int64_t j = 0; j < seen; j++) {
          if (a.softcap != 0) score[j] = a.softcap * std::tanh(score[j] / a.softcap);
          if (mask[i] != nullptr) score[j] += mask[i][j];
          most = score[j] > most || score[j] != score[j] ? score[j] : most;
        }
        for (int64_t j = seen; j % kLanes != 0; j++) score[j] = -INFINITY;
        Floats sums{};
        for (int64_t j = 0; j < seen; j += kLanes) {
          const Floats p = exponential(load(score + j) - most);
          sums += p;
          store(score + j, p);
        }
        total[i] = 1.0f / sumOf(sums);
      }
      int64_t c = 0;
      for (; c + kLanes <= a.e; c += kLanes) {
        Floats sum[kQueries] = {};
        for (int64_t j = 0; j < seen; j++) {
          const Floats value = load(v + j * step + c);
          for (int64_t i = 0; i < kQueries; i++) sum[i] += scores[i * padded + j] * value;
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

// ---- operations ----

/** A tensor of a kernel's context, released with it. */
struct Held {
  TF_Tensor* tensor = nullptr;
  ~Held() {
    if (tensor != nullptr) TF_DeleteTensor(tensor);
  }
  float* floats() const { return static_cast<float*>(TF_TensorData(tensor)); }
  int64_t size() const { return TF_TensorElementCount(tensor); }
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
  /** Output 0, of the shape of `like`. */
  bool output(const Held& like, Held& held) {
    std::vector<int64_t> shape(TF_NumDims(like.tensor));
    for (size_t axis = 0; axis < shape.size(); axis++) shape[axis] = TF_Dim(like.tensor, static_cast<int>(axis));
    held.tensor = TF_AllocateOutput(context, 0, TF_FLOAT, shape.data(), static_cast<int>(shape.size()), like.size() * sizeof(float), status);
    return passed();
  }
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
  int64_t activation = kNone;
  bool hasB = false, hasRest = false, centred = true;
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
  TF_OpKernelConstruction_GetAttrInt64(construction, "activation", &setting->activation, status);
  flag("has_b", setting->hasB), flag("has_rest", setting->hasRest), flag("centred", setting->centred);
  number("eps", setting->eps), number("offset", setting->offset), number("scale", setting->scale), number("softcap", setting->softcap);
  TF_DeleteStatus(status);
  return setting;
}

void dropSetting(void* setting) { delete static_cast<Setting*>(setting); }

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

/** q [B, Sq, H, e], k and v [B, S, K, e], mask [1 or B, 1, Sq, S] -> z [B, Sq, H, e]. */
void computeAttend(void* kernel, TF_OpKernelContext* given) {
  const Setting& s = *static_cast<Setting*>(kernel);
  Context context(given);
  Held q, k, v, mask, z;
  if (!context.input(0, q) || !context.input(1, k) || !context.input(2, v) || !context.input(3, mask) || !context.output(q, z) || q.size() == 0) return;
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
  const int64_t cost = (a.queries * a.heads / a.kvHeads * a.keys + a.keys) * a.e / 4;
  share(a.batch * a.kvHeads, cost, [a](int64_t begin, int64_t end) { attendPairs(a, begin, end); });
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

void noShape(TF_ShapeInferenceContext* context, TF_Status* status) { TF_ShapeInferenceContextSetUnknownShape(context, status); }
void nothing(TF_ShapeInferenceContext*, TF_Status*) {}

void define(const char* name, const std::vector<const char*>& inputs, bool gives, void (*compute)(void*, TF_OpKernelContext*)) {
  TF_Status* status = TF_NewStatus();
  TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder(name);
  for (const char* input : inputs) TF_OpDefinitionBuilderAddInput(op, (std::string(input) + ": float").c_str());
  if (gives) TF_OpDefinitionBuilderAddOutput(op, "out: float");
  for (const char* attr : {"activation: int = 0", "has_b: bool = false", "has_rest: bool = false", "centred: bool = true", "eps: float = 0.0", "offset: float = 0.0", "scale: float = 1.0", "softcap: float = 0.0"})
    TF_OpDefinitionBuilderAddAttr(op, attr);
  TF_OpDefinitionBuilderSetIsStateful(op, true);  // the first one writes into its input
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, gives ? noShape : nothing);
  TF_RegisterOpDefinition(op, status);
  if (TF_GetCode(status) == TF_OK) TF_RegisterKernelBuilder(name, TF_NewKernelBuilder(name, "CPU", makeSetting, compute, dropSetting), status);
  TF_DeleteStatus(status);
}

const bool defined = [] {
  define("SpexlensFinish", {"x", "b", "rest"}, false, computeFinish);
  define("SpexlensNormalise", {"x", "w", "b"}, true, computeNorm);
  define("SpexlensAttend", {"q", "k", "v", "mask"}, true, computeAttend);
  define("SpexlensGated", {"gate", "up"}, true, computeGate);
  return true;
}();

}  // namespace
