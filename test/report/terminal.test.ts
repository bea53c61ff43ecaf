import { beforeAll, describe, expect, it } from 'vitest';
import { terminalReport } from '../../src/report/terminal.ts';
import { columnsOf } from '../../src/report/wording.ts';
import type { Result } from '../../src/report/result.ts';
import { HOSTILE } from './hostile-text.ts';
import { heads, madeUpResult, neurons, tokens } from './made-up-result.ts';

let result: Result;
beforeAll(async () => {
  result = await madeUpResult({ players: heads(4, 4), layers: 4, heads: 4 });
});

const plain = (of: Result): string => terminalReport(of, { color: false });

describe('the terminal story', () => {
  it('fits 40 lines of 80 columns', async () => {
    for (const players of [heads(4, 4), heads(12, 12), neurons(500), tokens(['a', 'b', 'c']), heads(1, 1)]) {
      const lines = plain(await madeUpResult({ players }))
        .trimEnd()
        .split('\n');
      expect(lines.length).toBeLessThanOrEqual(40);
      expect(Math.max(...lines.map(columnsOf))).toBeLessThanOrEqual(80);
    }
  });

  it('says the numbers of the record', () => {
    const text = plain(result);
    expect(text).toContain('0.972 [0.961, 0.979]');
    expect(text).toContain('0.743 [0.701, 0.780]');
    expect(text).toContain(result.interactions[0].names.join(' × '));
    for (const player of result.circuit?.chosen.players ?? []) expect(text).toContain(result.players[player].name);
    expect(text).toContain('out/report.html');
    expect(text).toContain('seed 0');
  });

  it('has no escape sequence without colour, and the same words with it', () => {
    const escapes = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');
    expect(plain(result)).not.toMatch(escapes);
    expect(terminalReport(result)).toBe(plain(result)); // whatever the environment says
    const colored = terminalReport(result, { color: true });
    expect(colored).toMatch(escapes);
    expect(colored.replace(escapes, '')).toBe(plain(result));
  });

  it('lets no control character of a prompt or a name through, nor a line that is too wide', async () => {
    const hostile = await madeUpResult({ players: tokens(HOSTILE), prompt: HOSTILE.join('\n'), name: HOSTILE[6] });
    const text = plain({ ...hostile, files: HOSTILE.map((path) => ({ path, what: path })) });
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u2028\u202A-\u202E\u2066-\u2069]/u);
    expect(Math.max(...text.split('\n').map(columnsOf))).toBeLessThanOrEqual(80);
  });

  it('shows a circuit of narrowing though the spectrum predicts nothing, and none of a broken question', () => {
    const nothing = { kind: 'predicts nothing', text: 'R² is not above 0.' };
    const circuit = { ...result.circuit!, selector: 'narrowing' };
    expect(plain({ ...result, findings: [nothing] })).not.toContain('kept alone');
    const shown = plain({ ...result, circuit, findings: [nothing] });
    expect(shown).toContain('by narrowing');
    expect(shown).toContain('kept alone');
    expect(shown).not.toContain('acting together');
    const broken = { kind: 'broken question', text: 'f(all) is f(none).' };
    expect(plain({ ...result, circuit, findings: [broken, nothing] })).not.toContain('kept alone');
  });

  it('tells of a run with nothing held out, no interactions, no circuit', () => {
    const { heldOut: _, circuit: __, ...rest } = result;
    const text = plain({
      ...rest,
      interactions: [],
      solver: { name: 'exact', masks: 65_536, exact: true, details: {} },
    });
    expect(text).toContain('exact: every mask was measured');
    expect(text).toContain('no interactions were found');
    expect(text).not.toContain('kept alone');
  });
});
