/** Workers that open a real model: the values of this thread, for both lenses; and what they refuse. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Backend } from '../../../src/backend/backend.ts';
import { fail } from '../../../src/errors.ts';
import { studyOf } from '../../../src/find-circuits.ts';
import { ABLATIONS } from '../../../src/lens/components/ablations.ts';
import { createComponentGame, type ComponentGameOptions } from '../../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../../src/lens/components/components.ts';
import { METRICS } from '../../../src/lens/metrics.ts';
import { readPrompts, toTasks } from '../../../src/lens/prompts.ts';
import { createPromptGame, type PromptGameOptions } from '../../../src/lens/tokens/prompt-game.ts';
import { promptQuestionOf } from '../../../src/lens/tokens/question.ts';
import { TEXT_VALUES } from '../../../src/lens/tokens/text-values.ts';
import { allMasks } from '../../../src/masks.ts';
import { openFromFolders } from '../../../src/measure/queue/model-folders.ts';
import { createQueuedGame } from '../../../src/measure/queue/queued-game.ts';
import { startQueueWorker } from '../../../src/measure/queue/queue-worker.ts';
import type { OpenStudy } from '../../../src/measure/queue/study-host.ts';
import { loadModel, type Model } from '../../../src/model/model.ts';
import { hashStudy, type Study } from '../../../src/study.ts';
import { VERSION } from '../../../src/version.ts';
import { createRandom } from '../../../src/random.ts';
import { uniformMasks } from '../../../src/uniform-masks.ts';
import { open } from '../../tensors.ts';
import { HAS_REDIS, startRedis, type RedisServer } from './redis.ts';

const MODELS = resolve(import.meta.dirname, '../../../models');

describe.skipIf(!HAS_REDIS)('workers with a model', { timeout: 120_000 }, () => {
  let server: RedisServer;
  let backend: Backend;
  let model: Model;
  let asked: ComponentGameOptions;
  let study: Study;
  let other: string;
  beforeAll(async () => {
    server = await startRedis();
    backend = await open('wasm');
    model = await loadModel(join(MODELS, 'ioi-tiny'));
    const prompts = (await readPrompts(join(MODELS, 'ioi-tiny/prompts.jsonl'))).slice(0, 2);
    const metric = METRICS['logit-diff'];
    asked = {
      players: parsePlayers('heads', model.config),
      tasks: toTasks(model, prompts, { metric, corrupted: true }),
      metric,
      ablation: ABLATIONS.resample,
    };
    study = await studyOf(model, backend, asked);
    other = mkdtempSync(join(tmpdir(), 'models-'));
  });
  afterAll(async () => {
    model[Symbol.dispose]();
    backend.close();
    await server.stop();
    rmSync(other, { recursive: true, force: true });
  });

  const MASKS = uniformMasks(16, 700, createRandom(3, 'queue'));

  it('give the values and gradients of this thread, to the bit', async () => {
    await using worker = await startQueueWorker(server.url, { open: openFromFolders({ models: [MODELS] }) });
    await using game = await createQueuedGame(study, server.url);
    using own = createComponentGame(model, asked);
    expect(await game.value(MASKS)).toEqual(await own.value(MASKS));
    const { gradients } = (await game.gradients?.(MASKS)) ?? {};
    expect(gradients).toEqual((await own.gradients?.(MASKS))?.gradients);
    expect([game.name, game.rowsPerMask, [...game.measuredBy]]).toEqual([own.name, 2, [[worker.name, 1400]]]);
  });

  it('measure which words of a prompt act together', async () => {
    const words = ['When', ' Mary', ' and', ' John', ' went'];
    const { tokens } = toTasks(model, [{ prompt: words.join(''), correct: ' to' }], {
      metric: METRICS.logit,
      corrupted: false,
    })[0];
    const options: PromptGameOptions = {
      players: words.map((name, i) => ({ name, place: { kind: 'span', pieces: [{ start: i, end: i + 1 }] } })),
      tokens,
      owners: tokens.map((_, i) => i + words.length - tokens.length),
      standIn: { kind: 'attention' },
      value: TEXT_VALUES.logprob,
      answer: [tokens[1]],
      against: [],
    };
    using own = createPromptGame(model, options);
    const question = promptQuestionOf(options, 'attention');
    await using worker = await startQueueWorker(server.url, { open: openFromFolders({ models: [MODELS] }) });
    await using game = await createQueuedGame({ ...study, question }, server.url);
    expect(await game.value(allMasks(5))).toEqual(await own.value(allMasks(5)));
    expect([game.gradients, game.name, game.rowsPerMask]).toEqual([undefined, own.name, own.rowsPerMask]);
    expect([...game.measuredBy.keys()]).toEqual([worker.name]);
  });

  it('refuse by name what they do not have or cannot do, once, and the run goes on without them', async () => {
    const copies = { weights: join(other, 'w'), configuration: join(other, 'c') };
    for (const folder of Object.values(copies))
      cpSync(join(MODELS, 'ioi-tiny'), join(folder, 'ioi-tiny'), { recursive: true });
    const weights = join(copies.weights, 'ioi-tiny/model.safetensors');
    const bytes = readFileSync(weights);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(weights, bytes);
    const config = join(copies.configuration, 'ioi-tiny/config.json');
    writeFileSync(
      config,
      readFileSync(config, 'utf8').replace(/"layer_norm_epsilon": *[^,]+/, '"layer_norm_epsilon": 0.001'),
    );
    const wrong = fail('backend', 'wasm', 'computes wrong numbers on this machine: a small forward pass differs.');
    const unfit: Readonly<Record<string, OpenStudy>> = {
      'other weights': openFromFolders({ models: [copies.weights] }),
      'other settings': openFromFolders({ models: [copies.configuration] }),
      'computes wrong numbers': async () => Promise.reject(wrong),
      'measured on wasm; this worker computes on cpu': openFromFolders({ models: [MODELS], backend: 'cpu' }),
      'is not in': openFromFolders({ models: [join(MODELS, 'ioi-tiny/none')] }),
    };
    const workers = await Promise.all(
      Object.entries(unfit).map(async ([name, open]) => startQueueWorker(server.url, { open, name })),
    );
    const notes: string[] = [];
    await using game = await createQueuedGame(study, server.url, { onNote: (text) => notes.push(text) });
    const refusals = (): string[] => notes.filter((text) => text.includes('does not measure this study'));
    await vi.waitFor(() => expect(refusals()).toHaveLength(workers.length), { timeout: 60_000, interval: 200 });
    for (const why of Object.keys(unfit)) expect(refusals().filter((text) => text.includes(why + ''))).not.toEqual([]);
    await using fit = await startQueueWorker(server.url, { open: openFromFolders({ models: [MODELS] }), name: 'fit' });
    using own = createComponentGame(model, asked);
    expect(await game.value(MASKS)).toEqual(await own.value(MASKS));
    expect([...game.measuredBy.keys()]).toEqual([fit.name]);
    expect(refusals()).toHaveLength(workers.length);
    for (const worker of workers) await worker[Symbol.asyncDispose]();
  });

  it('refuse the study of another version, and one whose hash is not its own', async () => {
    const told: string[] = [];
    const hash = hashStudy(study);
    await using game = await createQueuedGame(study, server.url);
    const key = `spexlens:study:${hash}`;
    const text = (await server.redis.get(key)) ?? '';
    for (const [changed, why] of [
      [
        text.replace(`"version":"${VERSION}"`, '"version":"0.0.1"'),
        `asked by spexlens 0.0.1, this worker is ${VERSION}`,
      ],
      [text.replace('"protocol":"queue/1"', '"protocol":"queue/0"'), 'in the form queue/0'],
      [
        text.replace('"name":"zero"', '"name":"mean"').replace('"name":"resample"', '"name":"zero"'),
        'another hash than its name',
      ],
      ['no JSON', 'not as spexlens announces one'],
    ]) {
      expect(changed).not.toBe(text);
      await server.redis.set(key, changed, 'PX', 60_000);
      await using worker = await startQueueWorker(server.url, {
        open: openFromFolders({ models: [MODELS] }),
        onNote: (note) => told.push(note),
      });
      await vi.waitFor(() => expect(told.at(-1)).toContain(why), { timeout: 10_000 });
      expect(worker.name).not.toBe('');
    }
    await server.redis.set(key, text, 'PX', 60_000);
    expect(game.name).toBe('ioi-tiny logit-diff');
  });

  it('are asked nothing that holds a function of a program', async () => {
    const metric = { ...METRICS['logit-diff'], name: 'mine' };
    const own = await studyOf(model, backend, { ...asked, metric });
    await expect(createQueuedGame(own, server.url)).rejects.toThrow('metric: "mine" is a function of this program');
  });
});
