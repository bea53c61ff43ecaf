import { describe, expect, it } from 'vitest';
import { headsOf } from '../../src/place.ts';
import { attendedText } from '../../src/report/attention-words.ts';

describe('what a query attends to, in words', () => {
  const tokens = ['When', ' John', ' saw', ' Mary', ',', ' John'];

  it('names the largest weights, and which of several equal tokens', () => {
    const weights = [0.05, 0.5, 0, 0.25, 0, 0.2];
    expect(attendedText(tokens, weights, { most: 3, least: 0.01 }).replaceAll('\u00a0', ' ')).toBe(
      '␣John (1st) 50 %, ␣Mary 25 %, ␣John (2nd) 20 %',
    );
    expect(attendedText(tokens, weights, { most: 3, least: 0.6 })).toBe('');
  });

  it('counts on as one counts', () => {
    const many = Array.from({ length: 113 }, () => 'a');
    const at = (key: number): string =>
      attendedText(
        many,
        many.map((_, k) => (k === key - 1 ? 1 : 0)),
        { most: 1, least: 0.5 },
      );
    expect([3, 4, 11, 12, 13, 21, 101, 111, 112].map((key) => /\((.*)\)/.exec(at(key))?.[1])).toEqual(
      '3rd 4th 11th 12th 13th 21st 101st 111th 112th'.split(' '),
    );
  });
});

describe('heads of a place', () => {
  it('are itself, its parts, and of an edge who writes and who asks', () => {
    const head = { kind: 'head', layer: 1, head: 2 } as const;
    expect(headsOf(head)).toEqual([{ layer: 1, head: 2 }]);
    expect(headsOf({ kind: 'group', parts: [head, { kind: 'mlp', layer: 0 }] })).toEqual([{ layer: 1, head: 2 }]);
    const edge = { kind: 'edge', from: head, to: { kind: 'q', layer: 3, head: 0 } } as const;
    expect(headsOf(edge)).toEqual([
      { layer: 1, head: 2 },
      { layer: 3, head: 0 },
    ]);
    expect(headsOf({ kind: 'edges', parts: [{ ...edge, to: { kind: 'v', layer: 3, head: 0 } }] })).toEqual([
      { layer: 1, head: 2 },
    ]);
    expect([headsOf({ kind: 'embed' }), headsOf(undefined)]).toEqual([[], []]);
  });
});
