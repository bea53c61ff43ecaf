/**
 * Mask matrices, rows x players, bit-packed: 1 = the player is KEPT, 0 = it is ablated.
 *
 * Invariant: player i of a row is bit (i & 31) of word (i >> 5); bits past the last player are 0,
 * so equal rows have equal words. n may be 10,000: a mask is never a JS number. The hex form of a
 * row (run logs, keys) lists its bytes in player order, byte k holding players 8k..8k+7, lowest bit first.
 */
import { fail } from './errors.ts';

/** Rows of bits, one a player: 1 = kept. */
export interface Masks {
  /** n, the number of players (columns). */
  readonly players: number;
  /** The number of masks (rows). */
  readonly count: number;
  /** Words per row, ceil(n / 32). */
  readonly stride: number;
  /** count x stride words. */
  readonly words: Uint32Array;
}

/** Words of one matrix at most: 16 GiB. */
const MOST_WORDS = 2 ** 32 - 1;

/** `count` masks over `players` players, all of them empty (everything ablated). */
export function emptyMasks(players: number, count: number): Masks {
  if (!Number.isInteger(players) || players < 0) {
    throw fail('input', 'masks', `${players} players; a whole number >= 0 is needed.`);
  }
  const stride = Math.max(1, Math.ceil(players / 32));
  if (!Number.isInteger(count) || count < 0 || count * stride > MOST_WORDS)
    throw fail(
      'input',
      'masks',
      `${count} masks of ${players} players; a whole number from 0 to ${Math.floor(MOST_WORDS / stride)} is needed, as many as one array holds.`,
    );
  return { players, count, stride, words: new Uint32Array(count * stride) };
}

/** Masks from rows of 0/1, one row per mask; rows must all have the same length. */
export function masksFromRows(rows: readonly ArrayLike<number | boolean>[], players = rows[0]?.length ?? 0): Masks {
  const masks = emptyMasks(players, rows.length);
  rows.forEach((row, r) => {
    if (row.length !== players)
      throw fail('input', 'masks', `row ${r} has ${row.length} players; row 0 has ${players}.`);
    for (let i = 0; i < players; i++) {
      const bit = Number(row[i]);
      if (bit === 1) keep(masks, r, i);
      else if (bit !== 0)
        throw fail('input', 'masks', `row ${r}, player ${i} is ${row[i]}; 0 (ablated) or 1 (kept) is needed.`);
    }
  });
  return masks;
}

/** Masks from lists of kept players, one list per mask. */
export function masksFromMembers(players: number, lists: readonly (readonly number[])[]): Masks {
  const masks = emptyMasks(players, lists.length);
  lists.forEach((list, r) => {
    for (const i of list) {
      if (!Number.isInteger(i) || i < 0 || i >= players) {
        throw fail('input', 'masks', `mask ${r} names player ${i}; players are 0..${players - 1}.`);
      }
      keep(masks, r, i);
    }
  });
  return masks;
}

/** Mask i keeps every player but i. */
export function allButOne(players: number): Masks {
  const masks = emptyMasks(players, players);
  masks.words.fill(0xffffffff);
  const rest = players & 31;
  for (let row = 0; row < players; row++) {
    if (rest !== 0) masks.words[(row + 1) * masks.stride - 1] = 2 ** rest - 1;
    masks.words[row * masks.stride + (row >>> 5)] &= ~(1 << (row & 31));
  }
  return masks;
}

/** All 2^n masks in counting order: mask j keeps player i iff bit i of j is 1. n <= 24. */
export function allMasks(players: number): Masks {
  if (players > 24) throw fail('input', 'allMasks', `2^${players} masks do not fit in memory; at most 24 players.`);
  const masks = emptyMasks(players, 2 ** players);
  for (let j = 0; j < masks.count; j++) masks.words[j] = j;
  return masks;
}

/** Whether mask `row` keeps `player`. */
export function isKept(masks: Masks, row: number, player: number): boolean {
  return ((masks.words[row * masks.stride + (player >>> 5)] >>> (player & 31)) & 1) === 1;
}

/** Marks `player` as kept in mask `row`, in place. */
export function keep(masks: Masks, row: number, player: number): void {
  masks.words[row * masks.stride + (player >>> 5)] |= 1 << (player & 31);
}

