/** Training examples as players: what is read, who plays, what a value is, and that estimates and answers find what was planted. */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { Matrix, solve } from 'ml-matrix';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spectrumOfLeftOut } from '../../../src/attribution/left-out.ts';
import type { Backend } from '../../../src/backend/backend.ts';
import { attributeData } from '../../../src/attribute-data.ts';
import { createDataGame, type DataGameOptions } from '../../../src/lens/examples/data-game.ts';
import { parseCsv, parseJsonl, type Example } from '../../../src/lens/examples/data-set.ts';
import { clustersOf, eachExample, groupsOf, ownersOf } from '../../../src/lens/examples/example-players.ts';
import { solveDamped } from '../../../src/lens/examples/estimates/conjugate-gradients.ts';
import { ESTIMATE_NAMES, estimateOf } from '../../../src/lens/examples/estimates/estimates.ts';
import { influences, secondOrderInfluence } from '../../../src/lens/examples/estimates/influence.ts';
import { trainOnAll } from '../../../src/lens/examples/estimates/trained.ts';
import { trak } from '../../../src/lens/examples/estimates/trak.ts';
import { RECIPES } from '../../../src/lens/examples/recipes.ts';
import { TEST_VALUES } from '../../../src/lens/examples/test-values.ts';
import { allMasks, masksFromMembers } from '../../../src/masks.ts';
import { createRandom } from '../../../src/random.ts';
import { renderReport } from '../../../src/report/html.ts';
import { formatResult, parseResult } from '../../../src/report/result.ts';
import { terminalReport } from '../../../src/report/terminal.ts';
import { pearson } from '../../../src/spectrum/correlation.ts';
import { evaluate } from '../../../src/spectrum/spectrum.ts';
import { fourierFromTable } from '../../../src/spectrum/walsh-hadamard.ts';
import { gaussNewton } from '../../../src/train/derivatives.ts';
import { unflatten } from '../../../src/train/parameters.ts';
import { gameContract } from '../../contracts/game.ts';
import { open } from '../../tensors.ts';

const FOLDER = 'examples/reviews';
const read = (file: string): Example[] => parseJsonl(readFileSync(`${FOLDER}/${file}`, 'utf8'), file);
const [TRAIN, TEST] = [read('train.jsonl'), read('test.jsonl')];

/** Two classes of points around (1, 0) and (0, 1), in groups a to d. */
function points(count: number): Example[] {
  const random = createRandom(4);
  return Array.from({ length: count }, (_, n) => {
    const label = n % 2;
    const vector = [label + 0.5 * random.normal(), 1 - label + 0.5 * random.normal(), random.normal()];
    return { vector, label: String(label), fields: { group: 'abcd'[n % 4] } };
  });
}

const SETTINGS = { ...RECIPES.softmax.defaults, training: { ...RECIPES.softmax.defaults.training, epochs: 30 } };

function optionsFor(count = 24, test = 2): DataGameOptions & { players: ReturnType<typeof groupsOf> } {
  const all = points(count + test);
  const [train, tested] = [all.slice(0, count), all.slice(count)];
  const opened = RECIPES.softmax.open(train, tested, SETTINGS);
  return { ...opened, players: groupsOf(train, 'group'), training: SETTINGS.training, value: TEST_VALUES['log-odds'] };
}

describe('what is read', () => {
  it('JSONL, with its fields, a byte-order mark and CRLF', () => {
    const found = parseJsonl(
      '\uFEFF{"text":"a b","label":1,"source":"x","year":3}\r\n\r\n{"vector":[1,2],"label":"y"}\r\n',
      'f',
    );
    expect(found).toEqual([
      { text: 'a b', vector: undefined, label: '1', fields: { source: 'x', year: '3' } },
      { text: undefined, vector: [1, 2], label: 'y', fields: {} },
    ]);
  });

  it('CSV, quoted cells too: columns of numbers are the vector, others are fields', () => {
    const found = parseCsv('a,who,b,label\n1,"x, ""y""",2,p\n3,z,4,q\n', 'f');
    expect(found).toEqual([
      { vector: [1, 2], label: 'p', fields: { who: 'x, "y"' } },
      { vector: [3, 4], label: 'q', fields: { who: 'z' } },
    ]);
  });

  it.each([
    ['{"text":"a"}', 'f: line 1: has no label.'],
    ['{"label":"a"}', 'has to have a text or a vector'],
    ['nope', 'is no JSON'],
    ['{"vector":[1,null],"label":1}', 'no list of finite numbers'],
    ['', 'holds no example'],
  ])('refuses %s', (content, why) => expect(() => parseJsonl(content, 'f')).toThrow(why));

  it.each([
    ['a,label\n1\n', 'row 1 has 1 cells; the header has 2'],
    ['a,label\nx,1\n', 'no column of numbers'],
    ['a,label\n"x,1\n', 'ends inside a quoted cell'],
  ])('refuses the CSV %j', (content, why) => expect(() => parseCsv(content, 'f')).toThrow(why));
});

