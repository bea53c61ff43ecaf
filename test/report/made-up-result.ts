/**
 * Made-up results for the report's tests: seeded, plausible, and consistent (values, energy, interactions and
 * circuit all follow from one drawn spectrum), so that the pages they give look like real ones.
 */
import { findCircuit } from '../../src/circuit/find-circuit.ts';
import { removalCurve } from '../../src/circuit/removal.ts';
import { masksFromMembers, maskHex } from '../../src/masks.ts';
import type { Selector } from '../../src/circuit/selector.ts';
import type { Game } from '../../src/game.ts';
import { createRandom } from '../../src/random.ts';
import { capSpectrum, listInteractions } from '../../src/report/interactions.ts';
import { RESULT_SCHEMA, type Result, type ResultPlayer } from '../../src/report/result.ts';
import { directSubsetRate, energyByOrder, energySplit, staircaseRate } from '../../src/spectrum/energy.ts';
import { createSpectrum, evaluate, setKey, type FourierSpectrum, type Term } from '../../src/spectrum/spectrum.ts';

export interface MadeUp {
  readonly players: readonly ResultPlayer[];
  readonly layers?: number;
  readonly heads?: number;
  /** Interactions drawn beside the singles, default 40. */
  readonly interactions?: number;
  readonly seed?: number;
  /** Whether a circuit is looked for, default yes. */
  readonly circuit?: boolean;
  readonly prompt?: string;
  readonly name?: string;
}

/** L0H0 .. of every layer, and MLP0 .. when asked. */
export function heads(layers: number, perLayer: number, mlps = false): ResultPlayer[] {
  return Array.from({ length: layers }, (_, layer) => [
    ...Array.from(
      { length: perLayer },
      (_, head): ResultPlayer => ({ name: `L${layer}H${head}`, layer, place: { kind: 'head', layer, head } }),
    ),
    ...(mlps ? [{ name: `MLP${layer}`, layer, place: { kind: 'mlp', layer } } satisfies ResultPlayer] : []),
  ]).flat();
}

export function tokens(words: readonly string[]): ResultPlayer[] {
  return words.map((word, k) => ({ name: `${word}@${k}` }));
}

export function neurons(count: number, layer = 1): ResultPlayer[] {
  return Array.from({ length: count }, (_, k) => ({
    name: `L${layer}N${k}`,
    layer,
    place: { kind: 'neuron', layer, neuron: k },
  }));
}

