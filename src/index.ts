/** The public API, in pipeline order: where tensors run, the model, its hooks, games, solvers, circuits, reports. */
export { SpexlensError, type ErrorKind } from './errors.ts';
export { createRandom, type Random } from './random.ts';
export { VERSION } from './version.ts';

// where tensors run
export {
  BACKENDS,
  openBackend,
  type Backend,
  type BackendCheck,
  type BackendName,
  type BackendOptions,
  type OwnKernels,
} from './backend/backend.ts';

// a checkpoint becomes a forward pass
export { padRows, type PaddingMask } from './model/forward/attention-mask.ts';
export {
  parameterShapes,
  type Activation,
  type ModelConfig,
  type Norm,
  type Positions,
  type Rotary,
  type RotaryScaling,
} from './model/config.ts';
export { LAYOUTS, layoutOf, type Layout, type LayoutName } from './model/layout.ts';
export { bosOf, type BosReport } from './model/bos.ts';
export { openCheckpoint, type Checkpoint } from './checkpoint/checkpoint.ts';
export { describeModel, type HookRow, type ModelDescription } from './model/describe.ts';
export {
  forward,
  type ForwardOptions,
  type KeyValueCache,
  type Parameters,
  type Tap,
} from './model/forward/forward.ts';
export { hookPoints, hookShape, type HookName, type HookPoint, type NormName } from './model/hook-points.ts';
export { type HubOptions, type HubProgress } from './checkpoint/hub/settings.ts';
export { cacheBytesPerToken, createKeyValueCache, type GrowingCache } from './model/forward/key-value-cache.ts';
export { createModel, loadModel, withUngroupedHeads, type LoadOptions, type Model } from './model/model.ts';
export {
  gatherHalfRows,
  packHalf,
  roundToHalf,
  storesHalves,
  unpackHalf,
  type HalfFormat,
  type HalfTensor,
} from './model/weights/half-storage.ts';
export {
  float32Parameters,
  STORAGES,
  tensorOf,
  type Parameter,
  type WeightStorage,
} from './model/weights/parameters.ts';
export { type SharedTensor } from './model/weights/shared-weights.ts';
export { openSafetensors } from './checkpoint/safetensors.ts';
export { writeSafetensors, type TensorToWrite } from './checkpoint/safetensors-write.ts';
export { openTorchFile } from './checkpoint/torch/torch-file.ts';
export { SELF_CHECK_TOLERANCE, selfCheck } from './model/reference/self-check.ts';
export { createTokenizer, loadTokenizer, type Tokenizer } from './tokenizer/tokenizer.ts';
export {
  toSingleToken,
  toStrTokens,
  toTokens,
  type BatchOptions,
  type Input,
  type TokenBatch,
  type TokenOptions,
} from './model/tokens.ts';
export { wordLevelTokenizer } from './tokenizer/word-tokenizer.ts';
export { centerUnembed } from './model/processing/center-unembed.ts';
export { centerWritingWeights } from './model/processing/center-writing-weights.ts';
export { foldLayerNorm } from './model/processing/fold-layer-norm.ts';
export { foldValueBiases } from './model/processing/fold-value-biases.ts';
export { type Processed, type ProcessOptions } from './model/processing/processed.ts';

// that you can hook
export { type ActivationCache } from './hooks/cache.ts';
export {
  generate,
  generateSteps,
  type GeneratedStep,
  type GenerateOptions,
  type Generation,
} from './hooks/generate.ts';
export {
  runWithCache,
  runWithHooks,
  type CacheOptions,
  type Hook,
  type HookContext,
  type HookFunction,
  type NameFilter,
  type RunOptions,
} from './hooks/run.ts';

// ablating its parts becomes a game
export {
  allMasks,
  masksFromHex,
  masksFromMembers,
  masksFromRows,
  isKept,
  keptPlayers,
  maskHex,
  uniformMasks,
  type Masks,
} from './masks.ts';
export {
  gameFromFunction,
  memoise,
  meter,
  valueOf,
  type Game,
  type MemoisedGame,
  type MeteredGame,
  type Player,
  type ValueLog,
  type ValueOptions,
} from './game.ts';
export { ABLATIONS, type Ablation } from './lens/components/ablation.ts';
export {
  createComponentGame,
  type ComponentGame,
  type ComponentGameOptions,
} from './lens/components/component-game.ts';
export { parsePlayers, type Component, type ComponentPlayer } from './lens/components/components.ts';
export { createPooledGame, type PooledGame, type PoolOptions } from './measure/pooled-game.ts';
export { SAVINGS, type Saving } from './lens/components/prompt-run.ts';
export { metricOf, METRICS, type Metric, type MetricName } from './lens/metrics.ts';
export { readPrompts, toTasks, type Prompt, type Task } from './lens/prompts.ts';
export { openRunLog, type RunIdentity, type RunLog } from './measure/run-log.ts';

