import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allMasks } from '../../src/masks.ts';
import { gameFromFunction, memoise } from '../../src/game.ts';
import { openRunLog } from '../../src/measure/run-log.ts';

let path: string;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-log-'));
  path = join(folder, 'run-log.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const identity = { model: 'm', metric: 'logit', nested: { b: 1, a: [1, 2] } };
const open = (over: Record<string, unknown> = {}) => openRunLog(path, ['a', 'b'], { ...identity, ...over });

describe('the run log', () => {
  it('gives back what was appended, to the last bit', () => {
    const values = Float64Array.from([0.1 + 0.2, -1e-300, 12345.678901234567]);
    const first = open();
    first.append(['00', '01', '02'], values);
    first.close();
    const again = open();
    expect(again.resumed).toBe(3);
    expect([...again.entries()]).toEqual([
      ['00', values[0]],
      ['01', values[1]],
      ['02', values[2]],
    ]);
    again.close();
  });

  it('cuts a torn last line off and goes on, whole, from there', () => {
    const first = open();
    first.append(['00', '01'], Float64Array.of(1, 2));
    first.close();
    appendFileSync(path, '{"mask":"02","va');
    const second = open();
    expect(second.resumed).toBe(2);
    second.append(['03'], Float64Array.of(4));
    second.close();
    expect(readFileSync(path, 'utf8').trim().split('\n').slice(1)).toEqual([
      '{"mask":"00","value":1}',
      '{"mask":"01","value":2}',
      '{"mask":"03","value":4}',
    ]);
  });

  it('starts over when even its header was torn', () => {
    open().close();
    truncateSync(path, 20);
    const again = open();
    expect(again.resumed).toBe(0);
    again.append(['00'], Float64Array.of(1));
    again.close();
    expect(open().resumed).toBe(1);
  });

  it('does not depend on the order in which the identity was written', () => {
    open().close();
    expect(() =>
      openRunLog(path, ['a', 'b'], { nested: { a: [1, 2], b: 1 }, metric: 'logit', model: 'm' }).close(),
    ).not.toThrow();
  });

  it.each([
    ['another metric', () => open({ metric: 'prob' }), /belongs to another run \(metric was "logit", now "prob"\)/],
    ['other players', () => openRunLog(path, ['a', 'c'], identity), /players was \["a","b"\], now \["a","c"\]/],
  ])('refuses %s, naming what differs', (_what, reopen, message) => {
    open().close();
    expect(reopen).toThrow(message);
  });

  it.each([
    ['a file of something else', 'hello\nworld\n', /does not begin with a run-log header/],
    ['another version', '{"spexlens":"run-log/9","hash":"x"}\n', /version "run-log\/9"; this program reads run-log\/1/],
  ])('refuses %s', (_what, text, message) => {
    writeFileSync(path, text);
    expect(() => open()).toThrow(message);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('refuses a line that was damaged in the middle, naming it', () => {
    const log = open();
    log.append(['00'], Float64Array.of(1));
    log.close();
    appendFileSync(path, 'rubbish\n{"mask":"01","value":2}\n');
    expect(() => open()).toThrow(/line 3 is not JSON/);
  });

  it('refuses a folder that is not there', () => {
    expect(() => openRunLog(join(folder, 'no', 'log'), ['a'], {})).toThrow(/cannot be written \(ENOENT\)/);
  });

  it('spares a game every mask it holds', async () => {
    let measured = 0;
    const game = gameFromFunction('g', 3, (row) => (measured++, row));
    const log = openRunLog(path, ['x0', 'x1', 'x2'], {});
    const first = await memoise(game, log).value(allMasks(3));
    log.close();
    const again = openRunLog(path, ['x0', 'x1', 'x2'], {});
    expect(await memoise(game, again).value(allMasks(3))).toEqual(first);
    expect(measured).toBe(8);
    again.close();
  });
});
