/** Studies of a made-up model and games that stand for it, so that the queue can be tested without one. */
import { checkPlayers, type Game } from '../../../src/game.ts';
import { throwIfAborted } from '../../../src/errors.ts';
import { isKept, type Masks } from '../../../src/masks.ts';
import { hostOf, type OpenStudy } from '../../../src/measure/queue/study-host.ts';
import type { Study } from '../../../src/study.ts';

const NAMED = { definition: null };

/** A study over `n` heads of a model that is nowhere; `id` makes others of it. */
export function madeUpStudy(n: number, id = 'made-up'): Study {
  return {
    spexlens: 'study/1',
    model: { id, weights: '0'.repeat(64), configuration: '1'.repeat(64), tokenizer: null, storage: 'float32' },
    backend: 'cpu',
    question: {
      lens: 'components',
      players: Array.from({ length: n }, (_, i) => ({
        name: `L${i >> 4}H${i & 15}`,
        place: { kind: 'head', layer: i >> 4, head: i & 15 },
      })),
      prompts: [{ tokens: [1, 2, 3], correct: 1, incorrect: 2, position: null, corrupted: null }],
      metric: { name: 'logit-diff', ...NAMED },
      ablation: { name: 'zero', ...NAMED, rescale: false, data: null },
    },
  };
}

const bit = (masks: Masks, row: number, player: number): number => Number(isKept(masks, row, player));

/** Σ_i m_i / (i + 3) + m_0 m_1: what a mask of a made-up study is worth. */
export function madeUpValue(masks: Masks, row: number): number {
  let sum = bit(masks, row, 0) * bit(masks, row, 1);
  for (let i = 0; i < masks.players; i++) if (isKept(masks, row, i)) sum += 1 / (i + 3);
  return sum;
}

export interface MadeUpOptions {
  /** Milliseconds that a mask takes, without work. */
  readonly each?: number;
  readonly value?: (masks: Masks, row: number) => number;
}

/** The game itself, with its gradients. */
export function madeUpGame(n: number, { each = 0, value = madeUpValue }: MadeUpOptions = {}): Game {
  const name = 'made-up logit-diff';
  const wait = async (count: number, signal: AbortSignal | undefined): Promise<void> => {
    for (const until = performance.now() + each * count; performance.now() < until; ) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(20, until - performance.now())));
      throwIfAborted(signal, name);
    }
  };
  const valuesOf = async (masks: Masks, signal: AbortSignal | undefined): Promise<Float64Array> => {
    checkPlayers(name, n, masks);
    throwIfAborted(signal, name);
    await wait(masks.count, signal);
    return Float64Array.from({ length: masks.count }, (_, row) => value(masks, row));
  };
  return {
    name,
    players: madeUpStudy(n).question.players,
    value: async (masks, { signal } = {}) => valuesOf(masks, signal),
    async gradients(masks, { signal } = {}) {
      const values = await valuesOf(masks, signal);
      const gradients = new Float32Array(masks.count * n);
      for (let row = 0; row < masks.count; row++)
        for (let i = 0; i < n; i++)
          gradients[row * n + i] = 1 / (i + 3) + (i === 0 ? bit(masks, row, 1) : i === 1 ? bit(masks, row, 0) : 0);
      return { values, gradients };
    },
  };
}

/** Opens every study as a made-up one. */
export const openMadeUp =
  (options: MadeUpOptions = {}): OpenStudy =>
  async ({ question }) =>
    hostOf(madeUpGame(question.players.length, options));
