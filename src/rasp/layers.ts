/**
 * Which layer computes what: each sequence as early as its inputs allow.
 *
 * A transformer is a row of half-layers, attention at 0, 2, 4, ... and MLPs at 1, 3, 5, ...; a part reads what earlier half-layers wrote. A
 * width takes two, a head and the MLP behind it.
 */
import { inputsOf, type Sequence } from './language.ts';

/** The half-layer in which a sequence is complete; tokens and indices are at -1. */
export function scheduleOf(sequences: readonly Sequence[]): ReadonlyMap<Sequence, number> {
  const done = new Map<Sequence, number>();
  for (const sequence of sequences) {
    const ready = Math.max(-1, ...inputsOf(sequence).map((inner) => done.get(inner) ?? -1));
    done.set(sequence, completion(sequence, ready));
  }
  return done;
}

function completion({ kind }: Sequence, ready: number): number {
  const attention = ready + 1 + ((ready + 1) % 2); // the next even half-layer
  const mlp = ready + 1 + (ready % 2 === 0 ? 0 : 1); // the next odd one
  switch (kind) {
    case 'tokens':
    case 'indices':
      return -1;
    case 'aggregate':
      return attention;
    case 'width':
      return attention + 1;
    case 'map':
    case 'sequence-map':
    case 'linear':
      return mlp;
    default:
      return kind satisfies never;
  }
}
