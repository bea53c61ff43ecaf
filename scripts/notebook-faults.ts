/** What is wrong with a notebook that was run: cells that failed, and pictures with nothing in them. */

export interface Output {
  readonly output_type: string;
  readonly ename?: string;
  readonly evalue?: string;
  readonly data?: Readonly<Record<string, string | readonly string[]>>;
}

export interface Cell {
  readonly cell_type: string;
  readonly source: string | readonly string[];
  readonly outputs?: readonly Output[];
  readonly execution_count?: number | null;
}

export interface Notebook {
  readonly cells: readonly Cell[];
}

/** One line for each fault; a notebook without a picture has one too. */
export function faultsOf({ cells }: Notebook): string[] {
  const outputs = cells.flatMap(({ outputs: given = [] }, k) => given.map((output) => ({ ...output, cell: k + 1 })));
  const faults = outputs
    .filter(({ output_type: type }) => type === 'error')
    .map(({ cell, ename, evalue }) => `cell ${cell} failed: ${ename} ${evalue}`.replace(/\s+/g, ' '));
  const pictures = outputs.flatMap(({ cell, data = {} }) =>
    ['text/html', 'image/svg+xml'].flatMap((type) =>
      svgsIn(textOf(data[type] ?? '')).map((svg) => ({ cell, type, marks: marksIn(svg) })),
    ),
  );
  if (pictures.length === 0 && faults.length === 0) faults.push('shows no picture');
  return [
    ...faults,
    ...pictures
      .filter(({ marks }) => marks === 0)
      .map(({ cell, type }) => `cell ${cell} shows an empty picture (${type})`),
  ];
}

function textOf(lines: string | readonly string[]): string {
  return typeof lines === 'string' ? lines : lines.join('');
}

/** Outermost SVGs of a text. */
function svgsIn(html: string): string[] {
  const found: string[] = [];
  let [depth, start] = [0, 0];
  for (const { 0: tag, index } of html.matchAll(/<\/?svg\b[^>]*>/g)) {
    if (tag.startsWith('</')) {
      if (--depth === 0) found.push(html.slice(start, index + tag.length));
    } else if (depth++ === 0) start = index;
  }
  return found;
}

/** Shapes that have a size, and words. */
function marksIn(svg: string): number {
  const shapes = svg.match(/<(rect|circle|path|polyline|line)\b[^>]*>/g) ?? [];
  const drawn = shapes.filter(
    (shape) => !/\b(width|height|r)="0"|\bd=""|\bpoints=""/.test(shape) && !/class="frame"/.test(shape),
  );
  return drawn.length;
}
