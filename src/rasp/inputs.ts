/** The inputs of a compiled program: all of them, or a sample where they are many. */
import { createRandom } from '../random.ts';
import type { Value } from './language.ts';

/** Which inputs of a program are listed. */
export interface InputOptions {
  readonly vocabulary: readonly Value[];
  readonly maxLength: number;
  /** Inputs that the program has an answer for; default all. */
  readonly accepts?: ((input: readonly Value[]) => boolean) | undefined;
  /** Inputs at most; beyond, as many are drawn, each length as often. Default 10,000. */
  readonly most?: number | undefined;
  readonly seed?: number | undefined;
}

/** Inputs of 1 to `maxLength` tokens that the program accepts, shortest first; `all` says whether these are all there are. */
export function inputsOf({ vocabulary, maxLength, accepts = () => true, most = 10_000, seed = 0 }: InputOptions): {
  readonly inputs: readonly (readonly Value[])[];
  readonly all: boolean;
} {
  const size = vocabulary.length;
  const lengths = Array.from({ length: maxLength }, (_, k) => k + 1);
  const total = lengths.reduce((sum, length) => sum + size ** length, 0);
  if (total <= most) {
    const inputs = lengths.flatMap((length) =>
      Array.from({ length: size ** length }, (_, code) =>
        Array.from({ length }, (__, k) => vocabulary[Math.floor(code / size ** (length - 1 - k)) % size]),
      ),
    );
    return { inputs: inputs.filter(accepts), all: true };
  }
  const random = createRandom(seed, 'rasp inputs');
  const drawn = Array.from({ length: most }, (_, k) =>
    Array.from({ length: lengths[k % maxLength] }, () => vocabulary[random.integer(size)]),
  );
  return { inputs: drawn.filter(accepts).sort((a, b) => a.length - b.length), all: false };
}
