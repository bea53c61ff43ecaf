import { describe, expect, it } from 'vitest';
import { pairOf, twinOf } from '../../demo/sentences.ts';

describe('sentences of the demo', () => {
  const text = 'When Mary and John went to the store, John gave a drink to';

  it('have a pair in which the answers are swapped', () => {
    expect(pairOf(text, ['Mary', 'John'])).toBe('When Mary and John went to the store, Mary gave a drink to');
    expect(pairOf('When Mary and John went to the store, Mary gave a drink to', ['John', 'Mary'])).toBe(text);
  });

  it('have none where the answers are not both said, or neither again', () => {
    expect(pairOf(text, ['Mary', 'Amy'])).toBeUndefined();
    expect(pairOf('Mary and John met, and gave a drink to', ['Mary', 'John'])).toBeUndefined();
  });

  it('have a twin with other people', () => {
    expect(twinOf(text, ['Mary', 'John', 'Amy', 'Mark', 'Max'])).toBe(
      'When Amy and Mark went to the store, Max gave a drink to',
    );
    expect(twinOf(text, ['Mary', 'John', 'Amy'])).toBeUndefined();
  });
});
