/**
 * The public API in pipeline order: where tensors run, the model, its hooks, games, solvers, circuits, reports.
 *
 * What fewer people need has a path of its own: spexlens/spectrum (terms, transforms, indices, regression),
 * spexlens/solvers (SPEX and the proxies part by part), spexlens/model (the forward pass, parameters, families),
 * spexlens/checkpoint (files), spexlens/rasp (programs whose circuits are known).
 */
import './notebook/self-showing.ts';

export { SpexlensError, type ErrorKind } from './errors.ts';
export { createRandom, type Random } from './random.ts';
export { VERSION } from './version.ts';

// where tensors run
export { openBackend } from './open-backend.ts';
export { BACKENDS, type Backend, type BackendName, type BackendOptions } from './backend/backend.ts';

// a checkpoint becomes a model
export { loadModel, withUngroupedHeads, type LoadOptions, type Model } from './model/model.ts';
export { type DirectoryHandle, type ModelFiles } from './checkpoint/model-files.ts';
export { describeModel, type ModelDescription } from './model/describe.ts';
export { bosOf } from './model/bos.ts';
export { hookPoints, type HookName, type HookPoint } from './model/hook-points.ts';
export { toSingleToken, toStrTokens, toTokens, type Input, type TokenBatch } from './model/tokens.ts';
export { createTokenizer, loadTokenizer, type Tokenizer } from './tokenizer/tokenizer.ts';
export { chatPrompt, type ChatMessage } from './tokenizer/chat.ts';
export { centerUnembed } from './model/processing/center-unembed.ts';
export { centerWritingWeights } from './model/processing/center-writing-weights.ts';
export { foldLayerNorm } from './model/processing/fold-layer-norm.ts';
export { foldValueBiases } from './model/processing/fold-value-biases.ts';

// or a program does, whose circuit is known
export { writeProgram, type ProgramFacts } from './write-program.ts';

// that you can hook
export { type ActivationCache } from './hooks/cache.ts';
export { type ResidualStack } from './hooks/explain/explained-run.ts';
export { type LogitAttribution } from './hooks/explain/logit-attribution.ts';
export { type LensToken, type LogitLens } from './hooks/explain/logit-lens.ts';
export { factoredMatrix, type FactoredMatrix } from './hooks/heads/factored-matrix.ts';
export {
  compositionScores,
  fullOvCircuit,
  ovCircuit,
  qkCircuit,
  type CompositionScores,
} from './hooks/heads/head-circuits.ts';
export { headRoles, HEAD_ROLES, roleOf, type HeadRole, type RoleScores } from './hooks/heads/head-roles.ts';
export { attentionPatterns, type AttentionPattern } from './hooks/heads/attention-patterns.ts';
export { attention, type Attention, type HeadPattern } from './hooks/heads/attention.ts';
export { detectHeads, HEAD_KINDS, type HeadKind, type HeadScores } from './hooks/heads/head-detector.ts';
export { generate, generateSteps, type GenerateOptions, type Generation } from './hooks/generate.ts';
export {
  runWithGradients,
  type BackwardHook,
  type GradientRun,
  type GradientRunOptions,
  type LogitsMetric,
} from './hooks/gradients.ts';
export { runWithCache, runWithHooks, type Hook, type HookFunction, type NameFilter } from './hooks/run.ts';

// "what if these parts were missing?" becomes a game
export { allMasks, isKept, keptPlayers, maskHex, masksFromMembers, masksFromRows, type Masks } from './masks.ts';
export { uniformMasks } from './uniform-masks.ts';
export { gameFromFunction, valueOf, type Game, type Player, type ValueOptions } from './game.ts';
export { type Place } from './place.ts';
export { openLedger, type Ledger } from './ledger.ts';
export { hashStudy, parseStudy, type Study } from './study.ts';
export { ABLATIONS, type Ablation } from './lens/components/ablations.ts';
export { METRICS, type Metric } from './lens/metrics.ts';
export { parsePlayers, type ComponentPlayer } from './lens/components/components.ts';
export {
  createComponentGame,
  type ComponentGame,
  type ComponentGameOptions,
} from './lens/components/component-game.ts';
export { createEdgeGame, type EdgeGame, type EdgeGameOptions } from './lens/components/edges/edge-game.ts';
export { parseEdges, type EdgePlayer } from './lens/components/edges/edge-players.ts';
export { ABSENCES, type Absence } from './lens/tokens/absences.ts';
export { createPromptGame, type PromptGame, type PromptGameOptions } from './lens/tokens/prompt-game.ts';
export { toPlayers, type PlayedText } from './lens/tokens/text-players.ts';
export { fromMetric, TEXT_VALUES, type TextValue } from './lens/tokens/text-values.ts';
export { parseCsv, parseJsonl, type Example } from './lens/examples/data-set.ts';
export { createDataGame, type DataGame, type DataGameOptions } from './lens/examples/data-game.ts';
export { clustersOf, eachExample, groupsOf, type ExamplePlayer } from './lens/examples/example-players.ts';
export { RECIPES, type Recipe, type RecipeSettings } from './lens/examples/recipes.ts';
export { fineTune } from './lens/examples/fine-tune.ts';
export { type Tuning } from './lens/examples/tuned-model.ts';
export { type TrainFunction } from './lens/examples/own-recipe.ts';
export { TEST_VALUES, type TestValue } from './lens/examples/test-values.ts';
export { ESTIMATES, estimateOf, type EstimateName } from './lens/examples/estimates/estimates.ts';
export { trainOnAll, type Trained } from './lens/examples/estimates/trained.ts';
export { spectrumOfLeftOut } from './attribution/left-out.ts';
export { train } from './train/train.ts';
export { trainUnrolled } from './train/unrolled.ts';
export { parsePrompts, readPrompts, toTasks, type Prompt, type Task } from './lens/prompts.ts';
export { openGame, type Execution } from './measure/open-game.ts';
export { createPooledDataGame, createPooledGame, createPooledPromptGame } from './measure/pooled-game.ts';
export { type Elsewhere } from './measure/elsewhere.ts';
export { createQueuedGame, type QueuedGame, type QueuedGameOptions } from './measure/queue/queued-game.ts';
export { startQueueWorker, type QueueWorker, type QueueWorkerOptions } from './measure/queue/queue-worker.ts';
export { openFromFolders, type ModelFolders } from './measure/queue/model-folders.ts';
export { openRunLog, type RunLog } from './measure/run-log.ts';

