/** Scores that came from elsewhere, a file or another program, judged beside the methods that run here. */
import { fail } from '../errors.ts';
import type { CircuitMethod } from './circuit-method.ts';
import { foundBy } from './ranking-methods.ts';

/** A method that asks for nothing: its scores are what keeping each player adds to f, [n]. */
export function givenScores(name: string, scores: Float64Array): CircuitMethod {
  return {
    name,
    about: 'scores that were given',
    source: '',
    async find({ game, ends }) {
      const n = game.players.length;
      if (scores.length !== n)
        throw fail('input', name, `${scores.length} scores were given for ${n} players; one each is needed.`);
      return foundBy(scores, ends);
    },
  };
}
