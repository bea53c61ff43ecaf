/** The true edges of compiled programs: as published, and as brute force on the model's hooks finds them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runWithCache, runWithHooks, type Hook } from '../../src/hooks/run.ts';
import { eapEdges } from '../../src/circuit/eap-graph.ts';
import type { HookName } from '../../src/model/hook-points.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { compile, type CompiledProgram } from '../../src/rasp/compile.ts';
import { inputsOf } from '../../src/rasp/inputs.ts';
import { PROGRAMS, programOf } from '../../src/rasp/programs.ts';
import { createRandom } from '../../src/random.ts';
import { idsOf } from '../../src/rasp/run-compiled.ts';
import { carryingEdges, edgeName, truthOf, type Truth } from '../../src/rasp/truth.ts';
import { writeProgram } from '../../src/write-program.ts';
import { open, TEST_BACKEND } from '../tensors.ts';

const made = new Map<string, { compiled: CompiledProgram; truth: Truth }>();
function make(name: string): { compiled: CompiledProgram; truth: Truth } {
  const before = made.get(name);
  if (before !== undefined) return before;
  const known = programOf(name);
  const compiled = compile(known.make(known), known);
  const result = { compiled, truth: truthOf(compiled, { inputs: inputsOf({ ...known, most: 2000 }).inputs }) };
  made.set(name, result);
  return result;
}

/** Published truths know one embedding, of tokens and positions. */
const published = (edges: readonly string[]): string[] =>
  [...new Set(edges.map((edge) => edge.replace(/^positions/, 'input')))].sort();

/** Every edge of the transformer, those of the table of positions beside those of the tokens. */
function edgesOf({ sizes }: CompiledProgram): string[] {
  const cfg = {
    n_layers: sizes.layers,
    n_heads: sizes.heads,
    d_model: sizes.dModel,
    parallel_attn_mlp: false,
    attn_only: sizes.dMlp === 0,
  };
  return eapEdges(cfg).flatMap((edge) =>
    edge.startsWith('input') ? [edge, edge.replace('input', 'positions')] : [edge],
  );
}

const REVERSE = [
  'input->a0.h0<v>',
  'a0.h0->m0',
  'input->m0',
  'm0->m1',
  'input->m1',
  'm1->m2',
  'm2->a3.h0<q>',
  'input->a3.h0<k>',
  'input->a3.h0<v>',
  'a3.h0->logits',
];

describe('the truth of a compiled program', () => {
  it("is the published circuit of Tracr's reverse", () => {
    const { edges, parts } = make('reverse').truth;
    expect(published(edges.zero)).toEqual([...REVERSE].sort());
    expect(edges.resample).toEqual(['input->a3.h0<v>', 'a3.h0->logits']);
    expect(parts).toMatchObject({ zero: ['a0.h0', 'm0', 'm1', 'm2', 'a3.h0'], resample: ['a3.h0'] });
  });

  it('is that of frac_prevs', () => {
    const { edges } = make('frac_prevs').truth;
    const carried = ['input->m0', 'm0->a1.h0<v>', 'a1.h0->logits'];
    expect(published(edges.resample)).toEqual([...carried].sort());
    expect(published(edges.zero)).toEqual([...carried, 'input->a1.h0<q>', 'input->a1.h0<k>'].sort());
  });

  it('has the edges of parts that stand in for each other, though none of them matters alone', () => {
    const { edges } = make('two_of_three').truth;
    for (const head of ['a1.h0', 'a1.h1', 'a1.h2'])
      expect(edges.zero).toEqual(
        expect.arrayContaining([`m0->${head}<v>`, `positions->${head}<q>`, `positions->${head}<k>`]),
      );
  });

  it.each(Object.keys(PROGRAMS))(
    '%s: only edges of the transformer, all of which carry something',
    (name) => {
      const { compiled, truth } = make(name);
      const all = new Set(edgesOf(compiled));
      const carrying = new Set(carryingEdges(compiled).map(edgeName));
      for (const edges of Object.values(truth.edges))
        for (const edge of edges) expect([all.has(edge), carrying.has(edge)], edge).toEqual([true, true]);
      for (const edge of truth.edges.resample) expect(truth.edges.zero, edge).toContain(edge);
      expect(truth.edges.zero.length).toBeGreaterThan(0);
    },
    60_000,
  );
});

