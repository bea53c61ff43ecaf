/** The command as a user meets it: what it says, what it writes, and how it fails. Runs in process on wasm. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { circuitsCommand } from '../../cli/circuits/main.ts';
import { parseResult } from '../../src/report/result.ts';

const MODEL = 'models/induction-2l-h2';
const TASK = ['--prompts', `${MODEL}/prompts.jsonl`, '--metric', 'accuracy', '--ablation', 'zero'];
const ONE = ['--prompt', 'a b c d a b', '--correct', ' c', '--incorrect', ' d'];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'spexlens-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await circuitsCommand(['--backend', 'wasm', ...args], {
    out: (text) => (out += text),
    err: (text) => (err += text),
  });
  return { code, out, err };
}

describe('find-circuits', () => {
  it('takes the induction model apart: the redundant pair is the top interaction of its layer', async () => {
    const out = join(folder, 'story');
    const { code, out: story, err } = await run('--model', MODEL, ...TASK, '--out', out);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(story).toMatch(/L1H0 × L1H1 +\d+(?:\.\d+)? % +−0\.\d+ +redundancy/);
    const result = parseResult(readFileSync(join(out, 'result.json'), 'utf8'));
    const ofLayer1 = result.interactions.filter(({ members }) =>
      members.every((player) => result.players[player].layer === 1),
    );
    expect(ofLayer1[0].names).toEqual(['L1H0', 'L1H1']);
    expect(ofLayer1[0].value).toBeLessThan(-0.3);
    // single ablation misses both: the value of all but one of them stays within 10 points of the clean one, both together lose over 80
    const log = readFileSync(join(out, 'run-log.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => JSON.parse(line) as { mask: string; value: number });
    const valueOf = new Map(log.map(({ mask, value }) => [mask, value]));
    const [clean, without10, without11, without1] = ['0f', '0b', '07', '03'].map((mask) => valueOf.get(mask)!);
    expect(clean - without10).toBeLessThan(0.1);
    expect(clean - without11).toBeLessThan(0.1);
    expect(clean - without1).toBeGreaterThan(0.8);
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('L1H1');
    expect(readdirSync(out).sort()).toEqual(['report.html', 'result.json', 'run-log.jsonl']);
  });

  it('resumes from the run log: nothing is measured twice, the answer is the same', async () => {
    const out = join(folder, 'resume');
    await run('--model', MODEL, ...TASK, '--out', out);
    const first = parseResult(readFileSync(join(out, 'result.json'), 'utf8'));
    const log = join(out, 'run-log.jsonl');
    const text = readFileSync(log, 'utf8');
    truncateSync(log, text.indexOf('\n') + Math.floor((text.length - text.indexOf('\n')) / 2)); // as a kill would leave it
    await run('--model', MODEL, ...TASK, '--out', out);
    const second = parseResult(readFileSync(join(out, 'result.json'), 'utf8'));
    expect(second.masks.resumed).toBeGreaterThan(4);
    expect(second.masks.resumed + second.masks.measured).toBe(first.masks.measured);
    expect(second.spectrum).toEqual(first.spectrum);
    expect(second.circuit).toEqual(first.circuit);
  });

  it('measures the same on --threads 2, and says that there were two', async () => {
    const outs = ['1', '2'].map((threads) => join(folder, `threads-${threads}`));
    const stories: string[] = [];
    for (const [k, out] of outs.entries())
      stories.push((await run('--model', MODEL, ...ONE, '--threads', String(k + 1), '--out', out)).out);
    const [one, two] = outs.map((out) => parseResult(readFileSync(join(out, 'result.json'), 'utf8')));
    expect([one.masks.threads, two.masks.threads]).toEqual([undefined, 2]);
    expect(two.spectrum).toEqual(one.spectrum);
    expect(two.circuit).toEqual(one.circuit);
    expect(stories[1]).toMatch(/rows\/s on 2 threads/);
    expect(stories[0]).not.toMatch(/on \d+ threads/);
    expect(readFileSync(join(outs[1], 'report.html'), 'utf8')).toMatch(/rows\/s on 2 threads/);
    expect(await run('--model', MODEL, ...ONE, '--threads', 'many')).toMatchObject({
      code: 1,
      err: expect.stringContaining('--threads: "many" is not a whole number >= 0.') as string,
    });
    expect(await run('--model', MODEL, ...ONE, '--threads', '0')).toMatchObject({
      code: 1,
      err: expect.stringContaining('threads: 0 is not a whole number >= 1, nor auto.') as string,
    });
  });

  it('prints the record with --json', async () => {
    const { out } = await run('--model', MODEL, ...ONE, '--json', '--out', join(folder, 'json'));
    expect(parseResult(out).task.metric).toBe('logit-diff');
  });

  it.each([
    ['heads@positions', 'zero'],
    ['attns', 'mean'],
    ['L0H0,rest=L0H1+L1H0+L1H1,EMBED', 'mean-per-position'],
    ['heads,embed', 'resample'],
  ])('runs players %s with %s ablation', async (players, ablation) => {
    const data = join(folder, 'same-length.jsonl');
    writeFileSync(
      data,
      [ONE[1], 'e f g h e f']
        .map((prompt) => `${JSON.stringify({ prompt, correct: ' c', incorrect: ' d', corrupted: 'a b c d e f' })}\n`)
        .join(''),
    );
    const { code, err, out } = await run(
      '--model',
      MODEL,
      '--prompts',
      data,
      '--players',
      players,
      '--ablation',
      ablation,
      '--budget',
      '64',
      '--out',
      join(folder, `players-${ablation}`),
    );
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toMatch(/acting together|broken question/); // of one short prompt some questions are none
  });

  it('rescales with --rescale, says so, and keeps it apart from a run without', async () => {
    const [out, plain] = [join(folder, 'rescaled'), join(folder, 'not-rescaled')];
    expect((await run('--model', MODEL, ...ONE, '--rescale', '--out', out)).code).toBe(0);
    await run('--model', MODEL, ...ONE, '--ablation', 'zero', '--out', plain);
    const [rescaled, without] = [out, plain].map((at) => parseResult(readFileSync(join(at, 'result.json'), 'utf8')));
    expect([rescaled.run.options['rescale'], rescaled.task.ablation]).toEqual([true, 'rescaled zero']);
    expect([without.run.options['rescale'], without.task.ablation]).toEqual([false, 'zero']);
    expect([rescaled.clean, rescaled.ablated]).toEqual([without.clean, without.ablated]);
    expect(rescaled.spectrum).not.toEqual(without.spectrum);
    expect((await run('--model', MODEL, ...ONE, '--rescale', '--out', plain)).err).toMatch(
      /belongs to another run \(question\.ablation\.rescale was false, now true\)/,
    );
  });

  it(
    'narrows with --narrow, ranks with --rankings, and says in which measure the spectrum is',
    { timeout: 60_000 },
    async () => {
      const out = join(folder, 'narrow');
      const names = 'attribution-patching,integrated-gradients,expected-gradients';
      const { code, out: story } = await run('--narrow', '--rankings', names, '--budget', '300', '--out', out);
      expect(code).toBe(0);
      expect(story).toMatch(/circuit .* for 90 % of the metric, by narrowing/);
      const { circuit, spectrum, findings } = parseResult(readFileSync(join(out, 'result.json'), 'utf8'));
      expect(circuit?.selector).toBe('narrowing');
      expect(circuit?.optimal).toBe(false);
      expect(circuit?.chosen.kept.faithfulness).toBeGreaterThanOrEqual(0.9);
      expect(Object.keys(circuit?.chosen.rivals ?? {})).toEqual(
        expect.arrayContaining(['first order', 'attribution patching', 'integrated gradients', 'expected gradients']),
      );
      expect(new Set(spectrum.keep as number[]).size).toBe(2);
      expect(findings.map(({ kind }) => kind)).toContain('narrowed');
      expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('proposed by narrowing');
    },
  );

  it('refuses rankings it does not have, and metrics that have no gradient', async () => {
    const unknown = await run('--model', MODEL, ...TASK, '--rankings', 'attribution-patch', '--out', join(folder, 'r'));
    expect(unknown).toMatchObject({ code: 1, err: expect.stringContaining('did you mean attribution-patching?') });
    const steps = await run('--model', MODEL, ...TASK, '--narrow', '--out', join(folder, 'r'));
    expect(steps).toMatchObject({
      code: 1,
      err: expect.stringMatching(/narrow: needs gradients; the game ".*accuracy"/),
    });
  });

  it('leaves no tensors', async () => {
    await run('--model', MODEL, ...ONE, '--out', join(folder, 'leak'));
    const before = tf.memory().numTensors;
    await run('--model', MODEL, ...ONE, '--out', join(folder, 'leak'));
    await run('--model', MODEL, ...ONE, '--metric', 'nothing', '--out', join(folder, 'leak'));
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('a failure is one line, exit code 1, and leaves nothing behind', () => {
  const bad: [string, string[], RegExp][] = [
    [
      'a model folder that is not there',
      ['--model', 'no/such/model', ...ONE],
      /no\/such\/model: there is no such folder/,
    ],
    [
      'an unknown hook-like player',
      ['--model', MODEL, ...ONE, '--players', 'L0X1'],
      /"L0X1" is not a component; did you mean/,
    ],
    [
      'a head that the model lacks',
      ['--model', MODEL, ...ONE, '--players', 'L1H2'],
      /"L1H2": a layer of this model has heads 0\.\.1/,
    ],
    [
      'a layer that the model lacks',
      ['--model', MODEL, ...ONE, '--layers', '0-3'],
      /there is no layer 2; this model has 0\.\.1/,
    ],
    ['MLPs of an attention-only model', ['--model', MODEL, ...ONE, '--players', 'mlps'], /attention-only/],
    ['players that share a part', ['--model', MODEL, ...ONE, '--players', 'heads,L0H0'], /"L0H0" is there twice/],
    [
      'an unknown metric',
      ['--model', MODEL, ...ONE, '--metric', 'logit-dif'],
      /"logit-dif" is unknown; did you mean logit-diff/,
    ],
    [
      'an unknown ablation',
      ['--model', MODEL, ...ONE, '--ablation', 'noise'],
      /"noise" is unknown; did you mean [a-z]+\? There are zero, mean/,
    ],
    [
      'a rescale of what is not a head',
      ['--model', MODEL, ...ONE, '--players', 'heads,embed', '--rescale'],
      /rescale: counts the whole heads that a layer has on, and EMBED is not one/,
    ],
    [
      'a storage that the backend does not have',
      ['--model', MODEL, ...ONE, '--storage', 'float16'],
      /storage float16: needs webgpu, which unpacks on the device; the backend is wasm/,
    ],
    [
      'an unknown storage',
      ['--model', MODEL, ...ONE, '--storage', 'int8'],
      /storage: "int8" is unknown; there are float32, float16, bfloat16/,
    ],
    ['an unknown solver', ['--model', MODEL, ...ONE, '--solver', 'exakt'], /"exakt" is unknown; did you mean exact/],
    [
      'a prompt longer than the context',
      ['--model', MODEL, '--prompt', 'a b c d '.repeat(7), '--correct', ' a', '--incorrect', ' b'],
      /29 tokens; the context of induction-2l-h2 holds 25/,
    ],
    [
      'a correct token that is not one token',
      ['--model', MODEL, '--prompt', 'a b', '--correct', ' a b', '--incorrect', ' c'],
      /prompt, correct: " a b" is 2 tokens/,
    ],
    [
      'words outside the vocabulary',
      ['--model', MODEL, '--prompt', 'a B c', '--correct', ' a', '--incorrect', ' b'],
      /"B" is not in the vocabulary of 34 tokens/,
    ],
    [
      'a missing incorrect token',
      ['--model', MODEL, '--prompt', 'a b', '--correct', ' a'],
      /metric logit-diff needs an incorrect token/,
    ],
    [
      'resample without a corrupted prompt',
      ['--model', MODEL, ...ONE, '--ablation', 'resample'],
      /needs a corrupted prompt/,
    ],
    [
      'a corrupted prompt of another length',
      ['--model', MODEL, ...ONE, '--corrupted', 'a b c', '--ablation', 'resample'],
      /corrupted prompt has 4 tokens, the prompt 7/,
    ],
    [
      'a budget too small for exact',
      ['--model', MODEL, ...ONE, '--solver', 'exact', '--budget', '8'],
      /2\^4 = 16 masks are needed and the budget is 8/,
    ],
    [
      'a budget too small for the proxy',
      ['--model', MODEL, ...ONE, '--players', 'heads@positions', '--budget', '4'],
      /a budget of 4 masks for 28 players is too small/,
    ],
    [
      'a budget that is no number',
      ['--model', MODEL, ...ONE, '--budget', 'many'],
      /--budget: "many" is not a whole number/,
    ],
    ['a target outside (0, 1]', ['--model', MODEL, ...ONE, '--target', '1.5'], /target: 1.5; a share in \(0, 1\]/],
    [
      'a prompts file with a bad line',
      ['--model', MODEL, '--prompts', 'package.json'],
      /prompts package.json line 1: is not JSON/,
    ],
    [
      '--prompts and --prompt together',
      ['--model', MODEL, ...ONE, '--prompts', 'x.jsonl'],
      /cannot be combined with --prompt/,
    ],
    ['no prompt at all', ['--model', MODEL, '--correct', ' a'], /--correct: needs --prompt beside it/],
  ];
  it.each(bad)('%s', async (_what, args, message) => {
    const out = join(folder, 'bad', 'deep');
    const { code, err, out: said } = await run(...args, '--out', out);
    expect(err).toMatch(message);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(err).not.toMatch(/\n\s+at /);
    expect(code).toBe(1);
    expect(said).toBe('');
    expect(existsSync(join(folder, 'bad'))).toBe(false);
  });

  it('a backend that is not there', async () => {
    let err = '';
    const code = await circuitsCommand(['--backend', 'vulkan'], { out: () => {}, err: (text) => (err += text) });
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/backend: "vulkan" is unknown; choose auto, tensorflow, webgpu, wasm, cpu/),
    ]);
  });

  it('an unknown flag', async () => {
    const { code, err } = await run('--metrics', 'logit');
    expect([code, err]).toEqual([1, expect.stringMatching(/unknown option '--metrics'/)]);
  });

  it('an out folder that is a file, or that cannot be written', async () => {
    const file = join(folder, 'a-file');
    writeFileSync(file, '');
    expect((await run('--model', MODEL, ...ONE, '--out', file)).err).toMatch(
      /--out: .*a-file cannot be written to \(it is a file\)/,
    );
    expect((await run('--model', MODEL, ...ONE, '--out', join(file, 'below'))).err).toMatch(
      /--out: .* cannot be written to \(ENOTDIR\)/,
    );
  });

  it('a run log of another configuration, or no run log at all, which stays as it is', async () => {
    const out = join(folder, 'other');
    await run('--model', MODEL, ...ONE, '--out', out);
    const log = readFileSync(join(out, 'run-log.jsonl'), 'utf8');
    const { code, err } = await run('--model', MODEL, ...ONE, '--metric', 'logit', '--out', out);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        /run log .* belongs to another run \(question\.metric\.name was "logit-diff", now "logit"\); choose another folder/,
      ),
    ]);
    expect(readFileSync(join(out, 'run-log.jsonl'), 'utf8')).toBe(log);
    writeFileSync(join(out, 'run-log.jsonl'), 'my notes\n');
    expect((await run('--model', MODEL, ...ONE, '--out', out)).err).toMatch(/does not begin with a run-log header/);
    expect(readFileSync(join(out, 'run-log.jsonl'), 'utf8')).toBe('my notes\n');
  });

  it('a truncated weight file, an unknown architecture, a config that asks for more than is implemented', async () => {
    const copy = join(folder, 'broken');
    cpSync(MODEL, copy, { recursive: true });
    chmodSync(join(copy, 'model.safetensors'), 0o644);
    truncateSync(join(copy, 'model.safetensors'), 5000);
    expect((await run('--model', copy, ...ONE)).err).toMatch(
      /model.safetensors: .*85272 bytes are missing; the file is truncated/,
    );
    cpSync(MODEL, copy, { recursive: true, force: true });
    const config = JSON.parse(readFileSync(join(copy, 'config.json'), 'utf8')) as Record<string, unknown>;
    for (const [change, message] of [
      [
        { model_type: 'mamba' },
        /unknown architecture \(model_type "mamba"\); supported: gpt2, gpt_neo, .*, transformer-lens\./,
      ],
      [
        { use_attention_sinks: true },
        /"use_attention_sinks" is true, which changes the numbers and is not implemented/,
      ],
      [
        { positional_embedding_type: 'relative_positional_bias' },
        /"positional_embedding_type" is "relative_positional_bias"; transformer-lens supports standard/,
      ],
      [{ d_model: 32 }, /tensor "embed.W_E" is \[34,64\]; config.json asks for \[34,32\]/],
      [
        { n_layers: 3 },
        /tensor "blocks.2.attn.W_Q" \[2,64,16\] is missing; a transformer-lens model of 3 layers needs it/,
      ],
      [{ d_head: 'wide' }, /config.json: "d_head": /],
    ] as const) {
      writeFileSync(join(copy, 'config.json'), JSON.stringify({ ...config, ...change }));
      const { code, err } = await run('--model', copy, ...ONE);
      expect([code, err]).toEqual([1, expect.stringMatching(message)]);
    }
  });
});
