/** The tables of what bench/feature-lens.ts scored, as Markdown. */
import { mean } from '../proxy/tables.ts';
import type { Job, Score } from './scores.ts';
import { BUCKETS, type BenchText } from './texts.ts';

/** Figures of the SPEX and ProxySPEX papers, on other and larger models: what ours stand beside. */
const PUBLISHED = `Published, on other and larger models (R², b = 8): SPEX on sentiment (words) .997, .975, .930, .872 for 8-15, 16-31, 32-63, 64-127 words, first order
.834, .753, .674, .655; SPEX on HotpotQA (sentences) .866, .666, .571, .626, first order .385, .444, .451, .526 (arXiv 2502.13870). ProxySPEX
over LASSO at α = 2, 4, 6, 8: sentiment +.28, .31, .31, .31; DROP +.14, .16, .18, .19; HotpotQA +.11, .16, .21, .26 (arXiv 2505.17495). HotpotQA recovery@10 of SPEX at
1,344, 5,376 and 21,504 samples: 22.0, 25.8, 24.7 %.`;

const TASKS = ['sentiment', 'question', 'examples'] as const;
/** The order of rows. */
const METHODS = [
  'lasso',
  'kernel shap',
  'order 2',
  'proxyspex',
  'stack',
  'spex',
  'gradspex',
  'auto',
  'auto with gradients',
  'contextcite',
];

/** All tables, models in turn. */
export function tablesOf(scores: readonly Score[], texts: readonly BenchText[]): string {
  const known = new Map(texts.map((text) => [text.id, text]));
  const these = scores.filter(({ id }) => known.has(id));
  const of = (score: Score): BenchText => known.get(score.id) as BenchText;
  const groups = new Map<string, Score[]>();
  for (const score of these) {
    const title = `${score.model}, ${score.absence}`;
    groups.set(title, [...(groups.get(title) ?? []), score]);
  }
  const sections = [...groups].map(([title, its]) => section(title, its, of));
  return `# Tables of the feature lens

Printed by \`npx tsx bench/feature-lens.ts --write docs/feature-lens-tables.md\`; how texts, masks and scores are made is said there and in
[feature-lens.md](feature-lens.md). Behind a figure stands the number of texts that it is the mean of. auto is what \`spexlens prompt\` answers by default, lasso
first order, order 2 Faith-Banzhaf of order 2 (ridge).

${PUBLISHED}

${sections.join('\n')}`;
}

