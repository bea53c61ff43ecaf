/** Our kernels on webgpu against plain Float64 JavaScript, over shapes that tiles do not divide; what they leave, and what they save. */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { registerWebgpuKernels, unregisterWebgpuKernels } from '../../src/backend/webgpu-kernels.ts';
import { attentionMask } from '../../src/model/forward/attention-mask.ts';
import { forward } from '../../src/model/forward/forward.ts';
import { fused, hasFused, type FusedName, type PointwiseActivation } from '../../src/model/forward/fused.ts';
import { packHalf, roundToHalf, unpackHalf } from '../../src/model/weights/half-storage.ts';
import { turn, turnTables } from '../../src/model/forward/rotary.ts';
import { erf } from '../../src/model/reference/reference-functions.ts';
import { createRandom } from '../../src/random.ts';
import { availableBackends, CONFIGS, open, randomModel } from '../tensors.ts';

type Values = Float32Array | Float64Array;
/** Of |ours - expected| / max(1, |expected|). What the device shows is printed at the end. */
const TOLERANCE = 1e-4;
const ACTIVATIONS = ['none', 'relu', 'silu', 'gelu', 'gelu_new'] as const;
const NAMES: readonly FusedName[] = [
  'SpexlensLinear',
  'SpexlensNorm',
  'SpexlensAttention',
  'SpexlensGate',
  'SpexlensTurn',
];

const random = createRandom(11, 'webgpu kernels');
const draw = (length: number, scale = 1): Float32Array => Float32Array.from({ length }, () => scale * random.normal());

function act(x: number, kind: PointwiseActivation | 'none'): number {
  switch (kind) {
    case 'none':
      return x;
    case 'relu':
      return Math.max(x, 0);
    case 'silu':
      return x / (1 + Math.exp(-x));
    case 'gelu':
      return x * (0.5 + 0.5 * erf(x / Math.SQRT2));
    case 'gelu_new':
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    default:
      return kind satisfies never;
  }
}

/** act(x [rows, a] · W [a, c] + b) + residual. */
function linearReference(
  x: Values,
  W: Values,
  b: Values | undefined,
  residual: Values | undefined,
  inner: number,
  width: number,
  kind: PointwiseActivation | 'none',
): Float64Array {
  const rows = x.length / inner;
  const out = new Float64Array(rows * width);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < width; c++) {
      let sum = b?.[c] ?? 0;
      for (let i = 0; i < inner; i++) sum += x[r * inner + i] * W[i * width + c];
      out[r * width + c] = act(sum, kind) + (residual?.[(r * width + c) % residual.length] ?? 0);
    }
  }
  return out;
}

function normReference(
  x: Values,
  w: Values | undefined,
  b: Values | undefined,
  width: number,
  kind: 'layer' | 'rms',
  eps: number,
  offset: number,
): Float64Array {
  const out = new Float64Array(x.length);
  for (let first = 0; first < x.length; first += width) {
    const row = Float64Array.from(x.subarray(first, first + width));
    const mean = kind === 'rms' ? 0 : row.reduce((a, v) => a + v, 0) / width;
    const variance = row.reduce((a, v) => a + (v - mean) ** 2, 0) / width;
    row.forEach(
      (v, c) =>
        (out[first + c] =
          ((v - mean) / Math.sqrt(variance + eps)) * (w === undefined ? 1 : w[c] + offset) + (b?.[c] ?? 0)),
    );
  }
  return out;
}

interface AttentionCase {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly dHead: number;
}

