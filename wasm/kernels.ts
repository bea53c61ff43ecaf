/** Everything the module exports. */
export { advance, heldError, leafBytes, runBytes } from './trees';
export { factorise, invertFactor, symmetricEigen } from './dense';
export { crossTimes, kernelSlopes, kernelTriangle, packedTimes, packedTriangle } from './hypercube';
export { leaveOneOut, signedProduct } from './ridge';
export { product } from './product';

/** Where memory is free: below lie the module's own constants. */
export function heapBase(): usize {
  return __heap_base;
}
