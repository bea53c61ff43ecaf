/** spexlens/spectrum: sparse functions of masks, their transforms, indices and regressions. Loads no TensorFlow.js. */
export { pearson, spearman } from './correlation.ts';
export {
  directSubsetRate,
  energyByOrder,
  energyInside,
  energySplit,
  staircaseRate,
  topInteractions,
} from './energy.ts';
export { type EnergySplit } from './energy.ts';
export { exactSolver } from './exact.ts';
export { banzhaf, bii, fbii, fsii, influence, kSii, shapley, sii, stii, type Interactions } from './indices.ts';
export { fourierFromMoebius, moebius, moebiusFromTable, or, tableFromMoebius } from './moebius.ts';
export { quantile, r2, r2Gain, r2Interval, type R2Interval } from './r2.ts';
export { type Keep } from '../keep.ts';
export { toMeasure } from './measure.ts';
export { createSpectrum, evaluate, setKey } from './spectrum.ts';
export { type FourierSpectrum, type MoebiusSpectrum, type Spectrum, type Term } from './spectrum.ts';
export { fourierFromTable, tableFromFourier, tableOfSpectrum, walshHadamard } from './walsh-hadamard.ts';
