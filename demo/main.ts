/**
 * The demo: a model in the page whose heads are switched off by clicking, and ProxySPEX beside it.
 *
 * Built into static files by scripts/build-demo.ts.
 */
import { z } from 'zod';
import { attentionPanels } from '../page/attention.ts';
import { button, h } from '../page/dom.ts';
import { loadModel, openBackend, parsePrompts, type Backend, type Model, type Prompt } from '../src/index.ts';
import { tokenText } from '../src/report/attention-words.ts';
import { createHeadGrid, type HeadGrid } from './head-grid.ts';
import type { Files, Search } from './messages.ts';
import { likeliest, nextWords } from './next-words.ts';
import { headName, look, type Absence, type Look } from './run.ts';
import { createSearch } from './search.ts';
import { answersOf, namesIn, pairOf, twinOf } from './sentences.ts';

z.config({ jitless: true }); // the page's policy lets no text become code

const MODEL = 'ioi-tiny';
const FILES = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'prompts.jsonl'];
const FIRST = 'When Mary and John went to the store, John gave a drink to';
const EXAMPLES = 4;
const BUDGETS = [128, 256, 512, 1024];

const at = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E;

/** What is open: a model with its files, and sentences for it. */
interface Opened {
  readonly model: Model;
  readonly files: Files;
  readonly prompts: readonly Prompt[];
}

let opened: Opened;
let grid: HeadGrid;
/** The sentence with all heads on, and as it is now. */
let [before, after]: (Look | undefined)[] = [];
let shown: readonly [layer: number, head: number] = [0, 0];
let forget: () => void = () => undefined;
/** Looks that were begun; an answer to an older one is not drawn. */
let looks = 0;

const wordOf = (token: number): string => opened.model.tokenizer?.decode([token]) ?? String(token);
const text = (): string => at<HTMLInputElement>('text').value.trim();

const valueOf = (id: string): string => at<HTMLInputElement | HTMLSelectElement>(id).value.trim();

function absence(): Absence {
  const twin = valueOf('twin');
  return valueOf('absence') === 'resample' && twin !== '' ? { kind: 'resample', twin } : { kind: 'zero' };
}

/** The words that are asked about, right and wrong. */
const answers = (): readonly [string, string] => {
  const [correct, incorrect] = ['correct', 'incorrect'].map((id) => wordOf(Number(valueOf(id))).trim());
  return [correct, incorrect];
};

/** Proposes the sentence with the answers swapped. */
function proposePair(): void {
  at<HTMLInputElement>('pair').value = pairOf(text(), answers()) ?? '';
}

/** Runs the sentence, with all heads on where it is a new one, and draws what comes out. */
async function run(isNew: boolean): Promise<void> {
  const number = ++looks;
  const complaint = at('complaint');
  try {
    if (isNew) at<HTMLInputElement>('twin').value = twinOf(text(), namesIn(opened.prompts)) ?? '';
    const off = new Set(grid.off);
    const all = isNew || before === undefined ? await look(opened.model, text(), new Set(), { kind: 'zero' }) : before;
    const now = off.size === 0 ? all : await look(opened.model, text(), off, absence());
    if (number !== looks) return;
    [before, after] = [all, now];
    complaint.textContent = '';
    at('text').removeAttribute('aria-invalid');
    if (isNew) {
      offerAnswers(all);
      proposePair();
    }
    draw(all, now);
  } catch (error) {
    if (number !== looks) return;
    complaint.textContent = error instanceof Error ? error.message : String(error);
    at('text').setAttribute('aria-invalid', 'true');
  }
}

