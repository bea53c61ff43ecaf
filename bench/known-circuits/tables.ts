/** The tables of docs/known-circuits.md from measured cells. */
import { METHODS } from '../../src/methods/methods.ts';
import { compile } from '../../src/rasp/compile.ts';
import { PROGRAMS } from '../../src/rasp/programs.ts';
import { ABLATION_KINDS } from '../../src/rasp/truth.ts';
import type { Cell } from './cell.ts';

/** Conmy et al., ACDC, arXiv 2304.14997, table of AUROCs: L2, zero ablation; edge / node; the program, what it is called there. */
const PUBLISHED = [
  ['frac_prevs', 'tracr-proportion', '1.000 / 1.000', '.679 / .909', '.561 / .875'],
  ['reverse', 'tracr-reverse', '1.000 / 1.000', '.656 / .750', '.692 / .947'],
] as const;
/** Methods of ours that stand beside it. */
const BESIDE = ['acdc', 'subnetwork-probing', 'attribution-patching', 'spectrum'] as const;
/** The method whose every cell is shown. */
const OURS = 'spectrum';

/** Markdown. */
export function tables(cells: readonly Cell[]): string {
  const programs = [...new Set(cells.map(({ program }) => program))];
  return [
    '## Sizes',
    '',
    sizes(programs, cells),
    '',
    '## Who finds them',
    '',
    `AUROC: the mean over programs, the least, and on how many of them a method gave 1.000. A cell without players that are true, or false, is not counted.${missing(cells)}`,
    '',
    ...(['edges', 'nodes'] as const).flatMap((players) => [`**${players}**`, '', byMethod(cells, players), '']),
    `Every cell of \`${OURS}\`, zero / mean / resample:`,
    '',
    byProgram(programs, cells),
    '',
    'Published, L2 and zero ablation, edges / nodes, and what is measured here; the truth there came from a run of ACDC itself:',
    '',
    beside(cells),
  ].join('\n');
}

/** Which programs have no cell over edges, or not of every ablation. */
function missing(cells: readonly Cell[]): string {
  const some = Object.keys(PROGRAMS).filter((program) =>
    ABLATION_KINDS.some((kind) => cellOf(cells, program, 'edges', kind) === undefined),
  );
  return some.length === 0 ? '' : ` Edges are not measured under every ablation of ${some.join(', ')}.`;
}

function sizes(programs: readonly string[], cells: readonly Cell[]): string {
  const rows = programs.map((program) => {
    const known = PROGRAMS[program];
    const { dModel, layers, heads, dMlp } = compile(known.make(known), known).sizes;
    const of = (players: Cell['players']): readonly (string | number)[] => {
      const found = ABLATION_KINDS.map((kind) => cellOf(cells, program, players, kind));
      return [found.find((cell) => cell !== undefined)?.count ?? '', found.map((cell) => cell?.true ?? '').join(' / ')];
    };
    return row([`\`${program}\``, known.about, dModel, layers, heads, dMlp, ...of('edges'), ...of('nodes')]);
  });
  const head = [
    'program',
    'answers',
    'd_model',
    'layers',
    'heads',
    'd_mlp',
    'edges',
    'true: zero / mean / resample',
    'nodes',
    'true',
  ];
  return [row(head), row(head.map(() => '---')), ...rows].join('\n');
}

const scoreOf = (cell: Cell | undefined, method: string): number | undefined =>
  cell?.results.find((result) => result.method === method)?.auroc ?? undefined;
const text = (score: number | undefined): string => score?.toFixed(3) ?? '–';

function byProgram(programs: readonly string[], cells: readonly Cell[]): string {
  const rows = programs.map((program) =>
    row([
      `\`${program}\``,
      ...(['edges', 'nodes'] as const).map((players) =>
        ABLATION_KINDS.map((kind) => text(scoreOf(cellOf(cells, program, players, kind), OURS))).join(' / '),
      ),
    ]),
  );
  return [row(['program', 'edges', 'nodes']), row(['---', '---', '---']), ...rows].join('\n');
}

function beside(cells: readonly Cell[]): string {
  const head = ['program', 'ACDC', 'HISP', 'subnetwork probing', ...BESIDE.map((method) => `here: ${method}`)];
  const rows = PUBLISHED.map(([program, name, ...theirs]) =>
    row([
      `${name} (${program})`,
      ...theirs,
      ...BESIDE.map((method) =>
        (['edges', 'nodes'] as const)
          .map((players) => text(scoreOf(cellOf(cells, program, players, 'zero'), method)))
          .join(' / '),
      ),
    ]),
  );
  return [row(head), row(head.map(() => '---')), ...rows].join('\n');
}

function cellOf(
  cells: readonly Cell[],
  program: string,
  players: Cell['players'],
  kind: Cell['ablation'],
): Cell | undefined {
  return cells.find((cell) => cell.program === program && cell.players === players && cell.ablation === kind);
}

function byMethod(cells: readonly Cell[], players: Cell['players']): string {
  const here = cells.filter((cell) => cell.players === players);
  const methods = Object.keys(METHODS).filter((name) =>
    here.some(({ results }) => results.some(({ method }) => method === name)),
  );
  const rows = methods.map((method) => {
    const scores = ABLATION_KINDS.map((kind) =>
      here
        .filter(({ ablation }) => ablation === kind)
        .flatMap(({ results }) => results.filter((result) => result.method === method).map(({ auroc }) => auroc))
        .filter((score) => score !== null),
    );
    return row([method, ...scores.map(summary)]);
  });
  const head = ['method', ...ABLATION_KINDS];
  return [row(head), row(head.map(() => '---')), ...rows].join('\n');
}

function summary(scores: readonly number[]): string {
  if (scores.length === 0) return '';
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const perfect = scores.filter((score) => score === 1).length;
  return `${mean.toFixed(3)}, least ${Math.min(...scores).toFixed(3)}; ${perfect} of ${scores.length}`;
}

function row(cells: readonly (string | number)[]): string {
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
}
