/**
 * A compiled program as a model folder that every command reads: weights, configuration, tokenizer, prompts, and its truth.
 */
import { writeModelFolder } from './checkpoint/write-model-folder.ts';
import { eapEdges, eapNodes, type EapGraph } from './circuit/eap-graph.ts';
import type { Prompt } from './lens/prompts.ts';
import type { CompiledProgram } from './rasp/compile.ts';
import { interpret } from './rasp/interpret.ts';
import { knownCircuitOf } from './rasp/known-circuit.ts';
import type { Value } from './rasp/language.ts';
import { ABLATION_KINDS, type AblationKind, type InputPair, type Truth } from './rasp/truth.ts';
import { configurationOf, weightsOf } from './rasp/weights.ts';
import { wordOf } from './rasp/words.ts';
import { wordLevelTokenizer } from './tokenizer/word-tokenizer.ts';

/** What is written of a program beside its weights. */
export interface ProgramFacts {
  readonly truth: Truth;
  readonly name: string;
  /** What it answers, in one line. */
  readonly about: string;
}

/**
 * Writes `compiled` to `folder`: model.safetensors, config.json, tokenizer, prompts.jsonl, truth.json, and the circuit of each kind of
 * ablation in the JSON of EAP-IG and MIB (circuit-zero.json, ...).
 */
export async function writeProgram(
  folder: string,
  compiled: CompiledProgram,
  { truth, name, about }: ProgramFacts,
): Promise<void> {
  const lines = programPrompts(compiled, truth.pairs).map((prompt) => `${JSON.stringify(prompt)}\n`);
  await writeModelFolder(folder, {
    config: configurationOf(compiled),
    tensors: weightsOf(compiled),
    tokenizer: wordLevelTokenizer(compiled.words.list),
    texts: {
      'prompts.jsonl': lines.join(''),
      'truth.json': jsonOf(knownCircuitOf(compiled, truth, name, about)),
      ...Object.fromEntries(
        ABLATION_KINDS.map((kind) => [`circuit-${kind}.json`, jsonOf(trueGraph(compiled, truth, kind))]),
      ),
    },
  });
}

const jsonOf = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

/** The true circuit of a kind of ablation as a graph: true edges and their nodes are in it, with score 1. Edges of positions have no place in it. */
export function trueGraph({ sizes }: CompiledProgram, { edges, parts }: Truth, kind: AblationKind): EapGraph {
  const cfg = {
    n_layers: sizes.layers,
    n_heads: sizes.heads,
    parallel_attn_mlp: false,
    d_model: sizes.dModel,
    ...(sizes.dMlp === 0 ? { attn_only: true } : {}),
  };
  const chosen = new Set([...edges[kind], ...parts[kind], 'input', 'logits']);
  return {
    cfg,
    nodes: Object.fromEntries(eapNodes(cfg).map((node) => [node, { in_graph: chosen.has(node) }])),
    edges: Object.fromEntries(
      eapEdges(cfg).map((edge) => [edge, { score: Number(chosen.has(edge)), in_graph: chosen.has(edge) }]),
    ),
  };
}

/**
 * Inputs as prompts with their corrupted twins. A categorical program's right answer is the one at the last position; the wrong one is the
 * twin's where that differs, else another that it can give.
 */
export function programPrompts(compiled: CompiledProgram, pairs: readonly InputPair[]): Prompt[] {
  const textOf = (input: readonly Value[]): string => input.map(wordOf).join(' ');
  return pairs.map(({ input, corrupted }) => {
    const texts = { prompt: textOf(input), corrupted: textOf(corrupted) };
    if (compiled.encoding === 'numerical') return texts;
    const [correct, twins] = [input, corrupted].map((row) => interpret(compiled.program, row, compiled).at(-1));
    const incorrect =
      twins === undefined || twins === correct ? compiled.answers.find(({ value }) => value !== correct)?.value : twins;
    return {
      ...texts,
      ...(correct === undefined ? {} : { correct: wordOf(correct) }),
      ...(incorrect === undefined ? {} : { incorrect: wordOf(incorrect) }),
    };
  });
}
