/** Which token comes next: the likeliest, or one drawn from the softmax of the logits / temperature. */
import { fail } from '../errors.ts';
import type { Random } from '../random.ts';

export interface Sampling {
  /** 0 = greedy: the likeliest token, of equals the first. */
  readonly temperature: number;
  /** Draw among this many likeliest tokens only (of equals the first ones); undefined = all. */
  readonly topK: number | undefined;
}

/** @throws 'input' for a temperature or topK out of range. */
export function checkSampling({ temperature, topK }: Sampling): void {
  if (!(temperature >= 0 && temperature < Infinity))
    throw fail('input', 'temperature', `${temperature}; 0 (greedy) or a positive number is needed.`);
  if (topK !== undefined && !(Number.isInteger(topK) && topK >= 1))
    throw fail('input', 'topK', `${topK}; a whole number of tokens >= 1 is needed.`);
}

/**
 * The id of the next token. Probabilities are summed in float64 and drawn with one number of `random` (none when greedy).
 * @throws 'input' when a logit is not a number.
 */
export function chooseToken(logits: Float32Array, { temperature, topK }: Sampling, random: Random): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    if (Number.isNaN(logits[id]))
      throw fail('input', 'generate', `the logit of token ${id} is not a number; look at the hooks and the weights.`);
    if (logits[id] > logits[best]) best = id;
  }
  if (temperature === 0) return best;
  const allowed = topK !== undefined && topK < logits.length ? likeliest(logits, topK) : undefined;
  const candidates = allowed ?? Array.from(logits, (_, id) => id);
  const weights = candidates.map((id) => Math.exp((logits[id] - logits[best]) / temperature));
  let left = random.uniform() * weights.reduce((a, b) => a + b, 0);
  for (const [i, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return candidates[i];
  }
  return best; // rounding let the draw pass the sum
}

/** The ids of the `count` largest logits, increasing. */
function likeliest(logits: Float32Array, count: number): number[] {
  const least = Float32Array.from(logits).sort()[logits.length - count];
  let equals = count - logits.reduce((above, logit) => above + (logit > least ? 1 : 0), 0);
  const ids: number[] = [];
  logits.forEach((logit, id) => {
    if (logit > least || (logit === least && equals-- > 0)) ids.push(id);
  });
  return ids;
}
