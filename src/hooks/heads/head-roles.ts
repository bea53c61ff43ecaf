/**
 * What heads do on given prompts, by where they look: the names of the literature, read off attention patterns.
 *
 * Each role is scored where it can be seen: duplicates at tokens that have an earlier copy, movers where the answer is read. The
 * head detector (head-detector.ts) averages over a whole text instead, and on a sentence with one repeated name sees little.
 * previous token, duplicate token, induction: Olsson et al., In-context Learning and Induction Heads, 2022. answer mover (the name
 * movers) and inhibition (S-inhibition): Wang et al., Interpretability in the Wild, arXiv 2211.00593.
 */
import { fail } from '../../errors.ts';
import type { HookName } from '../../model/hook-points.ts';
import type { Model } from '../../model/model.ts';
import { runWithCache } from '../run.ts';

/**
 * previous token: at the token before. duplicate token: at earlier copies of this token. induction: at the token after an earlier
 * copy. answer mover: from where the answer is read, at the answer. inhibition: from there, at the second copy of the wrong answer.
 */
export const HEAD_ROLES = ['previous token', 'duplicate token', 'induction', 'answer mover', 'inhibition'] as const;
/** One of HEAD_ROLES. */
export type HeadRole = (typeof HEAD_ROLES)[number];

/** Tokens, the answers, and where they are read (default: the last token). */
export interface RolePrompt {
  readonly tokens: readonly number[];
  readonly correct?: number | undefined;
  readonly incorrect?: number | undefined;
  readonly position?: number | undefined;
}

/** By role, the mean share of a head's attention that is there, over the queries where it can be; null where it can be at none. */
export type RoleScores = Readonly<Record<HeadRole, number | null>>;

/**
 * [layers][heads] of scores over `prompts`: Σ_q Σ_{k in role(q)} A[q, k] / #q, where A is the attention pattern.
 * @throws 'input' without prompts.
 */
export async function headRoles(model: Model, prompts: readonly RolePrompt[]): Promise<readonly RoleScores[][]> {
  if (prompts.length === 0) throw fail('input', 'headRoles', 'no prompts; at least one is needed.');
  const { nLayers, nHeads } = model.config;
  const sums = HEAD_ROLES.map(() => new Float64Array(nLayers * nHeads));
  const queries = HEAD_ROLES.map(() => 0);
  for (const prompt of prompts) {
    const n = prompt.tokens.length;
    const looks = HEAD_ROLES.map((role) => placesOf(role, prompt));
    looks.forEach((places, r) => (queries[r] += places.length));
    const names = Array.from({ length: nLayers }, (_, l): HookName => `blocks.${l}.attn.hook_pattern`);
    const { logits, cache } = runWithCache(model, [...prompt.tokens], { names });
    logits.dispose();
    try {
      for (let l = 0; l < nLayers; l++) {
        const pattern = (await cache.get('pattern', l).data()) as Float32Array; // [1, H, S, S]
        looks.forEach((places, r) => {
          for (const { query, keys } of places)
            for (let h = 0; h < nHeads; h++)
              for (const key of keys) sums[r][l * nHeads + h] += pattern[(h * n + query) * n + key];
        });
      }
    } finally {
      cache[Symbol.dispose]();
    }
  }
  const scoresOf = (head: number): RoleScores =>
    Object.fromEntries(
      HEAD_ROLES.map((role, r) => [role, queries[r] === 0 ? null : sums[r][head] / queries[r]]),
    ) as RoleScores;
  return Array.from({ length: nLayers }, (_, l) => Array.from({ length: nHeads }, (__, h) => scoresOf(l * nHeads + h)));
}

/** The role that a head has most of, and how much; undefined where it has less than `least` of every one. */
export function roleOf(
  scores: RoleScores,
  least = 0.3,
): { readonly role: HeadRole; readonly score: number } | undefined {
  const best = HEAD_ROLES.map((role) => ({ role, score: scores[role] ?? 0 })).reduce((a, b) =>
    b.score > a.score ? b : a,
  );
  return best.score >= least ? best : undefined;
}

interface Place {
  readonly query: number;
  readonly keys: readonly number[];
}

/** The queries at which a role can be seen, and the keys that it looks at from there. The first token is where idle heads look. */
function placesOf(role: HeadRole, { tokens, correct, incorrect, position }: RolePrompt): Place[] {
  const end = position ?? tokens.length - 1;
  const all = tokens.map((_, q) => q);
  const copies = (token: number | undefined, before: number): number[] =>
    all.filter((k) => k > 0 && k < before && tokens[k] === token);
  const from = (query: number, keys: readonly number[]): Place[] => (keys.length === 0 ? [] : [{ query, keys }]);
  switch (role) {
    case 'previous token':
      return all.filter((q) => q > 1).flatMap((q) => from(q, [q - 1]));
    case 'duplicate token':
      return all.flatMap((q) => from(q, copies(tokens[q], q)));
    case 'induction':
      return all.flatMap((q) => from(q, afterCopies(copies(tokens[q], q), q)));
    case 'answer mover': {
      const induced = afterCopies(copies(tokens[end], end), end);
      return from(
        end,
        copies(correct, end).filter((k) => !induced.includes(k)),
      );
    }
    case 'inhibition':
      return from(end, copies(incorrect, end).slice(1));
    default:
      return role satisfies never;
  }
}

function afterCopies(copies: readonly number[], before: number): number[] {
  return copies.map((k) => k + 1).filter((k) => k < before);
}