function attentionReference(
  q: Values,
  k: Values,
  v: Values,
  mask: Values | undefined,
  { batch, queries, keys, heads, keyHeads, dHead }: AttentionCase,
  scale: number,
  softcap: number,
): Float64Array {
  const out = new Float64Array(q.length);
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < queries; i++) {
      for (let h = 0; h < heads; h++) {
        const at = ((b * queries + i) * heads + h) * dHead;
        const keyAt = (j: number): number => ((b * keys + j) * keyHeads + Math.floor((h * keyHeads) / heads)) * dHead;
        const scores = Array.from({ length: keys }, (_, j) => {
          let dot = 0;
          for (let c = 0; c < dHead; c++) dot += q[at + c] * k[keyAt(j) + c];
          const capped = softcap === 0 ? scale * dot : softcap * Math.tanh((scale * dot) / softcap);
          return Math.fround(capped + (mask?.[((b * queries + i) * keys + j) % mask.length] ?? 0)); // float32: -1e30 swallows a score
        });
        const top = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - top));
        const sum = weights.reduce((a, w) => a + w, 0);
        for (let c = 0; c < dHead; c++) out[at + c] = weights.reduce((a, w, j) => a + w * v[keyAt(j) + c], 0) / sum;
      }
    }
  }
  return out;
}

/** Runs `make` and reads it, and sees to it that no tensor and no buffer is left but what was there. */
async function read(make: () => tf.Tensor): Promise<Float32Array> {
  const before = [tf.memory().numTensors, tf.backend().numDataIds()];
  const out = tf.tidy(make);
  const values = (await out.data()) as Float32Array;
  out.dispose();
  expect([tf.memory().numTensors, tf.backend().numDataIds()]).toEqual(before);
  return values;
}

const worst: Record<string, number> = {};
function expectClose(name: FusedName, ours: Float32Array, expected: Float64Array): void {
  ours.forEach(
    (value, i) =>
      (worst[name] = Math.max(worst[name] ?? 0, Math.abs(value - expected[i]) / Math.max(1, Math.abs(expected[i])))),
  );
  expect(ours).toBeAllClose(expected, TOLERANCE);
}

/** How many programs `run` has the backend dispatch. */
function dispatchesOf(run: () => void): number {
  const backend = tf.backend() as unknown as { runWebGPUProgram: (...given: unknown[]) => unknown };
  const own = backend.runWebGPUProgram;
  let count = 0;
  backend.runWebGPUProgram = (...given) => {
    count++;
    return own.apply(backend, given);
  };
  try {
    run();
  } finally {
    Reflect.deleteProperty(backend, 'runWebGPUProgram');
  }
  return count;
}

/** A software driver compiles the self-check's shaders before the first test. */
const HOOK_MS = 120_000;