describe('who plays', () => {
  it('every example, the values of a field, or clusters of like ones', () => {
    const examples = points(40);
    expect(eachExample(examples)).toHaveLength(40);
    expect(groupsOf(examples, 'group').map(({ name, place }) => [name, place.rows.length])).toEqual([
      ['a', 10],
      ['b', 10],
      ['c', 10],
      ['d', 10],
    ]);
    const inputs = Float32Array.from(examples.flatMap(({ vector }) => vector as number[]));
    const clusters = clustersOf(inputs, 3, 4, 0);
    expect(clustersOf(inputs, 3, 4, 0)).toEqual(clusters);
    expect([...ownersOf(clusters, 40)].every((owner) => owner >= 0)).toBe(true);
    expect(() => groupsOf(examples, 'source')).toThrow('no example has a field "source"; there are label, group.');
    expect(() => clustersOf(inputs, 3, 41, 0)).toThrow('41 of 40 examples');
    expect(() => ownersOf([...clusters, ...eachExample(examples, [0])], 40)).toThrow('example 0 belongs to');
  });
});

describe('the game', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open('wasm');
  });
  afterAll(() => backend.close());

  gameContract('data game', () => createDataGame({ ...optionsFor(), modelsAtOnce: 3 }), { tolerance: 1e-5 });

  it('is the model trained on what is kept alone', async () => {
    const options = optionsFor();
    const { players, training, value } = options;
    using game = createDataGame({ ...options, seeds: [3, 4] });
    const all = points(26);
    const kept = [0, 1];
    const mine = all.slice(0, 24).filter((_, n) => kept.includes(n % 4));
    // Scaled as the whole set is: what is learned of the data is part of the question.
    const whole = RECIPES.softmax.open(all.slice(0, 24), all.slice(24), { ...SETTINGS, scale: 'none' });
    const part = RECIPES.softmax.open(mine, all.slice(24), { ...SETTINGS, scale: 'none' });
    using unscaled = createDataGame({ ...whole, players, training, value, seeds: [3, 4] });
    using alone = createDataGame({ ...part, players: eachExample(mine), training, value, seeds: [3, 4] });
    const [left] = await unscaled.value(masksFromMembers(4, [kept]));
    const [right] = await alone.value(masksFromMembers(12, [Array.from(mine.keys())]));
    expect(left).toBeCloseTo(right, 4);
    expect(await game.value(masksFromMembers(4, [kept]))).not.toEqual([left]);
  });

  it('says which subset diverges, and at which step', async () => {
    const options = optionsFor();
    const training = { ...options.training, optimiser: { kind: 'sgd', learningRate: 1e38, weightDecay: 1 } as const };
    using game = createDataGame({ ...options, training });
    await expect(game.value(masksFromMembers(4, [[0, 1]]))).rejects.toThrow(
      /training on a, b diverges: at step \d+ of 30 \(seed 0\) its loss is not finite/,
    );
  });

  it('leaves no tensor, whatever happens', async () => {
    const before = tf.memory().numTensors;
    {
      using game = createDataGame(optionsFor());
      await game.value(allMasks(4));
      await game.gradients?.(masksFromMembers(4, [[0], [1, 2]]));
      await expect(game.value(allMasks(4), { signal: AbortSignal.abort() })).rejects.toThrow('stopped on request');
      await expect(game.value(allMasks(5))).rejects.toThrow('5 players');
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('answers nothing after it was disposed', async () => {
    const game = createDataGame(optionsFor());
    game[Symbol.dispose]();
    await expect(game.value(allMasks(4))).rejects.toThrow('was disposed');
  });
});

describe('estimates', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open('wasm');
  });
  afterAll(() => backend.close());

  it('conjugate gradients solve what a direct solver solves', async () => {
    const options = optionsFor();
    using trained = await trainOnAll({ ...options, seeds: [0] });
    const P = options.architecture.size;
    const mean = tf.fill([1, 24], 1 / 24) as tf.Tensor2D;
    const times = (v: tf.Tensor2D): tf.Tensor2D =>
      gaussNewton(options.architecture, trained.theta, trained.all, mean, v);
    const { x, residual } = await solveDamped(times, trained.gradient, { damping: 0.01 });
    expect(residual).toBeLessThan(1e-4);
    const H = new Float64Array(P * P);
    for (let i = 0; i < P; i++) {
      const column = tf.tidy(() => times(tf.cast(tf.oneHot([i], P), 'float32') as tf.Tensor2D).dataSync());
      for (let j = 0; j < P; j++) H[j * P + i] = column[j] + (i === j ? 0.01 : 0);
    }
    const b = trained.gradient.dataSync();
    expect(x.dataSync()).toBeAllClose(solve(Matrix.from1DArray(P, P, H), Matrix.columnVector(b)).to1DArray(), 1e-3);
    tf.dispose([x, mean]);
  });

  it('influence by conjugate gradients is that of the curvature written out, of single examples and of pairs', async () => {
    const options = optionsFor();
    using trained = await trainOnAll({ ...options, seeds: [0, 1] });
    const groups = options.players.map(({ place }) => place.rows);
    const [here, there] = [await influences(trained), await influences(trained, { solve: 'exact' })];
    const largest = Math.max(...there.scores.map(Math.abs));
    expect(here.scores.map((x) => x / largest)).toBeAllClose(
      there.scores.map((x) => x / largest),
      1e-3,
    );
    const one = await secondOrderInfluence(trained, groups);
    const other = await secondOrderInfluence(trained, groups, { solve: 'exact' });
    const most = Math.max(...(other.pairs as Float64Array).map(Math.abs));
    expect((one.pairs as Float64Array).map((x) => x / most)).toBeAllClose(
      (other.pairs as Float64Array).map((x) => x / most),
      1e-3,
    );
  });

  it("TRAK's ridge is influence's damping in the units of its own matrix", async () => {
    const options = optionsFor();
    using trained = await trainOnAll({ ...options, seeds: [0] });
    const { architecture } = options;
    const losses = tf.tidy(() =>
      architecture.losses(unflatten(architecture, trained.theta), trained.all).dataSync<'float32'>(),
    );
    const spread = losses.reduce((sum, loss) => sum + (Math.exp(-loss) * (1 - Math.exp(-loss))) / 24, 0);
    // 30 steps of .5 with momentum .9 are a time of 150; decay .001.
    const { ridge, dimension } = await trak(trained);
    expect(dimension).toBe(architecture.size);
    expect(ridge / ((dimension * 24 * (1 / 150 + 0.001)) / spread)).toBeCloseTo(1, 4);
    expect((await trak(trained, { ridge: 3, dimension: 5 })).ridge).toBe(3);
  });

  it('influence foretells leaving one example out, where training has converged', async () => {
    const options = optionsFor(24, 1);
    const training = {
      optimiser: { kind: 'sgd', learningRate: 0.5, momentum: 0.9, weightDecay: 0.05 },
      epochs: 400,
    } as const;
    const asked = { ...options, training, seeds: [0] };
    using trained = await trainOnAll(asked);
    const { scores } = await influences(trained);
    using game = createDataGame({ ...asked, players: eachExample(points(24)) });
    const everyone = Array.from({ length: 24 }, (_, n) => n);
    const values = await game.value(
      masksFromMembers(24, [everyone, ...everyone.map((n) => everyone.filter((other) => other !== n))]),
    );
    const left = everyone.map((n) => values[0] - values[1 + n]);
    expect(pearson(left, scores)).toBeGreaterThan(0.98);
  });

  it('all of them rank groups, and pairs help where groups are small', async () => {
    const options = optionsFor(48, 1);
    const training = {
      optimiser: { kind: 'sgd', learningRate: 0.5, momentum: 0.9, weightDecay: 0.05 },
      epochs: 300,
    } as const;
    const asked = { ...options, training, seeds: [0], value: TEST_VALUES['log-odds'] };
    const before = tf.memory().numTensors;
    {
      using trained = await trainOnAll(asked);
      const players = eachExample(points(48)).slice(0, 8);
      using game = createDataGame({ ...asked, players });
      const masks = allMasks(8);
      const truth = await game.value(masks);
      const errors = new Map<string, number>();
      for (const name of ESTIMATE_NAMES) {
        const predicted = evaluate(spectrumOfLeftOut(await estimateOf(name, trained, players)), masks);
        expect(pearson(truth, predicted), name).toBeGreaterThan(0.5);
        errors.set(
          name,
          predicted.reduce((sum, x, row) => sum + (x - truth[row]) ** 2, 0),
        );
      }
      // The pairs that it says are the pairs that retraining has.
      const truePairs = fourierFromTable(truth);
      const { terms } = spectrumOfLeftOut(await estimateOf('second-order influence', trained, players));
      const couples = terms.filter(({ members }) => members.length === 2);
      expect(
        pearson(
          couples.map(({ value }) => value),
          couples.map(({ members: [i, j] }) => truePairs[(1 << i) | (1 << j)]),
        ),
      ).toBeGreaterThan(0.9);
      expect(errors.get('second-order influence')).toBeLessThan((errors.get('influence') as number) / 2);
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('a value without a slope has none', async () => {
    await expect(trainOnAll({ ...optionsFor(), value: TEST_VALUES.accuracy, seeds: [0] })).rejects.toThrow(
      'accuracy has no slope',
    );
  });
});

describe('what was planted in examples/reviews', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open('wasm');
  });
  afterAll(() => backend.close());
  const ask = (row: number): Promise<Awaited<ReturnType<typeof attributeData>>> =>
    attributeData(backend, {
      train: TRAIN,
      test: [TEST[row]],
      recipe: RECIPES.softmax,
      groups: { field: 'source' },
      value: TEST_VALUES.probability,
      estimates: ['influence', 'second-order influence'],
    });

  it('two sources that the answer needs together: the largest interaction, a synergy', async () => {
    const before = tf.memory().numTensors;
    const result = await ask(0);
    expect(result.interactions[0]).toMatchObject({ names: ['films', 'music'], meaning: 'synergy' });
    expect(tf.memory().numTensors).toBe(before);
    // The record goes through the reader, the page and the terminal, with what the players hold.
    expect(parseResult(formatResult(result))).toEqual(parseResult(result));
    const page = renderReport(result);
    expect(page).toContain('Pairs, side by side');
    for (const text of [
      'of course the light seemed splendid',
      TRAIN.find(({ fields }) => fields['source'] === 'music')?.text,
    ])
      expect(page).toContain(text);
    expect(terminalReport(result)).toContain('films × music');
  });

  it('two sources that hold the same: the largest interaction, a redundancy', async () => {
    const result = await ask(1);
    expect(result.interactions[0]).toMatchObject({ names: ['news', 'copies'], meaning: 'redundancy' });
    const trolls = result.players.findIndex(({ name }) => name === 'trolls');
    expect(result.values[trolls].banzhaf).toBeLessThan(0);
    // The source that spoils the others is the one to leave out, and its curve is on the page.
    const [first] = result.directedRemoval ?? [];
    expect(first.harmful.players).toEqual([trolls]);
    expect(first.harmful.measured).toBeGreaterThan(result.clean);
    expect(first.helpful.measured).toBeLessThan(result.clean);
    expect(renderReport(result)).toContain('Without those that help, and without those that harm');
  });

  it('refuses a test example that is trained on', async () => {
    await expect(attributeData(backend, { train: TRAIN, test: [TRAIN[5]], recipe: RECIPES.softmax })).rejects.toThrow(
      'test: example 0 is training example',
    );
  });

  it('refuses groups of one name, and a way of screening without a screen', async () => {
    const run = (options: object): Promise<unknown> =>
      attributeData(backend, { train: TRAIN, test: TEST, recipe: RECIPES.softmax, ...options });
    const one = TRAIN.map((example) => ({ ...example, fields: { source: 'web' } }));
    await expect(run({ train: one, groups: { field: 'source' } })).rejects.toThrow(
      'groups: every example\'s "source" is "web"; groups of two names at least are needed.',
    );
    await expect(run({ screenBy: 'tracin' })).rejects.toThrow('screenBy: says by what is screened');
  });

  it('refuses one class, a foreign label, texts where vectors stand', async () => {
    const run = (train: readonly Example[], test: readonly Example[]): Promise<unknown> =>
      attributeData(backend, { train, test, recipe: RECIPES.softmax });
    const positive = TRAIN.filter(({ label }) => label === 'positive');
    await expect(run(positive, TEST)).rejects.toThrow('every example has the label "positive"');
    await expect(run(TRAIN, [{ ...TEST[0], label: 'good' }])).rejects.toThrow('has the label "good"');
    await expect(run(points(8), TEST)).rejects.toThrow('has the label "positive"; the training set has 0, 1');
    await expect(run([...TRAIN, ...points(2).map((p) => ({ ...p, label: 'positive' }))], TEST)).rejects.toThrow(
      'is a text where others are vectors',
    );
  });
});
