/**
 * The properties that matter, on the real device: products by tiles against Float64, every family's golden numbers, a masked
 * row against a run of its own, half storage against rounded weights. Each gives the largest error it met.
 *
 * The tests hold the same and more on a software driver; here they meet the driver that a user has.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { Clock } from './clock.ts';
import { promptOf } from './throughput.ts';
import type { Entry } from './record.ts';
import { tiledProduct, type Tile } from '../../src/backend/webgpu/tiled-product.ts';
import type { WebgpuBackend } from '../../src/backend/webgpu/program.ts';
import { openSafetensors } from '../../src/checkpoint/safetensors.ts';
import { runWithCache, runWithHooks, type Hook } from '../../src/hooks/run.ts';
import { ABLATIONS } from '../../src/lens/components/ablations.ts';
import { createComponentGame } from '../../src/lens/components/component-game.ts';
import { siteOf } from '../../src/lens/components/component.ts';
import { parsePlayers } from '../../src/lens/components/components.ts';
import { metricOf } from '../../src/lens/metrics.ts';
import { isKept, type Masks } from '../../src/masks.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { tensorOf } from '../../src/model/weights/parameters.ts';
import { proxyMasks } from '../../src/proxy/proxyspex.ts';
import { createRandom } from '../../src/random.ts';

type Check = Extract<Entry, { kind: 'check' }>;

/** Of |ours - expected| / max(1, |expected|), on a GPU. */
const ALLOWED = 1e-3;
/** Of a product whose terms have variance 1, in units of sqrt(inner). */
const PRODUCT_ALLOWED = 1e-5;

const worstOf = (ours: ArrayLike<number>, expected: ArrayLike<number>): number => {
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(ours[i] - expected[i]) / Math.max(1, Math.abs(expected[i]));
    worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
  }
  return worst;
};

/** Every tile on shapes that it does not divide, bias, activation and residual included, against Float64 at 2,000 places. */
export async function checkTiles(tiles: readonly Tile[]): Promise<Check> {
  const random = createRandom(5, 'bench-gpu/tiles');
  let worst = 0;
  for (const tile of tiles) {
    for (const [rows, inner, width] of [
      [tile.rows * 2 + 7, 768, tile.columns + 36],
      [300, 84, 140],
    ]) {
      const draw = (length: number): Float32Array => Float32Array.from({ length }, () => random.normal());
      const [x, W, b, rest] = [draw(rows * inner), draw(inner * width), draw(width), draw(rows * width)];
      const given = {
        x: tf.tensor2d(x, [rows, inner]),
        W: tf.tensor2d(W, [inner, width]),
        b: tf.tensor1d(b),
        residual: tf.tensor2d(rest, [rows, width]),
      };
      const backend = tf.backend() as unknown as WebgpuBackend & {
        read(id: object): Promise<Float32Array>;
        disposeData(id: object): void;
      };
      const out = tiledProduct(backend, tile, { ...given, activation: 'relu' });
      const ours = await backend.read(out.dataId);
      for (let place = 0; place < 2000; place++) {
        const [r, c] = [random.integer(rows), random.integer(width)];
        let sum = b[c];
        for (let i = 0; i < inner; i++) sum += x[r * inner + i] * W[i * width + c];
        const error = Math.abs(ours[r * width + c] - Math.max(sum, 0) - rest[r * width + c]) / Math.sqrt(inner);
        worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
      }
      backend.disposeData(out.dataId);
      tf.dispose(given);
    }
  }
  return {
    kind: 'check',
    claim: 'products by tiles are those of Float64, in units of sqrt(inner)',
    error: worst,
    allowed: PRODUCT_ALLOWED,
    cases: 2 * tiles.length,
  };
}