describe.runIf((await availableBackends()).includes('webgpu'))('fused kernels on webgpu', () => {
  let backend: Backend;
  beforeAll(async () => void (backend = await open('webgpu')), HOOK_MS);
  afterAll(() => {
    console.info(
      `largest relative errors on ${backend.device}: ${Object.entries(worst)
        .map(([name, error]) => `${name} ${error.toExponential(1)}`)
        .join(', ')}`,
    );
    backend.close();
  }, HOOK_MS);

  it('are there once webgpu has started, go and come back, and are not used while gradients are taken', () => {
    expect(NAMES.map(hasFused)).toEqual(NAMES.map(() => true));
    unregisterWebgpuKernels();
    unregisterWebgpuKernels();
    expect(NAMES.map(hasFused)).toEqual(NAMES.map(() => false));
    registerWebgpuKernels();
    registerWebgpuKernels();
    expect(NAMES.map(hasFused)).toEqual(NAMES.map(() => true));
    const taped: boolean[] = [];
    const gradient = tf.grad((x) => {
      taped.push(hasFused('SpexlensLinear'));
      return tf.customGrad((y) => ({ value: tf.clone(y as tf.Tensor), gradFunc: (dy: tf.Tensor) => dy }))(x);
    });
    tf.dispose(gradient(tf.scalar(1)));
    expect(taped).toEqual([false]);
  });

  /** Bias and residual (of as many rows, or of a third): all ways with every activation, or one way with each. */
  const WAYS = [
    { bias: false, residual: 'none' },
    { bias: true, residual: 'none' },
    { bias: true, residual: 'whole' },
    { bias: false, residual: 'third' },
  ] as const;
  // Every program that the backend has for products: of few outputs, of few tiles, of a long inner dimension (SplitK), tiles of
  // four by four, odd tiles, one row. Compiling the tiled ones takes a software driver a second each.
  const products = [
    { shape: [1], inner: 5, width: 7, ways: 'all' },
    { shape: [2, 3], inner: 33, width: 20, ways: 'all' },
    { shape: [3, 4], inner: 2049, width: 36, ways: 'all' },
    { shape: [2, 48], inner: 64, width: 256, ways: 'one each' },
    { shape: [6, 16], inner: 48, width: 132, ways: 'one each' },
    { shape: [99], inner: 51, width: 131, ways: 'one each' },
    { shape: [1], inner: 64, width: 515, ways: 'all' },
  ];
  it.each(products)(
    'linear: $shape rows, $inner -> $width, with and without activation, bias and residual: $ways',
    async ({ shape, inner, width, ways }) => {
      const rows = shape.reduce((a, b) => a * b, 1);
      const fewer = rows % 3 === 0 ? rows / 3 : rows;
      const [x, W, b] = [draw(rows * inner), draw(inner * width, inner ** -0.5), draw(width)];
      const residuals = { none: undefined, whole: draw(rows * width), third: draw(fewer * width) };
      const given = {
        x: tf.tensor(x, [...shape, inner]),
        W: tf.tensor(W, [inner, width]),
        b: tf.tensor(b),
        whole: tf.tensor(residuals.whole, [...shape, width]),
        third: tf.tensor(residuals.third, [fewer, width]),
      };
      const cases =
        ways === 'all'
          ? ACTIVATIONS.flatMap((activation) => WAYS.map((way) => ({ activation, ...way })))
          : ACTIVATIONS.map((activation, i) => ({ activation, ...WAYS[(i + 1) % 4] }));
      for (const { activation, bias, residual } of cases) {
        const ours = await read(() => {
          const out = fused(
            'SpexlensLinear',
            {
              x: given.x,
              W: given.W,
              b: bias ? given.b : undefined,
              residual: residual === 'none' ? undefined : given[residual],
            },
            { activation },
          );
          expect(out.shape).toEqual([...shape, width]);
          return out;
        });
        expectClose(
          'SpexlensLinear',
          ours,
          linearReference(x, W, bias ? b : undefined, residuals[residual], inner, width, activation),
        );
      }
      tf.dispose(given);
    },
  );

  it('linear and gate: activations of numbers as far out as 1e30 are finite, and nothing or the number itself', async () => {
    const far = Float32Array.of(-1e30, -1e4, -90, -13, -6, -1e-3, 0, 1e-3, 6, 13, 90, 1e4, 1e30, -5.5, 5.5, 1);
    const given = { x: tf.tensor(far, [16, 1]), W: tf.ones([1, 4]) };
    const gated = { gate: tf.tensor(far), up: tf.ones([16]) };
    for (const activation of ['relu', 'silu', 'gelu', 'gelu_new'] as const) {
      const expected = Float64Array.from(far, (x) => act(x, activation));
      expectClose(
        'SpexlensLinear',
        await read(() => fused('SpexlensLinear', given, { activation })),
        expected.reduce((all, x, i) => all.fill(x, 4 * i, 4 * i + 4), new Float64Array(64)),
      );
      expectClose('SpexlensGate', await read(() => fused('SpexlensGate', gated, { activation })), expected);
    }
    tf.dispose([given, gated]);
  });

  it('linear takes weights that were unpacked from halves', async () => {
    const [inner, width, rows] = [40, 24, 9];
    const [x, W] = [draw(rows * inner), draw(inner * width)];
    const half = packHalf(W, [inner, width], 'float16');
    const given = tf.tensor(x, [rows, inner]);
    const ours = await read(() => fused('SpexlensLinear', { x: given, W: unpackHalf(half) }, { activation: 'gelu' }));
    expectClose(
      'SpexlensLinear',
      ours,
      linearReference(x, roundToHalf(W, 'float16'), undefined, undefined, inner, width, 'gelu'),
    );
    given.dispose();
    half[Symbol.dispose]();
  });

  it.each([1, 3, 64, 65, 257, 768, 1500])('norm over %i, both kinds, with and without weights', async (width) => {
    const shape = [3, 2, width];
    const [x, w, b] = [draw(6 * width).map((v, i) => v * 2 + (i < width ? 300 : 0.5)), draw(width), draw(width)]; // a row far from zero
    const given = { x: tf.tensor(x, shape), w: tf.tensor(w), b: tf.tensor(b) };
    for (const [kind, eps, offset, named] of [
      ['layer', 1e-5, 0, 'wb'],
      ['layer', 1e-5, 0, 'w'],
      ['layer', 1e-12, 0, ''],
      ['rms', 1e-6, 1, 'w'],
      ['rms', 1e-6, 0, 'w'],
      ['rms', 1e-6, 0, ''],
    ] as const) {
      if (width === 1 && eps < 1e-6) continue; // 0 / 0
      const [hasW, hasB] = [named.includes('w'), named.includes('b')];
      const ours = await read(() =>
        fused(
          'SpexlensNorm',
          { x: given.x, w: hasW ? given.w : undefined, b: hasB ? given.b : undefined },
          { kind, eps, offset },
        ),
      );
      expectClose(
        'SpexlensNorm',
        ours,
        normReference(x, hasW ? w : undefined, hasB ? b : undefined, width, kind, eps, offset),
      );
    }
    tf.dispose(given);
  });

  const attentions: readonly (AttentionCase & {
    readonly causal?: boolean;
    readonly window?: number;
    readonly padding?: number;
    readonly softcap?: number;
    readonly size?: number;
  })[] = [
    { batch: 1, queries: 1, keys: 1, heads: 1, keyHeads: 1, dHead: 1 },
    { batch: 2, queries: 16, keys: 16, heads: 3, keyHeads: 3, dHead: 64, causal: true },
    { batch: 3, queries: 17, keys: 17, heads: 4, keyHeads: 2, dHead: 5, causal: true },
    { batch: 2, queries: 1, keys: 130, heads: 4, keyHeads: 1, dHead: 64, causal: true },
    { batch: 2, queries: 3, keys: 33, heads: 6, keyHeads: 2, dHead: 12, causal: true, softcap: 2, size: 4 },
    { batch: 1, queries: 70, keys: 70, heads: 2, keyHeads: 1, dHead: 80, causal: true, window: 7 },
    { batch: 3, queries: 20, keys: 20, heads: 2, keyHeads: 2, dHead: 8, causal: true, padding: 4 },
    { batch: 1, queries: 9, keys: 9, heads: 2, keyHeads: 2, dHead: 256, softcap: 50, size: 8 },
    { batch: 1, queries: 1, keys: 5, heads: 1, keyHeads: 1, dHead: 256 },
    { batch: 1, queries: 2, keys: 40, heads: 1, keyHeads: 1, dHead: 129, size: 6 },
    { batch: 1, queries: 18, keys: 1100, heads: 2, keyHeads: 1, dHead: 16, causal: true, size: 3 },
    // By blocks of 32 queries and keys: none divided, some tiles hidden whole, queries that see nothing, caps, no mask.
    { batch: 2, queries: 75, keys: 75, heads: 4, keyHeads: 2, dHead: 64, causal: true },
    { batch: 1, queries: 100, keys: 100, heads: 2, keyHeads: 2, dHead: 20, causal: true, window: 9 },
    { batch: 3, queries: 70, keys: 70, heads: 2, keyHeads: 1, dHead: 16, causal: true, padding: 34 },
    { batch: 1, queries: 40, keys: 170, heads: 2, keyHeads: 1, dHead: 32, causal: true, softcap: 3, size: 4 },
    { batch: 2, queries: 33, keys: 45, heads: 1, keyHeads: 1, dHead: 128 },
  ];
  it.each(attentions)(
    'attention: $batch x $queries queries on $keys keys, $heads heads of $keyHeads, e = $dHead, window $window, padding $padding, cap $softcap',
    async (shape) => {
      const { batch, queries, keys, heads, keyHeads, dHead, causal, window, padding, softcap, size } = shape;
      const [q, k, v] = [
        draw(batch * queries * heads * dHead, size),
        draw(batch * keys * keyHeads * dHead, size),
        draw(batch * keys * keyHeads * dHead),
      ];
      const at = Array.from({ length: queries }, (_, i) => keys - queries + i); // the last ones, as with a cache
      const rows =
        padding === undefined
          ? undefined
          : Array.from({ length: batch }, (_, b) => Array.from({ length: keys }, (_, j) => (j < padding * b ? 0 : 1)));
      const mask = attentionMask(at, keys, { causal: causal ?? false, window: window ?? null, padding: rows });
      const given = {
        q: tf.tensor(q, [batch, queries, heads, dHead]),
        k: tf.tensor(k, [batch, keys, keyHeads, dHead]),
        v: tf.tensor(v, [batch, keys, keyHeads, dHead]),
        mask,
      };
      const scale = dHead ** -0.5;
      const expected = attentionReference(
        q,
        k,
        v,
        mask === undefined ? undefined : ((await mask.data()) as Float32Array),
        shape,
        scale,
        softcap ?? 0,
      );
      const ours = await read(() => {
        const out = fused('SpexlensAttention', given, { scale, softcap: softcap ?? 0 });
        expect(out.shape).toEqual([batch, queries, heads, dHead]);
        return out;
      });
      expectClose('SpexlensAttention', ours, expected);
      tf.dispose(Object.values(given).filter((tensor) => tensor !== undefined));
    },
  );

  it('attention: a hidden key weighs nothing, whatever its value, and a batch of 1 is met by rows', async () => {
    const [keys, dHead] = [40, 8];
    const q = tf.tensor(draw(3 * dHead), [3, 1, 1, dHead]);
    const k = tf.tensor(draw(keys * dHead, 30), [1, keys, 1, dHead]);
    const v = tf.tensor(
      Float32Array.from({ length: keys * dHead }, (_, i) => (i < 35 * dHead ? 1e30 : 2)),
      [1, keys, 1, dHead],
    );
    const mask = tf.tensor(
      Float32Array.from({ length: keys }, (_, j) => (j < 35 ? -1e30 : 0)),
      [1, 1, 1, keys],
    );
    const ours = await read(() => fused('SpexlensAttention', { q, k, v, mask }, { scale: 1, softcap: 0 }));
    expectClose('SpexlensAttention', ours, new Float64Array(3 * dHead).fill(2));
    tf.dispose([q, k, v, mask]);
  });

  it.each([3, 64, 5000])('gate of %i numbers, every activation', async (size) => {
    const [gate, up] = [draw(size, 3), draw(size)];
    const given = { gate: tf.tensor(gate, [1, size]), up: tf.tensor(up, [1, size]) };
    for (const activation of ['relu', 'silu', 'gelu', 'gelu_new'] as const) {
      expectClose(
        'SpexlensGate',
        await read(() => fused('SpexlensGate', given, { activation })),
        Float64Array.from(gate, (x, i) => act(x, activation) * up[i]),
      );
    }
    tf.dispose(given);
  });

  it.each([
    { rows: 3, tables: 3, heads: 2, dHead: 16, dims: 16 },
    { rows: 3, tables: 1, heads: 5, dHead: 10, dims: 6 },
    { rows: 1, tables: 2, heads: 1, dHead: 7, dims: 2 },
  ])(
    'turn: $rows rows by $tables tables, $heads heads, $dims of $dHead columns',
    async ({ rows, tables, heads, dHead, dims }) => {
      const length = 4;
      const all = Math.max(rows, tables);
      const x = draw(rows * length * heads * dHead);
      const given = {
        x: tf.tensor(x, [rows, length, heads, dHead]),
        ...turnTables(
          { dims, theta: 100 },
          dHead,
          Array.from({ length: tables }, (_, r) => [3 * r, 5, 2 + r, 40]),
        ),
      };
      const [cos, sin] = [await given.cos.data(), await given.sin.data()];
      const expected = Float64Array.from({ length: all * length * heads * dHead }, (_, i) => {
        const c = i % dHead;
        const token = Math.floor(i / (heads * dHead));
        const table = (token % (tables * length)) * dHead + c;
        const other = c < dims / 2 ? c + dims / 2 : c < dims ? c - dims / 2 : c;
        return x[i % x.length] * cos[table] + x[(i - c + other) % x.length] * sin[table];
      });
      const ours = await read(() => {
        const out = fused('SpexlensTurn', given, { dims });
        expect(out.shape).toEqual([all, length, heads, dHead]);
        return out;
      });
      expectClose('SpexlensTurn', ours, expected);
      unregisterWebgpuKernels();
      expectClose('SpexlensTurn', await read(() => turn(given.x, dims, given)), expected);
      registerWebgpuKernels();
      tf.dispose(given);
    },
  );

  it('more workgroups than one dimension holds are folded over two and three', async () => {
    const { device } = tf.backend() as unknown as { device: { limits: object } };
    const { limits } = device;
    const [rows, width] = [23, 300];
    const x = draw(rows * width);
    const given = {
      norm: tf.tensor(x, [rows, width]),
      attention: tf.tensor(x, [rows, 1, 1, width]),
      one: tf.ones([rows, 1, 1, width]),
      gate: tf.tensor(x),
    };
    try {
      for (const most of [5, 3]) {
        Object.defineProperty(device, 'limits', {
          value: { maxComputeWorkgroupsPerDimension: most },
          configurable: true,
        }); // as far as the backend looks
        expectClose(
          'SpexlensNorm',
          await read(() => fused('SpexlensNorm', { x: given.norm }, { kind: 'layer', eps: 1e-5, offset: 0 })),
          normReference(x, undefined, undefined, width, 'layer', 1e-5, 0),
        );
        expectClose(
          'SpexlensAttention',
          await read(() =>
            fused('SpexlensAttention', { q: given.one, k: given.one, v: given.attention }, { scale: 1, softcap: 0 }),
          ),
          Float64Array.from(x),
        );
        expectClose(
          'SpexlensGate',
          await read(() => fused('SpexlensGate', { gate: given.gate, up: given.gate }, { activation: 'relu' })),
          Float64Array.from(x, (v) => Math.max(0, v) * v),
        );
      }
    } finally {
      Object.defineProperty(device, 'limits', { value: limits });
      tf.dispose(given);
    }
  });

  // gpt2: 2 norms, 3 projections, attention, 3 products with what follows them. llama: a gate and its product more, and 2 turns.
  it.each([
    ['gpt2', 9],
    ['llama: rotary, gated, grouped heads', 13],
  ] as const)('a block of %s takes %i dispatches', async (name, expected) => {
    const { model } = randomModel(CONFIGS[name]);
    const tokens = tf.tensor2d([[1, 2, 3, 4, 5]], undefined, 'int32');
    const count = async (nLayers: number): Promise<number> => {
      let logits: tf.Tensor | undefined;
      const dispatches = dispatchesOf(() => (logits = forward({ ...model.config, nLayers }, model.parameters, tokens)));
      await logits?.data();
      logits?.dispose();
      return dispatches;
    };
    const perBlock = async (): Promise<number> => (await count(3)) - (await count(2));
    const ours = await perBlock();
    unregisterWebgpuKernels();
    const stock = await perBlock();
    registerWebgpuKernels();
    console.info(`dispatches of a block of ${name}: ${ours} with our kernels, ${stock} with stock operations`);
    expect(ours).toBe(expected);
    expect(stock / ours).toBeGreaterThan(1.9);
    tokens.dispose();
    model[Symbol.dispose]();
  });
});