/** A result over `players`; the same arguments give the same record. */
export async function madeUpResult(options: MadeUp): Promise<Result> {
  const {
    players,
    layers = 0,
    heads: perLayer = 0,
    interactions = 40,
    seed = 1,
    prompt = 'When Mary and John went to the store, John gave a drink to',
    name = 'ioi-tiny',
  } = options;
  const n = players.length;
  const spectrum = drawSpectrum(n, interactions, seed);
  const values = players.map((_, i) => ({
    banzhaf: -2 * valueOfSet(spectrum, [i]),
    shapley: spectrum.terms.reduce(
      (sum, { members, value }) =>
        sum + (members.includes(i) && members.length % 2 === 1 ? (-2 * value) / members.length : 0),
      0,
    ),
  }));
  const game: Game = {
    name,
    players,
    async value(masks) {
      // A little that the spectrum does not know, the same for the same mask.
      return evaluate(spectrum, masks).map(
        (value, row) => value + 0.1 * createRandom(seed, maskHex(masks, row)).normal(),
      );
    },
  };
  const [ablated, clean] = await game.value(masksFromMembers(n, [[], players.map((_, i) => i)]));
  const additive = createSpectrum(
    'fourier',
    n,
    spectrum.terms.filter(({ members }) => members.length < 2),
  );
  const circuit =
    options.circuit === false
      ? undefined
      : await findCircuit(spectrum, game, {
          seed,
          randomSets: 30,
          selector: ranking(values),
          rivals: { 'first order': additive },
        });
  const removal =
    options.circuit === false
      ? undefined
      : await removalCurve(spectrum, game, {
          seed,
          randomSets: 10,
          sizes: [1, Math.ceil(n / 2), n].filter((r, k, all) => all.indexOf(r) === k),
          rivals: { 'first order': additive },
          selector: ranking(values),
        });
  const split = energySplit(
    spectrum,
    players.map(({ layer }) => layer),
  );
  const byOrder = energyByOrder(spectrum);
  return {
    schema: RESULT_SCHEMA,
    software: { name: 'spexlens', version: '0.1.0', node: '20.20.0', platform: 'linux-x64' },
    run: {
      command: `npx tsx scripts/find-circuits.ts --model models/${name} --ablation zero --metric logit-diff --solver proxyspex --budget 1024 --seed 0`,
      options: {
        ablation: 'zero',
        budget: 1024,
        metric: 'logit-diff',
        model: `models/${name}`,
        players: 'heads',
        seed: 0,
        solver: 'proxyspex',
        target: 0.9,
      },
      seed: 0,
    },
    name,
    model: {
      family: 'gpt2',
      layers,
      heads: perLayer,
      parameters: 861_312,
      weightsHash: 'sha256:5b1f0c6e9d2a4f7788c1',
    },
    backend: {
      name: 'wasm',
      reason: 'the fastest one that is here',
      notes: ['tensorflow: @tensorflow/tfjs-node-gpu is not installed', 'webgpu: no hardware adapter was found'],
      selfCheckError: 2.4e-7,
    },
    task: {
      prompts: [{ text: prompt, tokens: prompt.split(' '), correct: ' Mary', incorrect: ' John' }],
      metric: 'logit difference',
      units: 'logits',
      ablation: 'zero',
      players: players[0].place?.kind === 'head' ? 'heads' : players[0].layer !== undefined ? 'neurons' : 'tokens',
    },
    players,
    clean,
    ablated,
    masks: {
      budget: 1024,
      measured: 1731,
      resumed: 0,
      heldOut: 512,
      forwardRows: 1731,
      rowsPerSecond: 402.3,
      seconds: 4.31,
    },
    solver: { name: 'proxyspex', masks: 1024, exact: false, details: { trees: 500, depth: 5, learningRate: 0.1 } },
    spectrum: capSpectrum(spectrum, 400),
    heldOut: {
      r2: 0.9724,
      low: 0.9611,
      high: 0.9792,
      level: 0.95,
      masks: 512,
      firstOrder: { r2: 0.7431, low: 0.7012, high: 0.7804, level: 0.95, masks: 512 },
    },
    energy: {
      ...split,
      byOrder: byOrder.map((energy, d) => ({ order: d, share: split.total === 0 ? 0 : energy / split.total })).slice(1),
    },
    hierarchy: {
      terms: 200,
      directSubsetRate: directSubsetRate(spectrum, 200),
      staircaseRate: staircaseRate(spectrum, 200),
    },
    values,
    interactions: listInteractions(spectrum, players, values, undefined, 20),
    ...(circuit && {
      circuit: {
        ...circuit,
        members: circuit.members.map(({ player, name: called, necessity }) => ({ player, name: called, necessity })),
      },
    }),
    ...(removal && { removal }),
    findings: [],
    files: [
      { path: 'out/result.json', what: 'this record' },
      { path: 'out/report.html', what: 'the page' },
      { path: 'out/masks.jsonl', what: 'every mask and its value' },
    ],
  };
}

/** The k players with the largest Shapley values: no search, so that large fixtures are quick. */
function ranking(values: Result['values']): Selector {
  const order = values.map((_, i) => i).sort((a, b) => values[b].shapley - values[a].shapley || a - b);
  return {
    name: 'ranking',
    optimal: false,
    select: ({ spectrum, sizes }) =>
      masksFromMembers(
        spectrum.players,
        sizes.map((size) => order.slice(0, size)),
      ),
  };
}

/** Singles of geometric size, most of them helpful, and interactions of order 2 to 5 among the strong ones. */
function drawSpectrum(n: number, interactions: number, seed: number): FourierSpectrum {
  const random = createRandom(seed, 'made-up spectrum');
  const strength = Array.from({ length: n }, () => Math.exp(1.2 * random.normal()));
  const scale = 1 / Math.sqrt(strength.reduce((sum, s) => sum + s * s, 0));
  const ranked = strength.map((_, i) => i).sort((a, b) => strength[b] - strength[a] || a - b);
  const terms = new Map<string, Term>();
  terms.set('', { members: [], value: 1.2 });
  strength.forEach((s, i) =>
    terms.set(String(i), { members: [i], value: (random.uniform() < 0.8 ? -1 : 0.4) * s * scale }),
  );
  for (let k = 0; k < interactions && n > 1; k++) {
    const draw = random.uniform();
    const order = Math.min(n, draw < 0.72 ? 2 : draw < 0.92 ? 3 : draw < 0.98 ? 4 : 5);
    const pool = Math.min(n, 6 + Math.floor(n / 6));
    const members = random
      .subset(pool, Math.min(order, pool))
      .map((place) => ranked[place])
      .sort((a, b) => a - b);
    const value = 0.55 * Math.exp(-0.12 * k) * (0.5 + random.uniform()) * (random.uniform() < 0.55 ? 1 : -1);
    terms.set(setKey(members), { members, value: value * 0.6 ** (members.length - 2) });
  }
  return createSpectrum('fourier', n, terms.values());
}

function valueOfSet(spectrum: FourierSpectrum, members: readonly number[]): number {
  return spectrum.terms.find((term) => setKey(term.members) === setKey(members))?.value ?? 0;
}
