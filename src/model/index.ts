/** spexlens/model: the forward pass, parameters and what they are made of, for who builds on them. */
export { padRows, type PaddingMask } from './forward/attention-mask.ts';
export { LAYOUTS, layoutOf, type Layout, type LayoutName } from './layout.ts';
export { forward, type ForwardOptions, type KeyValueCache, type Parameters, type Tap } from './forward/forward.ts';
export { cacheBytesPerToken, createKeyValueCache, type GrowingCache } from './forward/key-value-cache.ts';
export { bosOf, type BosReport } from './bos.ts';
export { parameterShapes, type ModelConfig } from './config.ts';
export { describeModel, type HookRow, type ModelDescription } from './describe.ts';
export { hookPoints, hookShape, type HookName, type HookPoint, type NormName } from './hook-points.ts';
export { identifyModel } from './identity.ts';
export { createModel, loadModel, withUngroupedHeads, type LoadOptions, type Model } from './model.ts';
export { type Processed, type ProcessOptions } from './processing/processed.ts';
export { SELF_CHECK_TOLERANCE, selfCheck } from './reference/self-check.ts';
export { gatherHalfRows, packHalf, roundToHalf, storesHalves, unpackHalf } from './weights/half-storage.ts';
export { type HalfFormat, type HalfTensor } from './weights/half-storage.ts';
export { float32Parameters, STORAGES, tensorOf, type Parameter, type WeightStorage } from './weights/parameters.ts';
export { type SharedTensor } from './weights/shared-weights.ts';