function section(title: string, scores: readonly Score[], of: (score: Score) => BenchText): string {
  const job = (name: Job): Score[] => scores.filter((score) => score.job === name);
  const parts = [
    `## ${title}`,
    fits(job('r2'), of),
    gains(job('gain'), of),
    removal(job('removal'), of),
    recovery(job('recovery'), of),
    cited(job('cite')),
  ];
  return parts.filter((part) => part !== '').join('\n\n') + '\n';
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
const unique = <T>(list: readonly T[]): T[] => [...new Set(list)];
const methodsOf = (scores: readonly Score[]): string[] =>
  METHODS.filter((name) => scores.some(({ method }) => method === name));
const range = (bucket: number): string => `${bucket}-${bucket === 128 ? 511 : 2 * bucket - 1}`;
/** Below -1 an R² says nothing more. */
const worth = (score: Score): number => Math.max(-1, score.values['r2'] as number);
const signed = (x: number): string => `${x < 0 ? '−' : '+'}${Math.abs(x).toFixed(3)}`;

/** Mean R², a row per bucket and method, a column per alpha. */
function fits(scores: readonly Score[], of: (score: Score) => BenchText): string {
  if (scores.length === 0) return '';
  const alphas = unique(scores.map(({ alpha }) => alpha)).sort((a, b) => a - b);
  const rows = BUCKETS.flatMap((bucket) => {
    const its = scores.filter((score) => of(score).bucket === bucket);
    return methodsOf(its).map((method) => [
      range(bucket),
      method,
      ...alphas.map((alpha) => {
        const cell = its.filter((score) => score.method === method && score.alpha === alpha);
        const there = cell.filter(({ values }) => values['r2'] !== null);
        if (cell.length === 0) return '';
        return there.length === 0 ? 'not feasible' : `${mean(there.map(worth)).toFixed(3)} (${there.length})`;
      }),
    ]);
  });
  return `R² on 128 masks that were not fitted (fewer where no more are left), from α·n·log2(n) masks.\n\n${table(['parts', 'method', ...alphas.map((alpha) => `α = ${alpha}`)], rows)}`;
}

/** What auto has over LASSO on the same texts, a row per task and bucket; how often less, and how often surely so. */
function gains(scores: readonly Score[], of: (score: Score) => BenchText): string {
  if (scores.length === 0) return '';
  const alphas = unique(scores.map(({ alpha }) => alpha)).sort((a, b) => a - b);
  const number = (score: Score, key: string): number => score.values[key] as number;
  const cells = (its: readonly Score[]): string[] =>
    alphas.map((alpha) => {
      const cell = its.filter((score) => score.alpha === alpha);
      if (cell.length === 0) return '';
      const gained = cell.map((score) => number(score, 'gain'));
      const below = gained.filter((gain) => gain < 0).length;
      const surely = cell.filter((score) => number(score, 'high') < 0).length;
      const said = below === 0 ? '' : `; ${below} below, ${surely} surely, worst ${signed(Math.min(...gained))}`;
      return `${signed(mean(gained))} (${gained.length}${said})`;
    });
  const rows = TASKS.flatMap((task) =>
    BUCKETS.map((bucket) => ({
      bucket,
      its: scores.filter((score) => of(score).task === task && of(score).bucket === bucket),
    }))
      .filter(({ its }) => its.length > 0)
      .map(({ bucket, its }) => [task, range(bucket), ...cells(its)]),
  );
  return `R² of auto less that of LASSO on the same texts and masks; of texts on which it is below, how many are so surely (the 95 % interval of the difference, over the held-out masks, lies below 0).\n\n${table(
    ['task', 'parts', ...alphas.map((alpha) => `α = ${alpha}`)],
    [...rows, ['all', '', ...cells(scores)]],
  )}`;
}

/** Mean change of the value by how many parts were removed. */
function removal(scores: readonly Score[], of: (score: Score) => BenchText): string {
  if (scores.length === 0) return '';
  const sizes = unique(scores.flatMap(({ values }) => Object.keys(values).map(Number))).sort((a, b) => a - b);
  const rows = BUCKETS.flatMap((bucket) => {
    const its = scores.filter((score) => of(score).bucket === bucket);
    return methodsOf(its).map((method) => [
      range(bucket),
      method,
      ...sizes.map((size) => {
        const there = its.filter((score) => score.method === method && String(size) in score.values);
        if (there.length === 0) return '';
        return `${mean(there.map(({ values }) => values[String(size)] as number)).toFixed(2)} (${there.length})`;
      }),
    ]);
  });
  return `Removal at α = 2: by how many nats the value changes without the k parts whose removal changes f̂ most, measured.\n\n${table(
    ['parts', 'method', ...sizes.map((size) => `k = ${size}`)],
    rows,
  )}`;
}

function recovery(scores: readonly Score[], of: (score: Score) => BenchText): string {
  if (scores.length === 0) return '';
  const percent = (its: readonly Score[], key: string): string =>
    `${(100 * mean(its.map(({ values }) => values[key] as number))).toFixed(1)} %`;
  const rows = BUCKETS.flatMap((bucket) => {
    const its = scores.filter((score) => of(score).bucket === bucket);
    return methodsOf(its).map((method) => {
      const cell = its.filter((score) => score.method === method);
      return [
        range(bucket),
        method,
        String(cell.length),
        ...['recovery', 'found', 'together'].map((key) => percent(cell, key)),
      ];
    });
  });
  return `Questions whose answer two annotated sentences carry, at α = 2: the mean share of the members of the ten largest interactions that carry it (recovery@10), the share of
the two that are in one of the ten, and how often one of the ten holds both. First order has no interactions; its ten largest sentences stand for
them.\n\n${table(['parts', 'method', 'texts', 'recovery@10', 'found', 'both in one'], rows)}`;
}

function cited(scores: readonly Score[]): string {
  if (scores.length === 0) return '';
  const methods = methodsOf(scores);
  const keys = unique(scores.flatMap(({ values }) => Object.keys(values)));
  const rows = methods.map((method) => {
    const its = scores.filter((score) => score.method === method);
    return [
      method,
      String(its.length),
      ...keys.map((key) => mean(its.map(({ values }) => values[key] as number)).toFixed(key === 'lds' ? 3 : 2)),
    ];
  });
  return `ContextCite's job on the questions, from 64 ablations: LDS (rank correlation with the true log-odds over 128 other masks), and by how many nats log p(answer) falls without the k
parts that are said to raise it most. contextcite is its own estimator (LASSO, alpha .01, on standardised columns).\n\n${table(
    ['method', 'texts', ...keys.map((key) => (key === 'lds' ? 'LDS' : `${key} drop`))],
    rows,
  )}`;
}