describe.each([TEST_BACKEND])('brute force by hooks, on %s', (backend) => {
  const folder = mkdtempSync(join(tmpdir(), 'spexlens-truth-'));
  let close: () => void;
  beforeAll(async () => {
    close = (await open(backend)).close;
  });
  afterAll(() => {
    close();
    rmSync(folder, { recursive: true });
  });

  // All but two_of_three, whose edges do not show one at a time.
  it.each(Object.keys(PROGRAMS).filter((name) => name !== 'two_of_three'))(
    '%s: the edges whose removal alone changes an answer to an input are the true ones',
    async (name) => {
      const { compiled, truth } = make(name);
      await writeProgram(join(folder, name), compiled, { truth, name, about: '' });
      using model = await loadModel(join(folder, name));
      const known = programOf(name);
      const edges = edgesOf(compiled);
      const carrying = new Set(carryingEdges(compiled).map(edgeName));
      const found = { zero: new Set<string>(), resample: new Set<string>() };
      const { inputs } = inputsOf(known);
      const rowsOf = (length: number): number[][] => {
        const rows = inputs.filter((input) => input.length === length).map((input) => idsOf(compiled, input));
        return rows.filter((_, k) => k % Math.ceil(rows.length / MOST_ROWS) === 0);
      };
      for (let length = 1; length <= compiled.maxLength; length++) {
        const rows = rowsOf(length);
        if (rows.length === 0) continue;
        for (const kind of ['zero', 'resample'] as const) {
          const asked = edges.filter((edge) => carrying.has(edge) && !found[kind].has(edge));
          removals(model, rows, asked, kind).forEach((edge) => found[kind].add(edge));
        }
      }
      expect([...found.zero].sort()).toEqual([...truth.edges.zero].sort());
      expect([...found.resample].sort()).toEqual([...truth.edges.resample].sort());
      const idle = edges.filter((edge) => !carrying.has(edge));
      expect(removals(model, rowsOf(3).slice(-8), idle, 'zero')).toEqual([]);
    },
    120_000,
  );
});

/** Inputs of one length at most; of more, every second, third, ... stands for its neighbours. */
const MOST_ROWS = 256;

/** Those of `edges` that change the logits behind BOS for some of `rows` (of one length) when taken away, or exchanged between rows. */
function removals(
  model: Model,
  rows: readonly (readonly number[])[],
  edges: readonly string[],
  kind: 'zero' | 'resample',
): string[] {
  const names = (name: HookName): boolean => /hook_(pos_)?embed$|attn\.hook_result$|hook_mlp_out$/.test(name);
  const { logits, cache } = runWithCache(model, rows, { names });
  const random = createRandom(0, 'partners');
  const orders = [0, 1, 2, 3].map(() => random.shuffle([...rows.keys()]));
  const written = (sender: string): tf.Tensor => {
    if (sender === 'input') return cache.get('hook_embed');
    if (sender === 'positions') return cache.get('hook_pos_embed');
    const [, part, layer, head] = /^([am])(\d+)(?:\.h(\d+))?$/.exec(sender) ?? [];
    if (part === 'm') return cache.get(`blocks.${Number(layer)}.hook_mlp_out`);
    const result = cache.get(`blocks.${Number(layer)}.attn.hook_result`);
    return tf.squeeze(tf.slice(result, [0, 0, Number(head), 0], [-1, -1, 1, -1]), [2]);
  };
  /** A hook that adds `change` where the edge is read. */
  const at = (receiver: string, change: tf.Tensor): Hook => {
    if (receiver === 'logits') return ['unembed.hook_in', (x) => tf.add(x, change)];
    const [, part, layer, head, port] = /^([am])(\d+)(?:\.h(\d+)<(.)>)?$/.exec(receiver) ?? [];
    if (part === 'm') return [`blocks.${Number(layer)}.hook_mlp_in`, (x) => tf.add(x, change)];
    const one = Array.from({ length: model.config.nHeads }, (_, h) => Number(h === Number(head)));
    const here = tf.mul(tf.expandDims(change, 2), tf.tensor(one, [1, 1, one.length, 1]));
    return [`blocks.${Number(layer)}.hook_${port as 'q' | 'k' | 'v'}_input`, (x) => tf.add(x, here)];
  };
  const changes = (edge: string, instead: (carried: tf.Tensor) => tf.Tensor): boolean =>
    tf.tidy(() => {
      const [sender, receiver] = edge.split('->');
      const carried = written(sender);
      const changed = runWithHooks(model, rows, [at(receiver, tf.sub(instead(carried), carried))]);
      return tf.max(tf.slice(tf.abs(tf.sub(changed, logits)), [0, 1, 0])).dataSync()[0] > 1e-3;
    });
  const found = edges.filter((edge) =>
    kind === 'zero'
      ? changes(edge, (carried) => tf.zerosLike(carried))
      : orders.some((order) => changes(edge, (carried) => tf.gather(carried, order))),
  );
  logits.dispose();
  cache[Symbol.dispose]();
  return found;
}
