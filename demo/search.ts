/** ProxySPEX on another thread: started, followed, cancelled, and its answer drawn. */
import { h } from '../page/dom.ts';
import type { Result } from '../src/report/result.ts';
import { figuresOf } from './figures.ts';
import type { FromWorker, Search } from './messages.ts';

const WORDS: Readonly<Record<string, string>> = {
  load: 'loading the model once more',
  sample: 'switching sets of heads off',
  tune: 'fitting trees',
};

/** The elements of the search, by their ids in the page. */
export interface SearchPlaces {
  readonly form: HTMLFormElement;
  readonly start: HTMLButtonElement;
  readonly cancel: HTMLButtonElement;
  readonly progress: HTMLElement;
  readonly complaint: HTMLElement;
  readonly found: HTMLElement;
}

/** Runs what `ask` gives when the form is sent; `answered` hears of each result. Returns what forgets an old answer. */
export function createSearch(places: SearchPlaces, ask: () => Search, answered: (result: Result) => void): () => void {
  const { form, start, cancel, progress, complaint, found } = places;
  const [bar, words] = [progress.querySelector('progress'), progress.querySelector('span')];
  let worker: Worker | undefined;
  const end = (): void => {
    worker?.terminate();
    worker = undefined;
    [start.disabled, cancel.hidden, progress.hidden] = [false, true, true];
  };
  const hear = (message: FromWorker): void => {
    if ('progress' in message) {
      const { stage, done, total } = message.progress;
      if (bar !== null) bar.value = total === 0 ? 1 : done / total;
      if (words !== null)
        words.textContent = `${WORDS[stage] ?? stage}${total > 1 ? `, ${done.toLocaleString('en')} of ${total.toLocaleString('en')}` : ''}`;
      return;
    }
    end();
    if ('failed' in message) {
      complaint.textContent = message.failed;
      return;
    }
    found.replaceChildren(figuresOf(message.result, Math.max(320, found.clientWidth)));
    answered(message.result);
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    end();
    complaint.textContent = '';
    let search: Search;
    try {
      search = ask();
    } catch (error) {
      complaint.textContent = error instanceof Error ? error.message : String(error);
      return;
    }
    [start.disabled, cancel.hidden, progress.hidden] = [true, false, false];
    worker = new Worker(new URL('worker.js', document.baseURI), { type: 'module' });
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => hear(data));
    worker.addEventListener('error', ({ message }) => hear({ failed: `the worker failed: ${message}` }));
    worker.postMessage(search);
  });
  cancel.addEventListener('click', () => {
    end();
    complaint.textContent = '';
    start.focus();
  });
  return () => {
    end();
    found.replaceChildren(h('p', { class: 'muted' }, ''));
  };
}