/** The kept players of mask `row`, increasing. */
export function keptPlayers(masks: Masks, row: number): number[] {
  const kept: number[] = [];
  for (let i = 0; i < masks.players; i++) if (isKept(masks, row, i)) kept.push(i);
  return kept;
}

/** Rows [start, end) as bytes, (end-start) x players, each 0 or 1. */
export function maskBytes(masks: Masks, start = 0, end = masks.count): Uint8Array {
  const { players, stride, words } = masks;
  const bytes = new Uint8Array((end - start) * players);
  let at = 0;
  for (let row = start; row < end; row++) {
    for (let i = 0; i < players; i++) bytes[at++] = (words[row * stride + (i >>> 5)] >>> (i & 31)) & 1;
  }
  return bytes;
}

/** The bytes as two digits each. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Mask `row` as lower-case hex, 2·ceil(n/8) characters: its identity in memos and run logs. */
export function maskHex({ players, stride, words }: Masks, row: number): string {
  let hex = '';
  for (let k = 0; k < players; k += 8) hex += HEX[(words[row * stride + (k >>> 5)] >>> (k & 24)) & 255];
  return hex;
}

/** The masks named by hex strings, in order. */
export function masksFromHex(players: number, hexes: readonly string[]): Masks {
  const masks = emptyMasks(players, hexes.length);
  const length = 2 * Math.ceil(players / 8);
  hexes.forEach((hex, row) => {
    if (hex.length !== length || !/^[0-9a-f]*$/.test(hex)) {
      throw fail(
        'input',
        'masksFromHex',
        `"${hex}" is not a mask of ${players} players; ${length} hex digits are needed.`,
      );
    }
    for (let k = 0; k < length / 2; k++) {
      const byte = Number.parseInt(hex.slice(2 * k, 2 * k + 2), 16);
      if (8 * k + 8 > players && byte >>> (players - 8 * k) !== 0) {
        throw fail('input', 'masksFromHex', `"${hex}" keeps a player beyond the last of ${players}.`);
      }
      masks.words[row * masks.stride + (k >>> 2)] |= byte << ((k & 3) * 8);
    }
  });
  return masks;
}

/** The chosen rows, in the given order, as a new matrix. */
export function selectRows(masks: Masks, rows: ArrayLike<number>): Masks {
  const { players, stride, words } = masks;
  const picked = emptyMasks(players, rows.length);
  for (let k = 0; k < rows.length; k++) {
    for (let w = 0; w < stride; w++) picked.words[k * stride + w] = words[rows[k] * stride + w];
  }
  return picked;
}

/** Rows of several matrices over the same players, one after the other. */
export function concatMasks(parts: readonly Masks[]): Masks {
  const players = parts[0]?.players ?? 0;
  const all = emptyMasks(
    players,
    parts.reduce((sum, part) => sum + part.count, 0),
  );
  let at = 0;
  for (const part of parts) {
    if (part.players !== players)
      throw fail('input', 'concatMasks', `matrices of ${players} and ${part.players} players cannot be joined.`);
    all.words.set(part.words, at);
    at += part.words.length;
  }
  return all;
}

/**
 * The transpose, bit-packed over rows: column i is `ceil(count/32)` words in which bit (r & 31) of
 * word (r >> 5) is player i's state in mask r. Parities and Gram matrices are word operations on it.
 */
export function maskColumns(masks: Masks): Uint32Array[] {
  const { players, count, stride, words } = masks;
  const columns = Array.from({ length: players }, () => new Uint32Array(Math.ceil(count / 32)));
  for (let row = 0; row < count; row++) {
    const bit = 1 << (row & 31);
    for (let i = 0; i < players; i++) {
      if ((words[row * stride + (i >>> 5)] >>> (i & 31)) & 1) columns[i][row >>> 5] |= bit;
    }
  }
  return columns;
}

/** The complement of every mask. */
export function complementOf(masks: Masks): Masks {
  const others = emptyMasks(masks.players, masks.count);
  for (let row = 0; row < masks.count; row++) {
    for (let i = 0; i < masks.players; i++) {
      if (((masks.words[row * masks.stride + (i >>> 5)] >>> (i & 31)) & 1) === 0) keep(others, row, i);
    }
  }
  return others;
}
