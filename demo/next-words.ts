/** The likeliest next words, before heads were switched off and after. */
import { h } from '../page/dom.ts';
import { tokenText } from '../src/report/attention-words.ts';
import type { Look } from './run.ts';

const SHOWN = 6;

const percent = (share: number): string => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;

/** The tokens of largest probability, the largest first. */
export function likeliest({ probabilities }: Look, count: number): number[] {
  return [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]).slice(0, count);
}

/** A table with two bars a word: outlined before, filled after. */
export function nextWords(before: Look, after: Look, wordOf: (token: number) => string): HTMLElement {
  const tokens = [...new Set([...likeliest(before, SHOWN - 2), ...likeliest(after, SHOWN - 2)])];
  const most = (token: number): number => Math.max(before.probabilities[token], after.probabilities[token]);
  const rows = tokens
    .sort((a, b) => most(b) - most(a))
    .map((token) => {
      const [was, is] = [before.probabilities[token], after.probabilities[token]];
      const bar = (kind: string, share: number): HTMLElement => {
        const element = h('span', { class: `bar ${kind}` });
        element.style.width = `${(100 * share).toFixed(1)}%`;
        return element;
      };
      return h(
        'tr',
        { class: is < was ? 'down' : '' },
        h('td', {}, h('bdi', { class: 'token' }, tokenText(wordOf(token)))),
        h('td', { class: 'bars', 'aria-hidden': 'true' }, bar('before', was), bar('after', is)),
        h('td', { class: 'number' }, percent(was)),
        h('td', { class: 'number' }, percent(is)),
        h('td', { class: 'number' }, after.logits[token].toFixed(2)),
      );
    });
  const heading = (text: string, kind = 'number'): HTMLElement => h('th', { class: kind, scope: 'col' }, text);
  return h(
    'table',
    { class: 'next' },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        heading('word', ''),
        h('th', { class: 'bars' }),
        heading('all on'),
        heading('now'),
        heading('logit now'),
      ),
    ),
    h('tbody', {}, rows),
  );
}
