import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  attention,
  describeModel,
  detectHeads,
  explain,
  findCircuit,
  gameFromFunction,
  isKept,
  loadModel,
  mimeBundle,
  openBackend,
  patchSweep,
  recordOf,
  runWithCache,
  show,
  solve,
  SOLVERS,
  type Backend,
  type Game,
  type MimeBundle,
  type Model,
} from '../../src/index.ts';
import { DISPLAY } from '../../src/showing.ts';
import { faultsOf } from '../../scripts/notebook-faults.ts';
import '../tensors.ts';

const PROMPT = 'When Mary and John went to the store, John gave a drink to';
let backend: Backend;
let model: Model;
beforeAll(async () => {
  backend = await openBackend('wasm');
  model = await loadModel('ioi-tiny');
});
afterAll(() => {
  model[Symbol.dispose]();
  backend.close();
});

const game: Game = gameFromFunction(
  'and',
  6,
  (row, masks) => Number(isKept(masks, row, 0)) + 2 * Number(isKept(masks, row, 1) && isKept(masks, row, 2)),
);

/** What a kernel gets: as Deno's does, it asks the value itself. */
async function shown(value: object): Promise<MimeBundle> {
  const display = (value as Record<symbol, unknown>)[DISPLAY];
  if (typeof display !== 'function') throw new Error('it does not show itself');
  return (await display.call(value)) as MimeBundle;
}

/** The pictures of a bundle, looked at as those of a notebook are. */
function faults(data: MimeBundle): string[] {
  return faultsOf({ cells: [{ cell_type: 'code', source: '', outputs: [{ output_type: 'display_data', data }] }] });
}

describe('a value shows itself', () => {
  const values: Record<string, () => Promise<object>> = {
    'a cache with attention': async () =>
      runWithCache(model, PROMPT, { names: (name) => name.endsWith('pattern') }).cache,
    'a logit attribution': async () =>
      runWithCache(model, PROMPT).cache.logitAttribution({ by: 'layers', tokens: ' Mary', positions: [-1] }),
    'attention patterns': () => attention(model, PROMPT, { heads: ['L2H1', 'L0H3'] }),
    'scores of heads': () => detectHeads(model, PROMPT, 'previous-token'),
    'a patching sweep': () =>
      patchSweep(model, backend, {
        clean: PROMPT,
        corrupted: PROMPT.replace('John gave', 'Mary gave'),
        correct: ' Mary',
        incorrect: ' John',
        what: 'z',
      }),
    'an explanation': () => explain(game, { budget: 64, heldOut: 0 }),
    'a scored solution': () => solve(game, { solver: SOLVERS.exact, budget: 64, heldOut: 0, seed: 0 }),
    'a spectrum': async () =>
      (await solve(game, { solver: SOLVERS.exact, budget: 64, heldOut: 0, seed: 0 })).solution.spectrum,
    'a circuit': async () => {
      const { solution } = await solve(game, { solver: SOLVERS.exact, budget: 64, heldOut: 0, seed: 0 });
      return findCircuit(solution.spectrum, game, { seed: 0 });
    },
    'a tensor': async () => tf.tensor([1, -2, 3, 4, 5, 6], [2, 3]),
  };
  it.each(Object.keys(values))('%s, as HTML, SVG and text', async (name) => {
    const bundle = await shown(await values[name]());
    expect(Object.keys(bundle)).toEqual(['text/plain', 'text/html', 'image/svg+xml']);
    expect(bundle['text/html']).toContain('<svg');
    expect(faults(bundle)).toEqual([]);
    expect(bundle['text/plain'].length).toBeGreaterThan(20);
  });

  it('a model and its description as tables, a logit lens as tokens', async () => {
    expect((await shown(model))['text/plain']).toContain('ioi-tiny: 225,');
    expect((await shown(describeModel(model)))['text/html']).toContain('hook_resid_pre');
    const { cache } = runWithCache(model, PROMPT);
    expect((await shown(await cache.logitLens({ k: 1 })))['text/html']).toContain('Mary');
  });

  it('a record of its own making through show', async () => {
    const drawn: string[][] = [];
    await show(recordOf(await explain(game, { budget: 64, heldOut: 0 })), (mime, data) => drawn.push([mime, data]));
    expect(drawn.map(([mime]) => mime)).toEqual(['text/html']);
    expect(drawn[0][1]).toContain('What acts together in and');
  });

  it('without a trace in its JSON, its keys or a copy', async () => {
    const spectrum = (await solve(game, { solver: SOLVERS.exact, budget: 64, heldOut: 0, seed: 0 })).solution.spectrum;
    expect(Object.keys(spectrum)).toEqual(['basis', 'players', 'terms']);
    expect(DISPLAY in { ...spectrum }).toBe(false);
    expect(structuredClone(spectrum)).toEqual(spectrum);
  });

  it('with ids that no other cell has', async () => {
    const record = recordOf(await explain(game, { budget: 64, heldOut: 0 }));
    const ids = (html: string): string[] => [...html.matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id);
    const [first, second] = [await mimeBundle(record), await mimeBundle(record)].map((bundle) =>
      ids(bundle['text/html']),
    );
    expect(first.length).toBeGreaterThan(0);
    expect(first.filter((id) => second.includes(id))).toEqual([]);
  });
});

describe('a tensor', () => {
  const text = async (tensor: tf.Tensor): Promise<string> => (await mimeBundle(tensor))['text/plain'];

  it('says its shape, its type and a corner, at index 0 of the axes before the last two', async () => {
    const tensor = tf.reshape(tf.range(0, 2 * 3 * 40, 1, 'int32'), [2, 3, 40]);
    expect(await text(tensor)).toBe(
      'Tensor [2, 3, 40] int32, [0, ..]\n 0   1   2   3   4   5  …\n40  41  42  43  44  45  …\n80  81  82  83  84  85  …',
    );
  });

  it('may be a number, a row, nothing, words, or gone', async () => {
    expect(await text(tf.scalar(2.5))).toBe('Tensor [] float32\n2.50');
    expect(await text(tf.tensor1d([1, 2]))).toBe('Tensor [2] float32\n1  2');
    expect(await text(tf.zeros([0, 3]))).toBe('Tensor [0, 3] float32');
    expect(await text(tf.tensor(['a'], [1], 'string'))).toBe('Tensor [1] string');
    const gone = tf.scalar(1);
    gone.dispose();
    expect(await text(gone)).toBe('Tensor [] float32, disposed');
  });

  it('is drawn without what is not a number, and leaves no tensor behind', async () => {
    const tensor = tf.tensor([1, NaN, -Infinity, 2], [2, 2]);
    expect((await mimeBundle(tensor))['text/html']).not.toContain('NaN"');
    await expect(() => mimeBundle(tensor)).toLeakNoTensors();
  });
});

describe('what has no picture', () => {
  it('is an error that names what has', async () => {
    await expect(show({ a: 1 })).rejects.toThrow(/knows no picture of \{a\}; it draws tensors, results,/);
  });

  it('and outside a notebook show says what to do', async () => {
    await expect(show(tf.scalar(1))).rejects.toThrow(/finds no notebook that draws; pass what draws/);
  });
});
