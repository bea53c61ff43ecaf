/**
 * Llama 3's rotary scaling, which GGUF keeps as its result: `rope_freqs.weight` holds the number by which each
 * frequency of a head is divided. The parameters are found again by computing that result from them (transformers'
 * modeling_rope_utils, "llama3"); Llama 3.1 to 3.3 differ in the factor alone, which is the largest of the numbers.
 */
import { fail } from '../../errors.ts';

/** Of every Llama 3 model. */
const [LOW, HIGH, ORIGINAL] = [1, 4, 8192];

/**
 * The `rope_scaling` field that gives `divisors`; undefined where all are 1.
 *
 * @throws 'checkpoint' when Llama 3's scaling does not give them.
 */
export function ropeScalingOf(
  divisors: Float32Array,
  theta: number,
  who: string,
): Readonly<Record<string, unknown>> | undefined {
  const factor = divisors.reduce((most, divisor) => Math.max(most, divisor), 1);
  if (divisors.every((divisor) => divisor === 1)) return undefined;
  divisors.forEach((divisor, i) => {
    const wavelength = 2 * Math.PI * theta ** (i / divisors.length);
    const expected = divisorAt(wavelength, factor);
    if (Math.abs(divisor - expected) <= 1e-5 * expected) return;
    throw fail(
      'checkpoint',
      who,
      `divides rotary frequency ${i} by ${divisor} ("rope_freqs.weight"), where Llama 3's scaling by ${factor} divides by ${expected}; other scalings are not read from GGUF.`,
    );
  });
  return {
    rope_type: 'llama3',
    factor,
    low_freq_factor: LOW,
    high_freq_factor: HIGH,
    original_max_position_embeddings: ORIGINAL,
  };
}

function divisorAt(wavelength: number, factor: number): number {
  if (wavelength < ORIGINAL / HIGH) return 1;
  if (wavelength > ORIGINAL / LOW) return factor;
  const smooth = (ORIGINAL / wavelength - LOW) / (HIGH - LOW);
  return 1 / ((1 - smooth) / factor + smooth);
}
