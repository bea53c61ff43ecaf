/**
 * The frame of every page: one offline file, its style, its data and its script.
 *
 * The policy in the head lets nothing in from outside: no network, no image but those that the script itself draws, no script
 * but the one whose hash is named. Without the script the page says the same; with it, it can be asked (page/).
 */
import { markup, trusted, type Child } from './markup.ts';
import { PAGE_SCRIPT, PAGE_SCRIPT_HASH } from './page-script.ts';
import { PAGE_STYLE } from './page-style.ts';
import { SCRIPT_STYLE } from './script-style.ts';
import { printableJson } from '../printable.ts';

/** What a page may do. */
export const PAGE_POLICY = `default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src '${PAGE_SCRIPT_HASH}'; base-uri 'none'; form-action 'none'`;

export interface Page {
  readonly title: string;
  /** Under the title. */
  readonly subtitle?: Child;
  readonly body: Child;
  /** Rules beside those of every page. */
  readonly style?: string;
  /** What the script works with (page-data.ts); without it figures can still be copied, and cells read. */
  readonly data?: unknown;
}

/** The text of the page. */
export function page({ title, subtitle, body, style = '', data }: Page): string {
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(PAGE_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${trusted(PAGE_STYLE + SCRIPT_STYLE + style)}</style>
</head>
<body><main>
<header><h1>${title}</h1>${
    subtitle !== undefined &&
    markup`
<p class="subtitle">${subtitle}</p>`
  }</header>
${body}
</main>
${data !== undefined && markup`<script type="application/json" id="spex-data">${trusted(jsonInMarkup(data))}</script>`}
<script>${trusted(PAGE_SCRIPT)}</script></body>
</html>
`.html;
}

/** JSON that no tag can end, and that has no character that hides or turns round another. */
function jsonInMarkup(data: unknown): string {
  return printableJson(JSON.stringify(data)).replaceAll('<', String.raw`\u003c`);
}