function draw(all: Look, now: Look): void {
  at('next').replaceChildren(nextWords(all, now, wordOf));
  const [was, is] = [likeliest(all, 1)[0], likeliest(now, 1)[0]];
  const share = (token: number, { probabilities }: Look): string => `${(100 * probabilities[token]).toFixed(0)} %`;
  const off = [...grid.off];
  at('said').textContent =
    off.length === 0
      ? `All heads on: it says “${wordOf(was).trim()}”, ${share(was, all)}.`
      : `Without ${off.length <= 4 ? off.join(', ') : `${off.length} heads`} it says “${wordOf(is).trim()}”, ${share(is, now)}${is === was ? '' : `; “${wordOf(was).trim()}” fell from ${share(was, all)} to ${share(was, now)}`}.`;
  sayDifference(all, now);
  read(...shown);
  at('twin-field').hidden = valueOf('absence') !== 'resample';
  at('twin-note').hidden = at('twin-field').hidden || valueOf('twin') !== '';
}

/** The number that ProxySPEX explains, before and after. */
function sayDifference(all: Look, now: Look): void {
  const [correct, incorrect] = ['correct', 'incorrect'].map((id) => Number(valueOf(id)));
  const of = ({ logits }: Look): string => (logits[correct] - logits[incorrect]).toFixed(2);
  at('difference').textContent =
    `Logit of “${wordOf(correct).trim()}” less that of “${wordOf(incorrect).trim()}”: ${of(all)}${all === now ? '' : `, now ${of(now)}`}.`;
}

function read(layer: number, head: number): void {
  shown = [layer, head];
  at('reads-name').textContent = headName(layer, head);
  for (const cell of document.querySelectorAll('#heads .head'))
    cell.classList.toggle('shown', cell.getAttribute('aria-label') === headName(layer, head));
  if (after === undefined) return;
  const prompts = [{ number: 0, tokens: after.words }];
  at('reads').replaceChildren(...attentionPanels({ attention: after.patterns, prompts }, layer, head));
}

function offerAnswers(all: Look): void {
  const { words, correct, incorrect } = answersOf(all, wordOf);
  const options = (chosen: number): HTMLElement[] =>
    words.map((token) =>
      h(
        'option',
        { value: String(token), selected: token === chosen ? '' : undefined },
        tokenText(wordOf(token)).trim(),
      ),
    );
  at('correct').replaceChildren(...options(correct));
  at('incorrect').replaceChildren(...options(incorrect));
}

function ask(): Search {
  const chosen = (id: string): number => Number(valueOf(id));
  const answer = (id: string): string => ` ${wordOf(chosen(id)).trim()}`;
  if (chosen('correct') === chosen('incorrect')) throw new Error('The two words are the same; choose two.');
  const other = absence();
  const [correct, incorrect] = ['correct', 'incorrect'].map((id) =>
    opened.model.tokenizer === undefined ? chosen(id) : answer(id),
  );
  const corrupted = other.kind === 'resample' ? { corrupted: other.twin } : {};
  const pair = valueOf('pair');
  return {
    model: opened.model.name,
    files: opened.files,
    prompts: [
      { prompt: text(), correct, incorrect, ...corrupted },
      ...(pair === '' ? [] : [{ prompt: pair, correct: incorrect, incorrect: correct, ...corrupted }]),
    ],
    ablation: other.kind,
    budget: chosen('budget'),
  };
}

/** Shows a model in place of the one before. */
async function show(next: Opened, backend: Backend): Promise<void> {
  const { model, prompts } = next;
  opened = next;
  [before, after, shown] = [undefined, undefined, [0, 0]];
  const { nLayers, nHeads } = model.config;
  grid = createHeadGrid({ layers: nLayers, heads: nHeads }, () => void run(false), read);
  at('heads').replaceChildren(grid.element);
  at('about').textContent =
    `${model.name}: ${nLayers} layers of ${nHeads} heads, ${model.parameterCount.toLocaleString('en')} parameters, computed in this page.`;
  at('where').textContent =
    `${backend.name}: ${backend.device}; largest error of the self-check ${backend.selfCheckError.toExponential(1)}.`;
  const texts = prompts.flatMap(({ prompt }) => (typeof prompt === 'string' ? [prompt] : []));
  at('examples').replaceChildren(...texts.slice(0, EXAMPLES).map((each) => button(each, () => say(each))));
  at('sentences').replaceChildren(...texts.map((value) => h('option', { value })));
  const named = namesIn(prompts).length > 0;
  at('absence').replaceChildren(
    h('option', { value: 'resample', selected: named ? '' : undefined }, 'reads another sentence'),
    h('option', { value: 'zero', selected: named ? undefined : '' }, 'writes nothing'),
  );
  forget();
  say(texts[0] ?? FIRST);
}

