/** The compile command: the programs there are, or one of them as a model folder whose circuit is known. */
import { Command } from 'commander';
import { fail } from '../../src/errors.ts';
import { compile, type CompiledProgram } from '../../src/rasp/compile.ts';
import { inputsOf } from '../../src/rasp/inputs.ts';
import type { Value } from '../../src/rasp/language.ts';
import { programOf, PROGRAMS, type NamedProgram } from '../../src/rasp/programs.ts';
import { ABLATION_KINDS, truthOf, type Truth } from '../../src/rasp/truth.ts';
import { writeProgram } from '../../src/write-program.ts';
import { runCommand, whole, type Streams } from '../command.ts';

const describe = (): Command =>
  new Command('compile')
    .description(
      'Compile a RASP program to a transformer whose circuit is known: a model folder that every command reads, with prompts and the true edges for each kind of ablation.',
    )
    .argument('[program]', 'the program to compile')
    .option('--list', 'list the programs and the sizes of their transformers')
    .option('--out <folder>', 'where the model goes (default: out/<program>)')
    .option('--vocabulary <tokens>', 'tokens that inputs are made of, with commas between')
    .option('--max-length <n>', 'tokens of an input at most')
    .option('--seed <n>', 'seed of the prompts', '0')
    .option('--debug', 'show stack traces');

interface Flags {
  readonly list?: boolean;
  readonly out?: string;
  readonly vocabulary?: string;
  readonly maxLength?: string;
  readonly seed: string;
  readonly debug?: boolean;
}

/** Inputs on which truth is decided at most; what is drawn beyond is a sample. */
const MOST_INPUTS = 2000;

/** Runs the command with `args`; the result is the exit code. */
export const compileCommand = (args: readonly string[], streams: Streams): Promise<number> => {
  const command = describe();
  return runCommand(command, args, streams, async (flags: Flags) => {
    const [name] = command.args;
    if (name === undefined || flags.list === true) return streams.out(listOf());
    const known = programOf(name);
    const { vocabulary, maxLength } = sizeOf(known, flags);
    const compiled = compile(known.make({ vocabulary, maxLength }), { vocabulary, maxLength, causal: known.causal });
    const seed = whole('--seed', flags.seed);
    const { inputs, all } = inputsOf({ vocabulary, maxLength, accepts: known.accepts, most: MOST_INPUTS, seed });
    const truth = truthOf(compiled, { inputs, seed });
    const folder = flags.out ?? `out/${name}`;
    await writeProgram(folder, compiled, { truth, name, about: known.about });
    streams.out(storyOf(known, compiled, truth, `${all ? 'all ' : ''}${inputs.length.toLocaleString('en')} inputs`));
    const metric = compiled.encoding === 'numerical' ? ' --metric l2' : '';
    streams.out(
      `\nwritten  ${folder}\nnext     spexlens circuits --model ${folder} --prompts ${folder}/prompts.jsonl --players heads,mlps${metric}\n`,
    );
  });
};

/** The vocabulary and the length asked for, or the program's own. Tokens are numbers where the program's are. */
function sizeOf(known: NamedProgram, flags: Flags): { vocabulary: readonly Value[]; maxLength: number } {
  const maxLength = flags.maxLength === undefined ? known.maxLength : whole('--max-length', flags.maxLength);
  if (flags.vocabulary === undefined) return { vocabulary: known.vocabulary, maxLength };
  const texts = flags.vocabulary.split(',').map((text) => text.trim());
  if (known.vocabulary.some((value) => typeof value !== 'number')) return { vocabulary: texts, maxLength };
  const vocabulary = texts.map(Number);
  const odd = texts.find((text, k) => text === '' || !Number.isFinite(vocabulary[k]));
  if (odd !== undefined)
    throw fail('input', '--vocabulary', `"${odd}" is not a number; ${known.name} needs numbers, e.g. 1,2,3.`);
  return { vocabulary, maxLength };
}

function listOf(): string {
  const rows = Object.values(PROGRAMS).map((known) => {
    const { sizes } = compile(known.make(known), known);
    const { dModel, layers, heads, dMlp } = sizes;
    return [known.name, dModel, layers, heads, dMlp, known.about].map(String);
  });
  const table = [['program', 'd_model', 'layers', 'heads', 'd_mlp', 'answers'], ...rows];
  const wide = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  return table
    .map((row) => {
      const cells = row.map((cell, column) =>
        column === 0 || column === 5 ? cell.padEnd(wide[column]) : cell.padStart(wide[column]),
      );
      return `${cells.join('  ').trimEnd()}\n`;
    })
    .join('');
}

function storyOf({ name, about }: NamedProgram, compiled: CompiledProgram, truth: Truth, inputs: string): string {
  const { dModel, layers, heads, dHead, dMlp } = compiled.sizes;
  const lines = [
    `program  ${name}: ${about}`,
    `model    ${layers} layers x ${heads} heads, d_model ${dModel}, d_head ${dHead}, d_mlp ${dMlp}`,
    ...compiled.parts.map(({ name: part, computes }, k) => {
      return `${k === 0 ? 'parts' : ''.padEnd(5)}    ${part.padEnd(6)} ${computes.map(({ label }) => label).join(', ')}`;
    }),
    `truth    edges that its answers depend on, of ${inputs}`,
    ...ABLATION_KINDS.map((kind) => `  ${kind.padEnd(8)} ${truth.edges[kind].join('  ')}`),
  ];
  return `${lines.join('\n')}\n`;
}
