/** Measured values on disk: nothing is lost in silence, and no value is another than was measured. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gameFromFunction } from '../../src/game.ts';
import { openLedger } from '../../src/ledger.ts';
import { allMasks, masksFromHex } from '../../src/masks.ts';
import { sealLine } from '../../src/measure/run-log-line.ts';
import { openRunLog } from '../../src/measure/run-log.ts';
import { createRandom } from '../../src/random.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import {
  contentsOf,
  entriesOf,
  NODE_ARGUMENTS,
  reopened as reopenedAt,
  ROOT,
  scriptOf,
  studyOf,
} from './run-log-fixtures.ts';

let path: string;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-log-'));
  path = join(folder, 'run-log.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (study = studyOf()) => openRunLog(path, study);
const reopened = () => reopenedAt(path);

describe('the run log', () => {
  it('gives back what was appended, to the last bit', () => {
    const values = { '00': 0.1 + 0.2, '01': -1e-300, '02': 12345.678901234567, '03': 1e21, '04': -0, '05': 5e-324 };
    const first = open(studyOf(3));
    first.append(entriesOf(values, 3));
    first.close();
    const again = open(studyOf(3));
    expect(again.resumed).toBe(6);
    expect(contentsOf(again)).toEqual(values);
    expect(contentsOf(again)).toEqual(values);
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

  /** Players whose names hold every kind of character that a header can. */
  const LETTERS = { players: ['a"\\\n\u0000', 'é🦊\u2028\ud800'], game: '人' };

  it('goes on from any byte at which a crash tore it: header, entry, in the midst of a character', () => {
    const first = openRunLog(path, LETTERS);
    first.append(entriesOf({ '00': 1.5, '01': -2 }));
    first.close();
    const whole = readFileSync(path);
    const ends = [...whole].flatMap((byte, at) => (byte === 10 ? [at + 1] : []));
    expect(ends).toHaveLength(3);
    for (let bytes = 0; bytes <= whole.length; bytes++) {
      writeFileSync(path, whole.subarray(0, bytes));
      const lost = openRunLog(path, LETTERS);
      const found = contentsOf(lost);
      lost.append(entriesOf({ '03': 4 }));
      lost.close();
      const entries = bytes === ends[2] ? { '00': 1.5, '01': -2 } : bytes >= ends[1] ? { '00': 1.5 } : {};
      expect([bytes, found]).toEqual([bytes, entries]);
      expect(readFileSync(path).at(-1)).toBe(10); // nothing is left of what was torn
      expect([bytes, reopenedAt(path, LETTERS)]).toEqual([bytes, { ...entries, '03': 4 }]);
    }
  });

  it('finds every single flipped bit', () => {
    const first = openRunLog(path, LETTERS);
    first.append(entriesOf({ '00': 1.5, '01': -2.25e-7, '02': 7 }));
    first.append({ ...entriesOf({ '03': 0 }), gradients: Float32Array.of(-1e-9, 3) });
    first.close();
    const whole = readFileSync(path);
    for (let bit = 0; bit < 8 * whole.length; bit++) {
      const flipped = Buffer.from(whole);
      flipped[bit >> 3] ^= 1 << (bit & 7);
      writeFileSync(path, flipped);
      expect([bit, reopenedAt(path, LETTERS)]).toEqual([bit, expect.stringMatching(/^run log /)]);
      expect(readFileSync(path).equals(flipped)).toBe(true);
    }
  }, 300_000);

  it('never gives another value than was written, whatever 1,000 mutations make of the file', () => {
    const log = openRunLog(path, LETTERS);
    const truth: Record<string, number> = { '00': 0.1, '01': 1e21, '02': -3, '03': 1 / 3 };
    log.append(entriesOf(truth));
    log.close();
    const whole = readFileSync(path);
    const random = createRandom(5);
    let readable = 0;
    for (let trial = 0; trial < 1000; trial++) {
      const at = random.integer(whole.length);
      const length = random.integer(trial % 2 === 0 ? 4 : 60);
      const stretch = Buffer.from(Array.from({ length: random.integer(length + 1) }, () => random.integer(256)));
      const other = whole.subarray(random.integer(whole.length)).subarray(0, length);
      const middle = [stretch, other, Buffer.alloc(length)][trial % 3];
      writeFileSync(path, Buffer.concat([whole.subarray(0, at), middle, whole.subarray(at + length)]));
      const found = reopenedAt(path, LETTERS);
      if (typeof found === 'string') continue;
      readable++;
      for (const [mask, value] of Object.entries(found))
        expect([trial, mask, value]).toEqual([trial, mask, truth[mask]]);
    }
    expect(readable).toBeGreaterThan(10); // a torn end, whole lines gone or twice
  }, 300_000);

  it('gives back a file of many chunks in pieces, to the last bit', () => {
    const n = 1000;
    const count = 1200; // 6.7 MB
    const study = { players: Array.from({ length: n }, (_, i) => `x${i}`) };
    const random = createRandom(1);
    const masks = uniformMasks(n, count, random);
    const values = Float64Array.from({ length: count }, () => random.normal());
    const gradients = Float32Array.from({ length: count * n }, () => random.normal());
    const log = openRunLog(path, study);
    log.append({ masks, values, gradients });
    log.close();
    const again = openRunLog(path, study);
    const pieces = [...again.entries()];
    expect(pieces.length).toBeGreaterThan(1);
    expect(Math.max(...pieces.map((piece) => piece.gradients?.length ?? Infinity))).toBeLessThanOrEqual(2 ** 20);
    let row = 0;
    for (const piece of pieces) {
      const end = row + piece.masks.count;
      expect(Buffer.from(piece.masks.words).equals(Buffer.from(masks.words.subarray(row * 32, end * 32)))).toBe(true);
      expect(piece.values).toEqual(values.slice(row, end));
      expect(Buffer.compare(bytesOf(piece.gradients), bytesOf(gradients.subarray(row * n, end * n)))).toBe(0);
      row = end;
    }
    expect([row, again.resumed]).toEqual([count, count]);
    expect([...again.entries()]).toHaveLength(pieces.length); // as often as it is asked
    again.close();
  });
  const bytesOf = (array: Float32Array | undefined): Uint8Array =>
    new Uint8Array(array?.buffer ?? new ArrayBuffer(0), array?.byteOffset, array?.byteLength);

  it('refuses a file whose first line never ends', () => {
    writeFileSync(path, Buffer.alloc(2 ** 26 + 2 ** 21, 'a'));
    expect(reopened()).toMatch(/does not begin with a run-log header/);
  });

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
      /line 3 has the value 1e999, which no number of 64 bits has/,
    ],
    ['NaN', '{"mask":"01","value":NaN}', /line 3 is not \{"mask", "value"\} with a number/],
    ['a number too small to be one', '{"mask":"01","value":1e-999}', /line 3 has the value 1e-999/],
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
      /line 3 has a gradient that is not of 2 finite numbers/,
    ],
    [
      'a gradient of NaN',
      '{"mask":"01","value":2,"gradient":"AADAfwAAAAA="}',
      /line 3 has a gradient that is not of 2 finite numbers/,
    ],
  ])('refuses %s, by its line, though its checksum is right', (_, line, message) => {
    sealed([sealLine(line)]);
    const before = readFileSync(path);
    expect(reopened()).toMatch(message);
    expect(readFileSync(path)).toEqual(before);
  });

  it('refuses a mask again with another gradient', () => {
    sealed(
      ['AACAPwAAAAA=', 'AACAPwAAgD8='].map((gradient) => sealLine(`{"mask":"01","value":2,"gradient":"${gradient}"}`)),
    );
    expect(reopened()).toMatch(/line 4 gives mask 01 another gradient than an earlier line/);
  });

  it('takes a mask again with the same value', () => {
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
      'half a header of another run',
      '{"spexlens":"run-log/2","hash":"0123',
      /holds half a header of another run and no values; choose another folder, or remove/,
    ],
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
    ['a link to /dev/null', () => symlinkSync('/dev/null', path), /is a device; a log is a regular file/],
    ['a link to /dev/full', () => symlinkSync('/dev/full', path), /is a device; a log is a regular file/],
    ['a link to nothing', () => symlinkSync('nothing', path), /is a link to a file that is not there/],
  ])('refuses %s', (_what, make, message) => {
    make();
    expect(() => open()).toThrow(message);
    expect(readdirSync(folder)).toEqual(['run-log.jsonl']);
  });

  it('refuses to write what it would refuse to read', () => {
    const log = open();
    const [masks, one] = [masksFromHex(2, ['00', '01']), Float64Array.of(1, 2)];
    expect(() => log.append({ masks, values: Float64Array.of(1, NaN) })).toThrow(/the value of mask 01 is NaN/);
    expect(() => log.append({ masks, values: one, gradients: Float32Array.of(1, 2, 3, Infinity) })).toThrow(
      /the gradient of mask 01 by player 1 is Infinity/,
    );
    expect(() => log.append({ masks, values: Float64Array.of(1) })).toThrow(
      /1 values and no gradients were given for 2/,
    );
    expect(() => log.append({ masks, values: one, gradients: Float32Array.of(1) })).toThrow(/2 values and 1 gradients/);
    expect(() => log.append(entriesOf({ '00': 1 }, 3))).toThrow(/masks over 3 players were given; this game has 2/);
    log.append(entriesOf({ '00': 1 }));
    log.close();
    expect(reopened()).toEqual({ '00': 1 });
  });

  it('says that it is closed, and closes once', () => {
    const log = open();
    log.append(entriesOf({ '00': 1 }));
    log.close();
    const other = open();
    const reading = other.entries()[Symbol.iterator]();
    reading.next();
    log.close(); // takes nothing from the one that has it now
    expect(() => log.append(entriesOf({ '01': 1 }))).toThrow(`run log ${path}: is closed`);
    expect(() => [...log.entries()]).toThrow(/is closed/);
    expect(() => open()).toThrow(/is being written by this process/);
    other.close();
    expect(() => reading.next()).toThrow(/is closed/);
  });

  /** What a process says that appends, in batches, more than the disk takes; then once more; then reads what is there. */
  const untilFull = `
    const log = openRunLog(path, study);
    const say = (work) => { try { work(); return 'written'; } catch (error) { return error.kind + ' ' + error.message; } };
    const masks = masksFromHex(2, Array.from({ length: 40 }, (_, k) => '0' + (k & 3)));
    let batches = 0;
    let said;
    do { said = say(() => log.append({ masks, values: Float64Array.from({ length: 40 }, (_, k) => (k & 3) / 3) })); batches++; }
    while (said === 'written' && batches < 1000);
    const again = [say(() => log.append(entry('00', 0))), say(() => log.append(entry('00', 0)))];
    const lines = fs.readFileSync(path, 'utf8').split('\\n').length - 2;
    const held = [...log.entries()].length;
    log.close();
    const next = openRunLog(path, study);
    console.log(JSON.stringify({ said, again, batches, lines, held, resumed: next.resumed }));
    next.close();`;
  const expectFull = (said: string, code: string, why: string, where: string): void => {
    const { batches, lines, ...rest } = JSON.parse(said) as Record<string, unknown> & {
      batches: number;
      lines: number;
    };
    const full = `log run log ${where}: cannot be written (${code}: ${why}); what was measured before is safe, and the same command goes on from it.`;
    expect(rest).toEqual({ said: full, again: [full, full], held: 0, resumed: 4 });
    expect(lines).toBe(40 * (batches - 1)); // whole batches, and nothing of the one that failed
    expect(batches).toBeGreaterThan(1);
  };

  it('names its path where a write fails in the midst of a batch, takes no more, and keeps what was there', () => {
    // bash counts in blocks of 1,024 bytes; the runtime ignores the signal, so that the write fails as on a full disk.
    const out = execFileSync(
      'bash',
      ['-c', 'ulimit -f 16; exec "$@"', '-', process.execPath, ...NODE_ARGUMENTS, scriptOf(path, untilFull)],
      { encoding: 'utf8', cwd: ROOT },
    );
    expectFull(out, 'EFBIG', 'it failed', path);
  }, 60_000);

  const mounts = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', tmpdir()]).status === 0;
  if (!mounts) process.stderr.write('skipped: the run log on a full disk (no small disk can be mounted here)\n');
  const inMount = (at: string, size: string): string[] => {
    const shell = `mount -t tmpfs -o size=${size} none '${at}' && exec "$@"`;
    return ['-rm', 'bash', '-c', shell, '-', process.execPath];
  };
  it.runIf(mounts)(
    'says that the disk is full',
    () => {
      const small = join(folder, 'small');
      mkdirSync(small);
      const inside = join(small, 'log.jsonl');
      const out = execFileSync('unshare', [...inMount(small, '64k'), ...NODE_ARGUMENTS, scriptOf(inside, untilFull)], {
        encoding: 'utf8',
        cwd: ROOT,
      });
      expectFull(out, 'ENOSPC', 'the disk is full', inside);
    },
    60_000,
  );

  it.runIf(mounts)(
    'leaves nothing behind where the disk has no room for a header',
    () => {
      const out = execFileSync(
        'unshare',
        [
          ...inMount(folder, '8k'),
          ...NODE_ARGUMENTS,
          scriptOf(
            path,
            `fs.writeFileSync(path + '.filler', 'x'.repeat(4096));
           const long = { players: ['x'.repeat(9000)] };
           try { openRunLog(path, long); } catch (error) { console.log(error.message); }
           console.log(fs.readdirSync(${JSON.stringify(folder)}).join());`,
          ),
        ],
        { encoding: 'utf8', cwd: ROOT },
      );
      expect(out).toMatch(/cannot be (written|locked) \(.*ENOSPC.*\)[^\n]*\nrun-log\.jsonl\.filler\n$/);
    },
    60_000,
  );

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
