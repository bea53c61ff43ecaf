/** Measured values on disk: nothing is lost in silence, and no value is another than was measured. */
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { truncateSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gameFromFunction } from '../../src/game.ts';
import { openLedger, type Entries } from '../../src/ledger.ts';
import { allMasks, maskHex, masksFromHex } from '../../src/masks.ts';
import { openRunLog } from '../../src/measure/run-log.ts';
import { STUDY_VERSION, type Study } from '../../src/study.ts';

let path: string;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-log-'));
  path = join(folder, 'run-log.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A study of `count` heads whose first is called `name`. */
function studyOf(count = 2, { metric = 'logit', name = 'L0H0' } = {}): Study {
  return {
    spexlens: STUDY_VERSION,
    model: {
      id: 'modèle 🦊',
      weights: '0'.repeat(64),
      configuration: '1'.repeat(64),
      tokenizer: null,
      storage: 'float32',
    },
    backend: 'wasm',
    question: {
      lens: 'components',
      players: Array.from({ length: count }, (_, head) => ({
        name: head === 0 ? name : `L0H${head}`,
        place: { kind: 'head', layer: 0, head },
      })),
      prompts: [{ tokens: [1], correct: 2, incorrect: null, position: null, corrupted: null }],
      metric: { name: metric, definition: null },
      ablation: { name: 'zero', definition: null, rescale: false, data: null },
    },
  };
}

/** Values of masks of `players` players, by hex. */
const entriesOf = (values: Readonly<Record<string, number>>, players = 2): Entries => ({
  masks: masksFromHex(players, Object.keys(values)),
  values: Float64Array.from(Object.values(values)),
});
const open = (study = studyOf()) => openRunLog(path, study);
const contents = (log: ReturnType<typeof open>): Record<string, number> =>
  Object.fromEntries(
    [...log.entries()].flatMap(({ masks, values }) => Array.from(values, (value, row) => [maskHex(masks, row), value])),
  );
/** Opens, reads and closes: what a later run would find, or the error. */
function reopened(): Record<string, number> | string {
  try {
    const log = open();
    try {
      return contents(log);
    } finally {
      log.close();
    }
  } catch (error) {
    return (error as Error).message;
  }
}

describe('the run log', () => {
  it('gives back what was appended, to the last bit', () => {
    const values = { '00': 0.1 + 0.2, '01': -1e-300, '02': 12345.678901234567, '03': 1e21 };
    const first = open();
    first.append(entriesOf(values));
    first.close();
    const again = open();
    expect(again.resumed).toBe(4);
    expect(contents(again)).toEqual(values);
    again.close();
  });

  it('gives back gradients beside values, of the masks that have them', () => {
    const first = open();
    const gradients = Float32Array.of(0.1, -2, 3e-8, 4);
    first.append({ ...entriesOf({ '00': 1, '01': 2 }), gradients });
    first.append(entriesOf({ '02': 3 }));
    first.append({ ...entriesOf({ '02': 3 }), gradients: Float32Array.of(7, 8) }); // the gradient came later
    first.close();
    const again = open();
    const pieces = [...again.entries()];
    expect(pieces.map((piece) => [piece.values.length, piece.gradients?.length])).toEqual([
      [2, 4],
      [1, undefined],
      [1, 2],
    ]);
    expect(pieces[0].gradients).toEqual(gradients);
    expect(pieces[2].gradients).toEqual(Float32Array.of(7, 8));
    expect(again.resumed).toBe(3);
    again.close();
  });

  it('cuts a torn last line off and goes on, whole, from there', () => {
    const first = open();
    first.append(entriesOf({ '00': 1, '01': 2 }));
    first.close();
    appendFileSync(path, '{"mask":"02","va');
    const second = open();
    expect(second.resumed).toBe(2);
    second.append(entriesOf({ '03': 4 }));
    second.close();
    expect(reopened()).toEqual({ '00': 1, '01': 2, '03': 4 });
  });

  it('goes on from any byte at which a crash tore it: header, entry, in the midst of a character', () => {
    const first = open();
    first.append(entriesOf({ '00': 1.5, '01': -2 }));
    first.close();
    const whole = readFileSync(path);
    const ends = [0, 1].map((k) => [...whole].map((byte, i) => (byte === 10 ? i : -1)).filter((i) => i >= 0)[k]);
    for (let bytes = 0; bytes <= whole.length; bytes++) {
      writeFileSync(path, whole.subarray(0, bytes));
      // A line that lacks its newline alone is whole, and whether a crash or a flip took that is not known.
      const found = reopened();
      if (bytes === whole.length - 1 || bytes === ends[1])
        expect(found).toMatch(/line \d+ does not end with a newline/);
      else
        expect(found).toEqual(
          bytes > ends[1] ? (bytes === whole.length ? { '00': 1.5, '01': -2 } : { '00': 1.5 }) : {},
        );
    }
  });

  it('finds every single flipped bit', () => {
    const first = open();
    first.append(entriesOf({ '00': 1.5, '01': -2.25e-7, '03': 7 }));
    first.close();
    const whole = readFileSync(path);
    const truth = reopened();
    const header = whole.indexOf(10);
    for (let bit = 0; bit < 8 * whole.length; bit++) {
      if (bit >> 3 < header && (bit >> 3) % 7 !== 0) continue; // of the long header every seventh byte
      const flipped = Buffer.from(whole);
      flipped[bit >> 3] ^= 1 << (bit & 7);
      writeFileSync(path, flipped);
      const found = reopened();
      if (typeof found === 'string') expect(found).toMatch(/^run log /);
      else expect(found).toEqual(truth);
      expect(typeof found).toBe('string');
    }
  }, 60_000);

  const sealed = (lines: readonly string[]): void => {
    open().close();
    const log = open();
    log.append(entriesOf({ '00': 1 }));
    log.close();
    appendFileSync(path, lines.join(''));
  };
  it.each([
    [
      'a value past the largest number',
      '{"mask":"01","value":1e999}',
      /line 3 is not \{"mask", "value"\}|has the value 1e999/,
    ],
    ['a mask of another length', '{"mask":"0100","value":2}', /line 3 has a mask of 4 hex digits; 2 players take 2/],
    [
      'a mask of a player that is not',
      '{"mask":"04","value":2}',
      /line 3 has a mask that keeps a player beyond the last of 2/,
    ],
    [
      'a mask again with another value',
      '{"mask":"00","value":2}',
      /line 3 gives mask 00 the value 2, an earlier line 1/,
    ],
    ['a field that is not known', '{"mask":"01","value":2,"x":1}', /line 3 is not \{"mask", "value"\}/],
    [
      'a short gradient',
      '{"mask":"01","value":2,"gradient":"AAAAAA=="}',
      /line 3 has a gradient that is not of 2 numbers/,
    ],
  ])('refuses %s, by its line, though its checksum is right', async (_, line, message) => {
    const { sealLine } = await import('../../src/measure/run-log-line.ts');
    sealed([sealLine(line)]);
    const before = readFileSync(path);
    expect(reopened()).toMatch(message);
    expect(readFileSync(path)).toEqual(before);
  });

  it('takes a mask again with the same value', async () => {
    const { sealLine } = await import('../../src/measure/run-log-line.ts');
    sealed([sealLine('{"mask":"00","value":1}')]);
    expect(reopened()).toEqual({ '00': 1 });
  });

  it('refuses a byte that is no text before a torn tail', () => {
    const log = open();
    log.append(entriesOf({ '00': 1 }));
    log.close();
    appendFileSync(path, Buffer.from([0xff, 0x0a, 0x7b]));
    expect(reopened()).toMatch(/line 3 is damaged \(its checksum says so\); remove that line to go on without it/);
  });

  it.each([
    ['another metric', studyOf(2, { metric: 'prob' }), /\(question\.metric\.name was "logit", now "prob"\)/],
    ['other players', studyOf(2, { name: 'x' }), /question\.players was \[\{"name":"L0H0"/],
    [
      'another configuration',
      { ...studyOf(), model: { ...studyOf().model, configuration: '2'.repeat(64) } },
      /model\.configuration was "1+/,
    ],
  ])('refuses a log of %s, naming what differs', (_what, study, message) => {
    const log = open();
    log.append(entriesOf({ '00': 1 }));
    log.close();
    expect(() => open(study)).toThrow(message);
  });

  it.each([
    ['a file of something else', 'hello\nworld\n', /does not begin with a run-log header/],
    ['half a line of something else', 'hello', /does not begin with a run-log header/],
    [
      'a later version',
      '{"spexlens":"run-log/9","hash":"x"}\n',
      /is of version run-log\/9; this program reads run-log\/2/,
    ],
    [
      'the version before',
      '{"spexlens":"run-log/1","players":["a"]}\n',
      /run-log\/1, which does not say by which configuration/,
    ],
  ])('refuses %s, and leaves it as it is', (_what, text, message) => {
    writeFileSync(path, text);
    expect(() => open()).toThrow(message);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('refuses a folder that is not there', () => {
    expect(() => openRunLog(join(folder, 'no', 'log'), studyOf())).toThrow(/cannot be (locked|written)/);
  });

  it.each([
    ['a pipe', () => execFileSync('mkfifo', [path]), /is a pipe; a log is a regular file/],
    ['a folder', () => mkdirSync(path), /is a folder; a log is a regular file/],
    ['a link to a device', () => symlinkSync('/dev/null', path), /is a device; a log is a regular file/],
  ])('refuses %s', (_what, make, message) => {
    make();
    expect(() => open()).toThrow(message);
  });

  it('says that the disk is full, with its path, writes no more, and keeps what was there', () => {
    const log = open();
    log.append(entriesOf({ '00': 1 }));
    log.close();
    const small = `
      import { openRunLog } from ${JSON.stringify(new URL('../../src/measure/run-log.ts', import.meta.url).href)};
      import { masksFromHex } from ${JSON.stringify(new URL('../../src/masks.ts', import.meta.url).href)};
      const log = openRunLog(${JSON.stringify(path)}, ${JSON.stringify(studyOf())});
      const say = (hex) => { try { log.append({ masks: masksFromHex(2, [hex]), values: Float64Array.of(2) }); return 'written'; } catch (error) { return error.message; } };
      process.on('SIGXFSZ', () => {});
      console.log(JSON.stringify([say('01'), say('02')]));
      log.close();`;
    // A limit on the size of files fails a write as a full disk does, in the midst of a line.
    const limit = Math.ceil(readFileSync(path).length / 512);
    const out = execFileSync(
      'bash',
      [
        '-c',
        `ulimit -f ${limit}; exec "$0" --import tsx --input-type=module -e "$1"`,
        process.execPath,
        small.replaceAll('\n', ' '),
      ],
      { encoding: 'utf8', cwd: join(import.meta.dirname, '../..') },
    );
    const [first, second] = JSON.parse(out) as [string, string];
    if (first !== 'written' || second !== 'written') {
      expect(`${first} ${second}`).toContain(`run log ${path}: cannot be written (EFBIG`);
      expect(second).toContain('what was measured before is safe');
    }
    expect(reopened()).toMatchObject({ '00': 1 });
  });

  it('spares a game every mask it holds', async () => {
    let measured = 0;
    const game = gameFromFunction('g', 3, (row) => (measured++, row));
    const log = open(studyOf(3));
    const first = await openLedger(game, log).value(allMasks(3));
    log.close();
    const again = open(studyOf(3));
    expect(await openLedger(game, again).value(allMasks(3))).toEqual(first);
    expect(measured).toBe(8);
    again.close();
  });

  it('leaves no empty log behind, but one that it found', () => {
    open().close();
    expect(existsSync(path)).toBe(false);
    const log = open();
    log.append(entriesOf({ '00': 1 }));
    log.close();
    open().close();
    expect(existsSync(path)).toBe(true);
    truncateSync(path, 0);
    open().close();
    expect(existsSync(path)).toBe(true);
  });
});

describe('one writer', () => {
  it('refuses a second one and names the first, in this process and in another', () => {
    const log = open();
    expect(() => open()).toThrow(
      /is being written by this process since \d{4}-.*; wait for it, stop it, or choose another/,
    );
    log.close();
    open().close();
  });

  /** A process that opens the log, writes a mask, says so and waits. */
  const holder = (): ReturnType<typeof spawn> =>
    spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        '--input-type=module',
        '-e',
        `import { openRunLog } from ${JSON.stringify(new URL('../../src/measure/run-log.ts', import.meta.url).href)};
         import { masksFromHex } from ${JSON.stringify(new URL('../../src/masks.ts', import.meta.url).href)};
         try {
           const log = openRunLog(${JSON.stringify(path)}, ${JSON.stringify(studyOf())});
           if (log.resumed === 0) log.append({ masks: masksFromHex(2, ['00']), values: Float64Array.of(1) });
           console.log('holds');
           setInterval(() => {}, 1000);
         } catch (error) { console.log(error.message); }`,
      ],
      { cwd: join(import.meta.dirname, '../..'), stdio: ['ignore', 'pipe', 'inherit'] },
    );
  const saying = (child: ReturnType<typeof spawn>): Promise<string> =>
    new Promise((resolve) => child.stdout?.once('data', (text: Buffer) => resolve(text.toString().trim())));

  it('takes over from one that was killed, and only one of several does', async () => {
    const first = holder();
    expect(await saying(first)).toBe('holds');
    expect(reopened()).toMatch(new RegExp(`is being written by process ${first.pid} on `));
    expect(existsSync(path)).toBe(true);
    first.kill('SIGKILL');
    await new Promise((resolve) => first.once('exit', resolve));
    const several = [holder(), holder(), holder()];
    const said = await Promise.all(several.map(saying));
    expect(said.filter((text) => text === 'holds')).toHaveLength(1);
    expect(said.filter((text) => /is being written by process \d+/.test(text))).toHaveLength(2);
    for (const child of several) child.kill('SIGKILL');
    await Promise.all(several.map((child) => child.exitCode ?? new Promise((resolve) => child.once('exit', resolve))));
    expect(reopened()).toEqual({ '00': 1 });
  }, 60_000);

  it('takes over from another process that has the number of one that is gone', () => {
    writeFileSync(
      `${path}.lock`,
      JSON.stringify({ pid: process.pid, host: (process.env['HOSTNAME'] ?? '') && '', born: 'long ago', since: 'x' }),
    );
    // Another host: not ours to judge.
    expect(() => open()).toThrow(/is being written by process \d+ on {2}since x/);
    rmSync(`${path}.lock`);
    writeFileSync(`${path}.lock`, 'torn');
    open().close();
  });
});
