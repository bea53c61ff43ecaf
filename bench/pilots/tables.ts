/** The tables of bench/pilots.ts: a row a cell, and what each rule of choosing an ablation comes to. */
import { ORDER, type Cell } from './cell.ts';

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** The cells of every model. */
export function cellTable(cells: readonly Cell[]): string {
  const rows = cells.map(({ model, task, right, ablation, players, pilot, r2, firstOrder, circuit, none }) => {
    const { clean, ablated, half, left, verdict } = pilot;
    const numbers = [clean, ablated, half.mean, half.sd, left].map((value) => value.toFixed(2));
    const found =
      circuit === undefined
        ? `none (${none}) | | | `
        : `${circuit.size} of ${players} | ${percent(circuit.kept)} | ${percent(circuit.random)} | ${percent(circuit.removed)}`;
    return `| ${model} | ${task} | ${percent(right)} | ${ablation} | ${numbers.join(' | ')} | ${verdict} | ${r2.toFixed(3)} | ${firstOrder?.toFixed(3) ?? ''} | ${found} |`;
  });
  const head =
    'model | task | right | ablation | all kept | all ablated | halves, mean | sd | left | verdict | R² | first order | for 80 % | kept | random sets | left without it';
  return [`| ${head} |`, `|${'---|'.repeat(head.split('|').length)}`, ...rows].join('\n');
}

/** How an ablation is chosen among those of a question. */
const RULES: Readonly<Record<string, (cells: readonly Cell[]) => Cell | undefined>> = {
  'always zero': (cells) => cells.find(({ ablation }) => ablation === 'zero'),
  'always the mean': (cells) => cells.find(({ ablation }) => ablation === 'mean'),
  'always resample': (cells) => cells.find(({ ablation }) => ablation === 'resample'),
  'the most left of its range': mostLeft,
  'the first sound one of resample, mean, zero': (cells) =>
    ORDER.map((name) => cells.find(({ ablation }) => ablation === name)).find(
      (cell) => cell?.pilot.verdict === 'sound',
    ) ?? mostLeft(cells),
};

function mostLeft(cells: readonly Cell[]): Cell | undefined {
  return cells.reduce<Cell | undefined>(
    (best, cell) => (best === undefined || cell.pilot.left > best.pilot.left ? cell : best),
    undefined,
  );
}

/** Each rule over all questions that were measured under every ablation and that the model answers. */
export function ruleTable(cells: readonly Cell[]): string {
  const questions = new Map<string, Cell[]>();
  for (const cell of cells) {
    const key = `${cell.model} ${cell.task}`;
    questions.set(key, [...(questions.get(key) ?? []), cell]);
  }
  const asked = [...questions.values()].filter((each) => each.length === ORDER.length && each[0].right > 0.5);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const rows = Object.entries(RULES).map(([rule, choose]) => {
    const chosen = asked.map(choose).filter((cell) => cell !== undefined);
    const r2 = chosen.map((cell) => cell.r2);
    const found = chosen.flatMap(({ circuit, players }) => (circuit === undefined ? [] : [{ ...circuit, players }]));
    const sizes = found.map(({ size, players }) => size / players).sort((a, b) => a - b);
    const middle = sizes[Math.floor((sizes.length - 1) / 2)];
    const size = middle === undefined ? '' : percent(middle);
    const numbers = [mean(r2).toFixed(3), Math.min(...r2).toFixed(3), `${found.length} of ${chosen.length}`, size];
    const more = [mean(found.map(({ random }) => random)), mean(found.map(({ removed }) => removed))].map((share) =>
      Number.isNaN(share) ? '' : percent(share),
    );
    return `| ${rule} | ${[...numbers, ...more].join(' | ')} |`;
  });
  const head = 'rule | R², mean | worst | circuits | their size, median | random sets of it keep | left without it';
  return [`| ${head} |`, `|${'---|'.repeat(head.split('|').length)}`, ...rows].join('\n');
}
