/** Sparse spectra with known answers, and games of them, for the tests of this folder. */
import type { Random } from '../../src/random.ts';
import { gameFromFunction, type Game } from '../../src/game.ts';
import { selectRows } from '../../src/masks.ts';
import { createSpectrum, evaluate, setKey, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';

/** `count` random sets of 1..order players with values of magnitude 0.2..1.2 and random sign. */
export function randomSpectrum(players: number, count: number, order: number, random: Random): FourierSpectrum {
  const sets = new Map<string, number[]>();
  while (sets.size < count) {
    const set = random.subset(players, 1 + random.integer(order));
    sets.set(setKey(set), set);
  }
  return createSpectrum(
    'fourier',
    players,
    [...sets.values()].map((members) => ({
      members,
      value: (0.2 + random.uniform()) * (random.uniform() < 0.5 ? -1 : 1),
    })),
  );
}

/** The game whose spectrum it is. */
export function gameOf(spectrum: FourierSpectrum): Game {
  return gameFromFunction('truth', spectrum.players, (row, masks) => evaluate(spectrum, selectRows(masks, [row]))[0]);
}

/** Nonempty sets of a spectrum as keys, sorted. */
export function supportOf(spectrum: FourierSpectrum): string[] {
  return spectrum.terms
    .map(({ members }) => setKey(members))
    .filter((key) => key !== '')
    .sort();
}