// solvers read its interactions
export { type Evidence, type Solution, type SolveOptions, type Solver } from './solver.ts';
export { solve, SOLVERS, type ScoredSolution } from './solve/solve.ts';
export { evaluate, type FourierSpectrum, type Term } from './spectrum/spectrum.ts';
export { banzhaf, bii, fsii, shapley, sii, stii, type Interactions } from './spectrum/indices.ts';
export { energySplit, topInteractions } from './spectrum/energy.ts';
export { r2Interval, type R2Interval } from './spectrum/r2.ts';

// interactions become a circuit
export { findCircuit, type Circuit } from './circuit/find-circuit.ts';
export { judge, type Finding } from './circuit/findings.ts';
export {
  circuitOfGraph,
  eapGraphOf,
  importancesOf,
  parseEapGraph,
  scoresOfGraph,
  type EapGraph,
} from './circuit/eap-graph.ts';
export { removalCurve, type RemovalCurve } from './circuit/removal.ts';
export { SELECTORS } from './circuit/selectors.ts';
export { type Selector } from './circuit/selector.ts';

// beside those of other methods, judged alike
export { compareMethods, type Comparison, type CompareMethodsOptions } from './compare-methods.ts';
export { compareCircuits, type CompareCircuitsOptions } from './compare-circuits.ts';
export { type CircuitMethod, type Found, type MethodInput } from './methods/circuit-method.ts';
export { METHODS } from './methods/methods.ts';
export { acdc, acdcSweep, type AcdcOptions } from './methods/acdc.ts';
export { receiverOrder } from './methods/receiver-order.ts';
export { subnetworkProbing, type ProbingOptions } from './methods/subnetwork-probing.ts';
export { greedyRemoval, type RemovalOptions } from './methods/greedy-removal.ts';
export { evaluateSets, type Evaluation } from './evaluation/evaluate.ts';
export { cmd, cpr, MIB_SHARES, mibSizes } from './evaluation/areas.ts';
export { auroc } from './evaluation/auroc.ts';
export { completenessOf, minimalityOf, type Completeness, type Minimality } from './evaluation/completeness.ts';

// that you can look at
export { explain, type Explanation, type ExplainOptions } from './explain.ts';
export { findCircuits, type FindCircuitsOptions } from './find-circuits.ts';
export { patchSweep, PATCHED, type Patched, type PatchSweepOptions } from './patch-sweep.ts';
export { patchPaths, type PathPatchOptions } from './patch-paths.ts';
export { patchEffects, type PatchRecord } from './report/patch-record.ts';
export { explainPrompt, type ExplainPromptOptions } from './explain-prompt.ts';
export { attributeData, type AttributeDataOptions } from './attribute-data.ts';
export { recordOf, type RecordFacts } from './report/record.ts';
export { promptsRecord, type AskedPrompt, type PromptsRecord } from './report/prompts-record.ts';
export { promptsPage } from './report/prompts-page.ts';
export { formatComparison, parseComparison, type ComparisonRecord } from './report/comparison-record.ts';
export { comparisonPage } from './report/comparison-page.ts';
export { comparisonMarkdown, comparisonText } from './report/comparison-text.ts';
export { renderReport } from './report/html.ts';
export { formatResult, parseResult, type Result } from './report/result.ts';
export { terminalReport } from './report/terminal.ts';
export { mimeBundle } from './notebook/mime-bundle.ts';
export { show } from './notebook/show.ts';
export { type MimeBundle } from './showing.ts';
export {
  attributionPatching,
  eapIg,
  activationPatching,
  expectedGradients,
  integratedGradients,
  RANKINGS,
  spectrumOfRanking,
  type Interpolated,
  type Ranking,
  type RankingName,
  type Traversed,
} from './attribution/rankings.ts';
export { narrow, type Narrowed, type NarrowedSet, type NarrowOptions } from './attribution/narrow.ts';
