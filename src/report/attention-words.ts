/** What a query attends to, in words: the tokens of the largest weights, told apart where a token is there more than once. */
import { percent } from './wording.ts';

/** A token with its spaces shown. */
export function tokenText(token: string): string {
  return token.replaceAll(' ', '␣').replaceAll('\n', '↵');
}

/** `␣John (1st) 62 %, ␣Mary 20 %`: at most `most` keys of at least `least` of the weight, the largest first; empty for none. */
export function attendedText(
  tokens: readonly string[],
  weights: readonly number[],
  { most, least }: { readonly most: number; readonly least: number },
): string {
  return weights
    .map((weight, key) => ({ weight, key }))
    .filter(({ weight }) => weight >= least)
    .sort((a, b) => b.weight - a.weight || a.key - b.key)
    .slice(0, most)
    .map(({ weight, key }) => `${keyText(tokens, key)} ${percent(weight)}`)
    .join(', ');
}

function keyText(tokens: readonly string[], key: number): string {
  const own = tokens[key];
  const all = tokens.filter((token) => token === own).length;
  if (all === 1) return tokenText(own);
  const number = tokens.slice(0, key + 1).filter((token) => token === own).length;
  return `${tokenText(own)} (${ordinal(number)})`;
}

/** 1st, 2nd, 3rd, 4th, 11th, 21st. */
function ordinal(number: number): string {
  const teens = Math.floor(number / 10) % 10 === 1;
  return `${number}${(teens ? undefined : ['th', 'st', 'nd', 'rd'][number % 10]) ?? 'th'}`;
}
