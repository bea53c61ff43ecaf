/** spexlens/rasp: programs, what they answer, and transformers that compute them. Loads no TensorFlow.js. */
export {
  aggregate,
  always,
  atMost,
  equal,
  indices,
  less,
  linear,
  map,
  named,
  numerical,
  select,
  selectorWidth,
  sequenceMap,
  tokens,
  type Encoding,
  type Selector,
  type Sequence,
  type Value,
} from './language.ts';
export { interpret, type InterpretOptions } from './interpret.ts';
export { compile, type CompiledProgram, type CompileOptions, type Part, type Sizes } from './compile.ts';
export { configurationOf, weightsOf, type WeightArray } from './weights.ts';
export { answersOf, decode, idsOf, runCompiled, type CompiledRun } from './run-compiled.ts';
export { inputsOf, type InputOptions } from './inputs.ts';
export { ABLATION_KINDS, carryingEdges, truthOf, type AblationKind, type Truth, type TruthOptions } from './truth.ts';
export { knownCircuitOf, parseKnownCircuit, type KnownCircuit } from './known-circuit.ts';
export { PROGRAMS, programOf, type NamedProgram, type ProgramSize } from './programs.ts';
