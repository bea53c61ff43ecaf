/**
 * Stored games (FOLDER/index.json and NAME.f32 with all 2^n values) as cells: masks, values, and what an answer is scored on.
 *
 * With every value known a score needs no sampling: R² on all masks that were not fitted, and how many of the ten
 * largest true interactions are among the answer's ten.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { allMasks, selectRows, type Masks } from '../../src/masks.ts';
import { fail } from '../../src/errors.ts';
import { proxyMasks } from '../../src/proxy/proxyspex.ts';
import { topInteractions } from '../../src/spectrum/energy.ts';
import { r2 } from '../../src/spectrum/r2.ts';
import { setKey, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';
import { fourierFromTable, spectrumOfDense, tableOfSpectrum } from '../../src/spectrum/walsh-hadamard.ts';

export interface StoredGame {
  readonly name: string;
  /** The name without its instance: games of one kind. */
  readonly family: string;
  readonly players: number;
  /** f of all 2^n masks in counting order. */
  readonly table: Float32Array;
  /** The ten largest interactions (order >= 2), by setKey. */
  readonly largest: ReadonlySet<string>;
}

const Index = z.array(z.object({ name: z.string(), players: z.number() }));
const TOP = 10;

/** The games of a folder, every `every`-th. @throws 'input' when they are not there or have the wrong length. */
export function* storedGames(folder: string, every = 1): Generator<StoredGame> {
  const path = join(folder, 'index.json');
  if (!existsSync(path))
    throw fail(
      'input',
      'bench-proxy',
      `${path} is not there; --games needs a folder with index.json and NAME.f32 files of 2^n values.`,
    );
  for (const { name, players } of Index.parse(JSON.parse(readFileSync(path, 'utf8'))).filter(
    (_, k) => k % every === 0,
  )) {
    const bytes = readFileSync(join(folder, `${name}.f32`));
    const table = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    if (table.length !== 2 ** players)
      throw fail('input', 'bench-proxy', `${name}.f32 has ${table.length} values; 2^${players} are needed.`);
    const exact = spectrumOfDense('fourier', fourierFromTable(Float64Array.from(table)), () => 0);
    yield {
      name,
      family: name.replace(/-\d+(-(vit|\d+))*-?\d*$/, (end) => (end.includes('vit') ? '-vit' : '')),
      players,
      table,
      largest: largestOf(exact),
    };
  }
}

function largestOf(spectrum: FourierSpectrum): Set<string> {
  return new Set(topInteractions(spectrum, TOP).map(({ members }) => setKey(members)));
}

/** N = ceil(α n log2 n) masks of a seed: both ends and uniform ones. */
export function masksOf(players: number, alpha: number, seed: number): Masks {
  return proxyMasks(players, Math.ceil(alpha * players * Math.log2(players)), seed);
}

export function valuesOf(game: StoredGame, masks: Masks): Float64Array {
  return Float64Array.from(masks.words, (word) => game.table[word]);
}

/** R² on all masks but the fitted ones, and the share of the ten largest interactions found. */
export function scoreOf(game: StoredGame, fitted: Masks, spectrum: FourierSpectrum): { r2: number; recall: number } {
  const seen = new Set(fitted.words);
  const everything = allMasks(game.players);
  const held = selectRows(
    everything,
    everything.words.filter((word) => !seen.has(word)),
  );
  const estimate = tableOfSpectrum(spectrum);
  const found = largestOf(spectrum);
  const shared = [...game.largest].filter((key) => found.has(key)).length;
  return {
    r2: r2(
      valuesOf(game, held),
      Float64Array.from(held.words, (word) => estimate[word]),
    ),
    recall: game.largest.size === 0 ? 1 : shared / game.largest.size,
  };
}
