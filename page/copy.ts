/** Figures and tables to take along: SVG and PNG, CSV and JSON, into the clipboard or, where there is none, as a file. */
import { button, h } from './dom.ts';

/** Pixels of a PNG for one of the figure. */
const SHARP = 2;

/** Buttons at every figure and table in `root` that has none yet. `tableOf`: a table's own CSV; undefined: its cells. */
export function addCopyButtons(root: ParentNode, csvOf: (table: HTMLTableElement) => string | undefined): void {
  const say = h('span', { class: 'muted', role: 'status' });
  for (const figure of root.querySelectorAll('figure')) {
    const caption = figure.querySelector('figcaption') ?? figure;
    const svg = (): SVGSVGElement | null => figure.querySelector('.scroll > svg');
    if (svg() === null || figure.querySelector('.tools') !== null) continue;
    const tools = toolbar('Copy the figure', [
      ['SVG', () => give(say, tools, 'figure.svg', new Blob([textOf(svg())], { type: 'image/svg+xml' }), 'text/plain')],
      ['PNG', () => give(say, tools, 'figure.png', pngOf(svg()), 'image/png')],
    ]);
    caption.append(tools);
  }
  for (const table of root.querySelectorAll('table')) {
    const caption = table.caption;
    if (caption === null || caption.querySelector('.tools') !== null) continue;
    const csv = (): string => csvOf(table) ?? csvText(cellsOf(table));
    const tools = toolbar('Copy the table', [
      ['CSV', () => give(say, tools, 'table.csv', new Blob([csv()], { type: 'text/csv' }), 'text/plain')],
      [
        'JSON',
        () =>
          give(
            say,
            tools,
            'table.json',
            new Blob([jsonText(cellsOf(table))], { type: 'application/json' }),
            'text/plain',
          ),
      ],
    ]);
    caption.append(tools);
  }
}

function toolbar(label: string, actions: readonly (readonly [string, () => void])[]): HTMLElement {
  return h(
    'span',
    { class: 'tools', role: 'group', 'aria-label': label },
    actions.map(([name, run]) => button(name, run, { 'aria-label': `${label} as ${name}` })),
  );
}

/** Into the clipboard; where that is refused, into a file. */
function give(say: HTMLElement, at: HTMLElement, name: string, content: Blob | Promise<Blob>, kind: string): void {
  const tell = (text: string): void => {
    say.textContent = text;
    at.append(say);
  };
  const copied = async (): Promise<void> => {
    const blob = await content;
    const plain = kind === 'text/plain' ? new Blob([await blob.text()], { type: kind }) : blob;
    await navigator.clipboard.write([new ClipboardItem({ [kind]: plain })]);
    tell('copied');
  };
  const saved = async (): Promise<void> => {
    const link = h('a', { href: URL.createObjectURL(await content), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    tell('saved');
  };
  copied()
    .catch(saved)
    .catch(() => tell('this browser allows neither'));
}

/** The figure by itself: its colours have the light values as fallbacks. */
function textOf(svg: SVGSVGElement | null): string {
  if (svg === null) return '';
  const copy = svg.cloneNode(true) as SVGSVGElement;
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  for (const mark of copy.querySelectorAll('.chosen-size')) mark.remove();
  for (const element of copy.querySelectorAll('[tabindex], [aria-selected]')) {
    element.removeAttribute('tabindex');
    element.removeAttribute('aria-selected');
  }
  return new XMLSerializer().serializeToString(copy);
}

async function pngOf(svg: SVGSVGElement | null): Promise<Blob> {
  const { width, height } = svg?.viewBox.baseVal ?? { width: 1, height: 1 };
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(textOf(svg))}`;
  await image.decode();
  const canvas = h('canvas', { width: String(Math.ceil(SHARP * width)), height: String(Math.ceil(SHARP * height)) });
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  context.fillStyle = '#ffffff';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob === null ? reject(new Error('no image')) : resolve(blob)), 'image/png'),
  );
}

/** The cells as a table says them, minus as a hyphen so that programs read numbers. */
function cellsOf(table: HTMLTableElement): string[][] {
  return [...table.rows].map((row) =>
    [...row.cells].map((cell) => cell.innerText.replaceAll('−', '-').replaceAll('\u00a0', ' ').trim()),
  );
}

function csvText(rows: readonly (readonly string[])[]): string {
  const quoted = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return rows.map((row) => `${row.map(quoted).join(',')}\r\n`).join('');
}

function jsonText([head, ...rows]: readonly (readonly string[])[]): string {
  return `${JSON.stringify(
    rows.map((row) => Object.fromEntries(row.map((cell, k) => [head[k], cell]))),
    null,
    1,
  )}\n`;
}
