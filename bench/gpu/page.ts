/** The record as a Markdown page; every table names the card it was measured on. */
import type { Entry, GpuReport } from './record.ts';

type Of<K extends Entry['kind']> = Extract<Entry, { kind: K }>;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  rows.length === 0
    ? ''
    : [
        `| ${head.join(' | ')} |`,
        `|${head.map(() => '---').join('|')}|`,
        ...rows.map((row) => `| ${row.join(' | ')} |`),
      ].join('\n');
const number = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString('en-US') : value >= 100 ? value.toFixed(0) : value.toPrecision(3);
const tera = (gflops: number): string => number(gflops / 1000);

export function pageOf(report: GpuReport): string {
  const all = <K extends Entry['kind']>(kind: K): Of<K>[] =>
    report.entries.filter((entry): entry is Of<K> & { readonly section: string } => entry.kind === kind);
  const { machine } = report;
  const adapters = all('adapter');
  const card = machine.card ?? adapters.find(({ gpu }) => gpu)?.device ?? adapters[0]?.device ?? 'no card';
  const peaks = new Map<string, number>();
  for (const { shape, gflops, by } of all('product')) {
    const key = by === "TensorFlow.js's" ? 'stock' : 'tiles';
    peaks.set(key, Math.max(peaks.get(key) ?? 0, gflops));
    void shape;
  }
  const peak = Math.max(0, ...peaks.values());
  const parts = [
    `# ${card}`,
    `${machine.platform}, Node ${machine.node}, ${machine.cores} x ${machine.cpu}, driver ${machine.driver ?? 'none'}; ${report.startedAt}`,
    ...adapters.map(
      ({ backend, device, selfCheckError }) =>
        `* ${backend}: ${device}; self-check within ${selfCheckError.toExponential(1)}`,
    ),
    ...all('absent').map(({ what, why }) => `* not there: ${what}: ${why.split('\n')[0]}`),
    ...all('readback').map(
      ({ backend, medianMs, worstMs }) =>
        `* ${backend}: a number is read back in ${medianMs.toFixed(2)} ms (median; at worst ${worstMs.toFixed(2)})`,
    ),
    heading(
      'Right',
      card,
      table(
        ['claim', 'cases', 'largest error', 'allowed'],
        all('check').map(({ claim, cases, error, allowed }) => [
          error <= allowed ? claim : `**${claim}: not so**`,
          String(cases),
          error.toExponential(1),
          allowed.toExponential(0),
        ]),
      ),
    ),
    heading('Products, TFLOP/s', card, productTable(all('product'), all('torch-product'))),
    heading('Masked rows a second', card, rowsTable(all('rows'), all('torch'), peak)),
    heading('Batch sizes', card, batchTable(all('rows'))),
    heading(
      'PyTorch',
      card,
      table(
        ['model', 'tokens', 'players', 'way', 'precision', 'batch', 'rows/s', 'differs from ours by'],
        all('torch').map((entry) => [
          entry.model,
          String(entry.length),
          entry.players,
          entry.way,
          entry.precision,
          String(entry.batch),
          number(entry.rowsPerSecond),
          entry.difference === null ? '' : entry.difference.toExponential(1),
        ]),
      ),
    ),
    heading(
      'Kernels of one batch, each run by itself',
      card,
      table(
        ['model', 'tokens', 'batch', 'kernel', 'inputs', 'calls', 'ms each', 'ms'],
        all('kernel')
          .filter(({ calls, msEach }) => calls * msEach > 0.05)
          .map(({ model, length, batch, name, shapes, calls, msEach }) => [
            model,
            String(length),
            String(batch),
            name,
            shapes,
            String(calls),
            msEach.toFixed(3),
            (calls * msEach).toFixed(2),
          ]),
      ),
    ),
    heading(
      'find-circuits',
      card,
      table(
        ['model', 'backend', 'players', 'masks', 'seconds', 'of them measuring'],
        all('circuits').map(({ model, backend, players, masks, seconds, measuring }) => [
          `${model} shape, random weights`,
          backend,
          String(players),
          number(masks),
          seconds.toFixed(1),
          measuring.toFixed(1),
        ]),
      ),
    ),
    heading(
      'Sections',
      card,
      table(
        ['section', 'seconds', 'ended'],
        report.sections.map(({ name, seconds, ended, why }) => [
          name,
          seconds.toFixed(0),
          why === '' ? ended : `${ended}: ${why.split('\n')[0]}`,
        ]),
      ),
    ),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

const heading = (title: string, card: string, body: string): string =>
  body === '' ? '' : `## ${title} (${card})\n\n${body}`;

function productTable(ours: readonly Of<'product'>[], torch: readonly Of<'torch-product'>[]): string {
  const ways = [...new Set(ours.map(({ by }) => by))];
  const key = (shape: readonly number[]): string => shape.join(' x ');
  const precisions = [...new Set(torch.map(({ precision }) => precision))];
  const shapes = [...new Set([...ours, ...torch].map(({ shape }) => key(shape)))];
  return table(
    ['rows x inner x width', ...ways, ...precisions.map((precision) => `PyTorch ${precision}`)],
    shapes.map((shape) => [
      shape,
      ...ways.map((way) => {
        const found = ours.find((entry) => entry.by === way && key(entry.shape) === shape);
        return found === undefined ? '' : tera(found.gflops);
      }),
      ...precisions.map((precision) => {
        const found = torch.filter((entry) => entry.precision === precision && key(entry.shape) === shape);
        return found.length === 0 ? '' : tera(Math.max(...found.map(({ gflops }) => gflops)));
      }),
    ]),
  );
}

/** Ours at its best batch beside PyTorch's ways at theirs. */
function rowsTable(ours: readonly Of<'rows'>[], torch: readonly Of<'torch'>[], peak: number): string {
  const cases = new Map(
    ours.map((entry) => [`${entry.model} ${entry.length} ${entry.players} ${entry.backend} ${entry.products}`, entry]),
  );
  for (const entry of ours) {
    const key = `${entry.model} ${entry.length} ${entry.players} ${entry.backend} ${entry.products}`;
    if (entry.rowsPerSecond > (cases.get(key) as Of<'rows'>).rowsPerSecond) cases.set(key, entry);
  }
  const best = ({ model, length, players }: Of<'rows'>, way: string, precision: string): number | undefined => {
    const found = torch.filter(
      (entry) =>
        entry.model === model &&
        entry.length === length &&
        entry.players === players &&
        entry.way === way &&
        entry.precision === precision,
    );
    return found.length === 0 ? undefined : Math.max(...found.map(({ rowsPerSecond }) => rowsPerSecond));
  };
  const columns = [
    ['hooks', 'float32'],
    ['lens', 'float32'],
    ['lens-last', 'float32'],
    ['hooks', 'tf32'],
    ['lens', 'tf32'],
  ] as const;
  return table(
    [
      'model',
      'tokens',
      'players',
      'backend',
      'products',
      'batch',
      'rows/s',
      'TFLOP/s done',
      'of the product peak',
      'launching',
      ...columns.map(([way, precision]) => `PyTorch ${way} ${precision}`),
    ],
    [...cases.values()].map((entry) => {
      const done = (entry.rowsPerSecond * entry.flopsPerRow) / 1e9;
      return [
        entry.model,
        String(entry.length),
        entry.players,
        entry.backend,
        entry.products,
        String(entry.batch),
        number(entry.rowsPerSecond),
        tera(done),
        peak === 0 ? '' : `${((100 * done) / peak).toFixed(0)} %`,
        `${(100 * entry.launching).toFixed(0)} %`,
        ...columns.map(([way, precision]) => {
          const theirs = best(entry, way, precision);
          return theirs === undefined ? '' : `${number(theirs)} (x ${(entry.rowsPerSecond / theirs).toFixed(2)})`;
        }),
      ];
    }),
  );
}

function batchTable(rows: readonly Of<'rows'>[]): string {
  return table(
    ['model', 'tokens', 'players', 'products', 'batch', 'masks', 'rows/s', 'launching', 'MiB on the device'],
    rows.map((entry) => [
      entry.model,
      String(entry.length),
      entry.players,
      entry.products,
      String(entry.batch),
      String(entry.masks),
      number(entry.rowsPerSecond),
      `${(100 * entry.launching).toFixed(0)} %`,
      (entry.deviceBytes / 2 ** 20).toFixed(0),
    ]),
  );
}