// solvers read its interactions
export { type Solution, type SolveOptions, type Solver } from './solver.ts';
export {
  createSpectrum,
  evaluate,
  type FourierSpectrum,
  type MoebiusSpectrum,
  type Spectrum,
  type Term,
} from './spectrum/spectrum.ts';
export { exactSolver } from './spectrum/exact.ts';
export { fourierFromTable, tableFromFourier, tableOfSpectrum, walshHadamard } from './spectrum/walsh-hadamard.ts';
export { fourierFromMoebius, moebius, moebiusFromTable, or, tableFromMoebius } from './spectrum/moebius.ts';
export {
  banzhaf,
  bii,
  fbii,
  fsii,
  influence,
  kSii,
  shapley,
  sii,
  stii,
  type Interactions,
} from './spectrum/indices.ts';
export {
  directSubsetRate,
  energyByOrder,
  energyInside,
  energySplit,
  staircaseRate,
  topInteractions,
  type EnergySplit,
} from './spectrum/energy.ts';
export { r2, r2Interval, type R2Interval } from './spectrum/r2.ts';
export { fitFirstOrder, type FirstOrderOptions } from './proxy/first-order.ts';
export { fitProxySpex, type ProxyFit, type ProxySpexOptions } from './proxy/fit.ts';
export { createProxySpexSolver, proxyspexSolver } from './proxy/proxyspex.ts';
export { createStackSolver, fitStack, stackSolver, type StackFit } from './proxy/stack.ts';
export { fitBest, type BestFit } from './proxy/best.ts';
export { fitGreedyParities, type GreedyFit, type GreedyOptions } from './proxy/parities/greedy-parities.ts';
export { fitFaithBanzhaf, fitKernelShap, type FaithBanzhafOptions } from './proxy/baselines.ts';
export { boost, type BoostOptions } from './proxy/trees/boost.ts';
export { importLightGbm } from './proxy/trees/import-lightgbm.ts';
export { importXgboost, importXgboostDump } from './proxy/trees/import-xgboost.ts';
export { predict, type Ensemble, type Tree } from './proxy/trees/tree.ts';
export { ensembleSpectrum } from './proxy/trees/tree-fourier.ts';
export { DEFAULT_GRID, PAPER_GRID, REFERENCE_GRID, type TuneGrid } from './proxy/trees/tune.ts';
export { planSpex, type PlanOptions, type SpexPlan } from './spex/plan.ts';
export { drawMasks, type SpexDraw } from './spex/sample.ts';
export {
  fitSpex,
  measureBins,
  spex,
  type FitOptions,
  type SpexFit,
  type SpexOptions,
  type SpexTerm,
} from './spex/spex.ts';
export { solveAdaptively, type Adaptive, type AdaptiveOptions } from './solve/adaptive.ts';
export { autoSolver } from './solve/auto.ts';
export { solve, solverOf, SOLVERS, type ScoredSolution, type SolverName } from './solve/solve.ts';

// interactions become a circuit
export {
  createIntegerProgramSelector,
  integerProgramSelector,
  type IntegerProgramOptions,
} from './circuit/integer-program.ts';
export { greedySelector } from './circuit/greedy.ts';
export { removalCurve, type RemovalCurve, type RemovalOptions } from './circuit/removal.ts';
export { autoSelector, enumerationSelector } from './circuit/enumeration.ts';
export type { Selector } from './circuit/selector.ts';
export { findCircuit, type Circuit, type CircuitOptions, type CircuitPoint } from './circuit/find-circuit.ts';

// that you can look at
export { findCircuits, type FindCircuitsOptions } from './find-circuits.ts';
export { renderReport } from './report/html.ts';
export { formatResult, parseResult, RESULT_SCHEMA, type Result } from './report/result.ts';
export { terminalReport } from './report/terminal.ts';
