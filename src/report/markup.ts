/**
 * HTML and SVG as values: a template tag that escapes everything that is not markup already.
 *
 * `markup\`<p>${text}</p>\`` escapes the text wherever it stands (element content and quoted attributes), so that
 * no prompt, token or player name can open a tag. Nothing else in the report builds markup from strings.
 */
export interface Markup {
  readonly kind: 'markup';
  readonly html: string;
}

export type Child = Markup | string | number | undefined | false | readonly Child[];

/** Markup from a template; children that are text are escaped, undefined and false vanish, lists are joined. */
export function markup(strings: TemplateStringsArray, ...children: readonly Child[]): Markup {
  return { kind: 'markup', html: strings.reduce((html, part, k) => html + render(children[k - 1]) + part) };
}

/** Markup that is known to be well-formed: a style sheet of ours, a chart of Plot's. */
export function trusted(html: string): Markup {
  return { kind: 'markup', html };
}

/**
 * Text for element content or a quoted attribute; what would hide or reorder its neighbours (control and direction
 * characters, line separators, lone surrogates) becomes U+FFFD.
 */
export function escapeText(text: string): string {
  return visible(text).replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The same of what is markup already, a chart's labels. */
export function visible(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]|[\p{Cs}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/gu, '�');
}

function render(child: Child): string {
  if (child === undefined || child === false) return '';
  if (typeof child === 'string') return escapeText(child);
  if (typeof child === 'number') return String(child);
  if ('html' in child) return child.html;
  return child.map(render).join('');
}

/** A coordinate to a tenth of a pixel: short files, and the same text on every machine. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10 + 0);
}