/** Logits and residuals of the golden rows of every family in `folder`. */
export async function checkFamilies(folder: string, clock: Clock): Promise<Check> {
  let [worst, cases] = [0, 0];
  for (const name of readdirSync(folder)) {
    if (!clock.has(3)) break;
    const model = await loadModel(join(folder, name));
    const file = await openSafetensors(join(folder, name, 'golden.safetensors'));
    const handedOn = model.config.layout === 'post' ? 'normalized_resid_post' : 'resid_post';
    for (const r of [0, 1]) {
      const tokens = [...(await file.readIntegers(`tokens.${r}`))];
      const types = file.tensors.has(`types.${r}`) ? [...(await file.readIntegers(`types.${r}`))] : undefined;
      const ours = runWithCache(model, tokens, {
        names: (hook) => /_resid_(pre|post)$/.test(hook),
        ...(types === undefined ? {} : { tokenTypes: [types] }),
      });
      const residuals = await file.read(`residuals.${r}`);
      const size = tokens.length * model.config.dModel;
      for (let l = 0; l <= model.config.nLayers; l++) {
        const layer = l < model.config.nLayers ? ours.cache.get('resid_pre', l) : ours.cache.get(handedOn, -1);
        worst = Math.max(worst, worstOf(await layer.data(), residuals.subarray(l * size, (l + 1) * size)));
      }
      worst = Math.max(worst, worstOf(await ours.logits.data(), await file.read(`logits.${r}`)));
      ours.logits.dispose();
      ours.cache[Symbol.dispose]();
      cases++;
    }
    model[Symbol.dispose]();
  }
  return {
    kind: 'check',
    claim: "every family's golden logits and residuals (Hugging Face transformers)",
    error: worst,
    allowed: ALLOWED,
    cases,
  };
}

/** Values of `count` masks in batches, against a run by itself for each with hooks that multiply. */
export async function checkMasked(model: Model, players: string, length: number, count: number): Promise<Check> {
  const task = promptOf(model.config.dVocab, length, 3);
  const parts = parsePlayers(players, model.config);
  const game = createComponentGame(model, {
    players: parts,
    tasks: [task],
    metric: metricOf('logit-diff'),
    ablation: ABLATIONS.zero,
  });
  const masks = proxyMasks(parts.length, Math.max(count, 512), 4);
  const values = await game.value(masks);
  game[Symbol.dispose]();
  const single: number[] = [];
  for (let row = 0; row < count; row++) {
    const logits = runWithHooks(model, [task.tokens], hooksOf(model, parts, masks, row)); // [1, S, V]
    const last = tf.tidy(() => tf.reshape(tf.slice(logits, [0, length - 1, 0], [1, 1, -1]), [-1]));
    const at = await last.data();
    single.push(at[task.correct as number] - at[task.incorrect as number]);
    tf.dispose([logits, last]);
  }
  return {
    kind: 'check',
    claim: `a masked row is a run of its own: ${model.name}, ${players}, ${length} tokens`,
    error: worstOf(values.subarray(0, count), single),
    allowed: ALLOWED,
    cases: count,
  };
}

function hooksOf(model: Model, parts: ReturnType<typeof parsePlayers>, masks: Masks, row: number): Hook[] {
  const sites = new Map<Hook[0], Float32Array>();
  parts.forEach(({ components }, player) => {
    for (const component of components) {
      const { hook, elements } = siteOf(component, model.config);
      const kept = sites.get(hook) ?? new Float32Array(elements).fill(1);
      sites.set(hook, kept);
      if (!isKept(masks, row, player)) kept[component.element] = 0;
    }
  });
  return [...sites].map(([name, kept]) => [
    name,
    (activation) =>
      tf.mul(activation, tf.tensor(kept, activation.rank === 4 ? [1, 1, kept.length, 1] : [1, 1, kept.length])),
  ]);
}

/** Logits of weights in halves, widened for each product, against those of the same weights rounded beforehand. */
export async function checkHalves(folder: string, storage: 'float16' | 'bfloat16'): Promise<Check> {
  const halves = await loadModel(folder, { storage });
  const task = promptOf(halves.config.dVocab, 12, 6);
  const rounded = Object.fromEntries(
    Object.entries(halves.parameters).map(([name, parameter]) => [name, tf.clone(tensorOf(parameter))]),
  );
  const whole: Model = { ...halves, parameters: rounded, storage: 'float32' };
  const [ours, expected] = [runWithHooks(halves, [task.tokens], []), runWithHooks(whole, [task.tokens], [])];
  const error = worstOf(await ours.data(), await expected.data());
  tf.dispose([ours, expected, rounded]);
  halves[Symbol.dispose]();
  return {
    kind: 'check',
    claim: `weights held as ${storage} compute what rounded weights do: ${halves.name}`,
    error,
    allowed: 1e-5,
    cases: 1,
  };
}
