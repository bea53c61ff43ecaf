import { describe, expect, it } from 'vitest';
import { closest, fail, SpexlensError, throwIfAborted } from '../src/errors.ts';

describe('SpexlensError', () => {
  it('carries its kind and reads as one line: who, what', () => {
    const error = fail('budget', 'exact', '256 masks are needed, 10 given.');
    expect(error).toBeInstanceOf(SpexlensError);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      kind: 'budget',
      name: 'SpexlensError',
      message: 'exact: 256 masks are needed, 10 given.',
    });
  });

  it('stays one line of at most 1,000 characters, whatever it quotes, with both its ends', () => {
    const { message } = fail(
      'checkpoint',
      'config.json',
      `"${'x'.repeat(100_000)}\n\u0007" is unknown; gpt2 is known.`,
    );
    expect(message.length).toBeGreaterThan(990);
    expect(message.length).toBeLessThanOrEqual(1000);
    expect(message).toMatch(/^config\.json: "x{300,}…x+ " is unknown; gpt2 is known\.$/);
  });
});

describe('throwIfAborted', () => {
  it('throws only once the signal has fired', () => {
    const stop = new AbortController();
    expect(() => throwIfAborted(undefined, 'run')).not.toThrow();
    expect(() => throwIfAborted(stop.signal, 'run')).not.toThrow();
    stop.abort();
    expect(() => throwIfAborted(stop.signal, 'run')).toThrow(expect.objectContaining({ kind: 'aborted' }));
  });
});

describe('closest', () => {
  it('lists the nearest names first, whatever their case', () => {
    expect(closest('LogitDif', ['accuracy', 'logit', 'logitDiff', 'logProb'], 2)).toEqual(['logitDiff', 'logit']);
  });

  it('counts insertions, deletions and replacements alike, and breaks ties by name', () => {
    expect(closest('abc', ['xabc', 'ab', 'axc', 'abcdef'], 4)).toEqual(['ab', 'axc', 'xabc', 'abcdef']);
  });

  it('serves empty lists and empty names', () => {
    expect(closest('x', [])).toEqual([]);
    expect(closest('', ['ab', 'a'])).toEqual(['a', 'ab']);
  });
});
