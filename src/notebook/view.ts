/** What is shown of a value, before it is cut into MIME types. */
import { markup, trusted, type Child, type Markup } from '../report/markup.ts';
import { color } from '../report/palette.ts';
import type { MimeBundle } from '../showing.ts';

export interface View {
  /** What a terminal shows, and who cannot see. */
  readonly text: string;
  /** SVGs, the one that says most first. */
  readonly figures?: readonly Markup[] | undefined;
  /** What stands above the figures. */
  readonly above?: Child;
}

let shown = 0;

/**
 * The view by MIME type: HTML with the figures inline, the first figure alone, text.
 *
 * (nbconvert shows bare SVG in no HTML, so that is not all there is.) The ground is the figures' own, in a dark notebook too, and
 * the ids of each are its own, as all cells of a notebook are one document.
 */
export function bundleOf({ text, figures = [], above }: View): MimeBundle {
  const own = figures.map((figure) => withOwnIds(figure, ++shown));
  const html = markup`<div style="background: ${color('paper')}; color: ${color('ink')}; font: 13px/1.5 system-ui, sans-serif; padding: 8px; overflow-x: auto">${above}${own.map((svg) => markup`<div style="margin: 4px 0 10px">${svg}</div>`)}</div>`;
  return {
    'text/plain': text,
    ...(own.length === 0 && above === undefined ? {} : { 'text/html': html.html }),
    ...(own.length === 0 ? {} : { 'image/svg+xml': own[0].html }),
  };
}

function withOwnIds({ html }: Markup, number: number): Markup {
  const named = html.replace(/\bid="([^"]+)"/g, `id="$1-${number}"`);
  return trusted(
    named.replace(/\baria-labelledby="([^"]+)"/g, (_, ids: string) => {
      const own = ids.split(' ').map((id) => `${id}-${number}`);
      return `aria-labelledby="${own.join(' ')}"`;
    }),
  );
}

/** Rows of cells under a heading each. */
export function tableOf(heads: readonly string[], rows: readonly (readonly Child[])[]): Markup {
  const cell = 'padding: 1px 14px 1px 0; text-align: left; vertical-align: top';
  return markup`<table style="border-collapse: collapse; font: inherit"><thead><tr>${heads.map((head) => markup`<th style="${cell}; color: ${color('muted')}; font-weight: 400">${head}</th>`)}</tr></thead><tbody>${rows.map((row) => markup`<tr>${row.map((child) => markup`<td style="${cell}">${child}</td>`)}</tr>`)}</tbody></table>`;
}

/** Text in the width of its letters. */
export function code(text: string): Markup {
  return markup`<code style="font: 12px ui-monospace, monospace">${text}</code>`;
}
