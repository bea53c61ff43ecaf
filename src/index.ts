/** The public API, in pipeline order. */
export { SpexlensError, type ErrorKind } from './errors.ts';
export { createRandom, type Random } from './random.ts';