function say(sentence: string): void {
  at<HTMLInputElement>('text').value = sentence;
  void run(true);
}

async function fetchFiles(folder: string): Promise<Files> {
  const files = FILES.map(async (name) => {
    const response = await fetch(`${folder}/${name}`);
    if (!response.ok) throw new Error(`${folder}/${name}: ${response.status}`);
    return [name, await response.blob()] as const;
  });
  return Object.fromEntries(await Promise.all(files));
}

async function open(files: Files, name: string | undefined, backend: Backend): Promise<void> {
  const former = opened as Opened | undefined;
  const prompts = files['prompts.jsonl'];
  const { ['prompts.jsonl']: _, ...rest } = files;
  const model = await loadModel(rest, name === undefined ? {} : { name });
  const parsed = prompts === undefined ? [] : parsePrompts(await prompts.text(), 'prompts.jsonl');
  await show({ model, files: rest, prompts: parsed }, backend);
  former?.model[Symbol.dispose]();
}

async function begin(): Promise<void> {
  const [backend, files] = await Promise.all([openBackend('wasm'), fetchFiles(`models/${MODEL}`)]);
  at('budget').replaceChildren(
    ...BUDGETS.map((count) =>
      h('option', { value: String(count), selected: count === 512 ? '' : undefined }, String(count)),
    ),
  );
  const places = {
    form: at<HTMLFormElement>('search'),
    start: at<HTMLButtonElement>('start'),
    cancel: at<HTMLButtonElement>('cancel'),
    progress: at('progress'),
    complaint: at('search-complaint'),
    found: at('found'),
  };
  forget = createSearch(places, ask, ({ circuit, players }) => {
    const names = new Set((circuit?.chosen.players ?? []).map((player) => players[player].name));
    grid.ring(names);
    if (names.size > 0)
      at('found').prepend(
        h(
          'div',
          { class: 'row' },
          button('Switch off all but the circuit', () => {
            grid.set((layer, head) => names.has(headName(layer, head)));
            at('heads').scrollIntoView({ block: 'center' });
          }),
        ),
      );
  });
  let waiting: ReturnType<typeof setTimeout> | undefined;
  at('text').addEventListener('input', () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      grid.ring(new Set());
      forget();
      void run(true);
    }, 150);
  });
  at('sentence').addEventListener('submit', (event) => event.preventDefault());
  for (const id of ['correct', 'incorrect']) at(id).addEventListener('change', proposePair);
  for (const id of ['absence', 'correct', 'incorrect', 'twin'])
    at(id).addEventListener('change', () => void run(false));
  at<HTMLInputElement>('folder').addEventListener('change', ({ target }) => {
    const chosen = [...((target as HTMLInputElement).files ?? [])];
    const name = chosen[0]?.webkitRelativePath.split('/')[0];
    const own = Object.fromEntries(
      chosen.filter((file) => file.webkitRelativePath.split('/').length <= 2).map((file) => [file.name, file]),
    );
    open(own, name === '' ? undefined : name, backend).catch((error: unknown) => {
      at('complaint').textContent = error instanceof Error ? error.message : String(error);
    });
  });
  await open(files, MODEL, backend);
}

begin().catch((error: unknown) => {
  at('about').textContent = `The model cannot be loaded: ${error instanceof Error ? error.message : String(error)}`;
});
