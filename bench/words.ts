/**
 * Masked prompts per second beside captum's LLMAttribution on transformers, and how far the values are apart: a 64-word prompt, on
 * both sides the same rows of the same jobs.
 *
 *     npx tsx bench/words.ts --model path/to/smollm2 --python path/to/python [--backends tensorflow,wasm] [--permutations 1] [--jobs tokens,sampled]
 *     npx tsx bench/words.ts --model path/to/smollm2 --sharing [--backends wasm] [--masks 128]
 *
 * With --results FILE what was measured is written as it comes, and a stopped command goes on where it was.
 *
 * Jobs: each token replaced by one id in turn (FeatureAblation), Shapley values from permutations of the tokens
 * (ShapleyValueSampling), each word but the last removed, or replaced by another text. captum and every backend run one after the
 * other in one process each, each job warmed by a few of its rows; ratios are of one run. --sharing measures, in turns, what rows
 * that begin alike save by sharing their keys and values.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import { answerTokens } from '../src/lens/tokens/answers.ts';
import type { StandIn } from '../src/lens/tokens/absences.ts';
import { createPromptGame, type PromptGameOptions } from '../src/lens/tokens/prompt-game.ts';
import { TEXT_VALUES } from '../src/lens/tokens/text-values.ts';
import { toPlayers, type PlayedText } from '../src/lens/tokens/text-players.ts';
import { masksFromMembers, type Masks } from '../src/masks.ts';
import { openPrompt } from '../src/measure/open-game.ts';
import { canPool } from '../src/measure/on-threads.ts';
import { loadModel, tokenizerOf, type Model } from '../src/model/model.ts';
import { openBackend } from '../src/open-backend.ts';
import { cores } from '../src/platform/threads.ts';
import { createRandom, type Random } from '../src/random.ts';
import { uniformMasks } from '../src/uniform-masks.ts';

const PROMPT =
  'The film begins in a small town by the sea, where two brothers run a bakery that nobody visits any more. ' +
  'The older one is not kind, the younger one is not brave, and for an hour the story goes nowhere. ' +
  'Then a storm comes, and what was slow turns into something warm and honest. ' +
  'I left the cinema happy. All in all the film was';
const ANSWER = ' good';
/** What stands in for a token, and for a word. */
const [ID, OTHER] = [0, ' thing'];
const ALL_WORDS = PROMPT.match(/ ?\S+/g) ?? [];
/** The last word stays where words are removed: a model without BOS has nothing to begin from otherwise. */
const [WORDS, KEPT] = [ALL_WORDS.slice(0, -1), ALL_WORDS[ALL_WORDS.length - 1]];

interface Job {
  readonly name: string;
  readonly method: string;
  readonly absence: string;
  readonly played: PlayedText;
  readonly standIn: StandIn;
  readonly masks: Masks;
  /** The attribution that the values of the masks make. */
  readonly attribution: (values: Float64Array) => number[];
}

/** What captum found of one job. */
interface Reference {
  readonly name: string;
  readonly attribution: readonly number[];
  readonly passes: number;
  readonly seconds: number;
  readonly tokens: readonly number[];
  readonly versions: Readonly<Record<string, string>>;
  readonly threads: number;
}

/** What a backend made of one job. */
interface Own {
  readonly backend: string;
  readonly name: string;
  readonly rate: number;
  readonly attribution: readonly number[];
}

/** All that was measured so far, of one question. */
interface Results {
  readonly asked: string;
  readonly own: Own[];
  readonly captum: Reference[];
}

const options = new Command()
  .requiredOption('--model <folder|file>')
  .option('--python <path>', 'with captum, torch and transformers')
  .option('--backends <names>', '', 'tensorflow,wasm')
  .option('--jobs <names>', '', 'tokens,sampled,removed,replaced')
  .option('--permutations <n>', '', '1')
  .option('--results <file>', 'what was measured, to go on from')
  .option('--sharing', 'what sharing beginnings brings, instead of a comparison')
  .option('--masks <n>', 'random masks of --sharing', '128')
  .parse()
  .opts<{
    model: string;
    python?: string;
    backends: string;
    jobs: string;
    permutations: string;
    results?: string;
    sharing?: boolean;
    masks: string;
  }>();

const allOf = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

const orderOf = (n: number, random: Random): number[] => [...random.shuffle(Uint32Array.from(allOf(n)))];

/** Everything kept, then everything but one player. */
function leaveOneOut(n: number): Pick<Job, 'masks' | 'attribution'> {
  const all = allOf(n);
  return {
    masks: masksFromMembers(n, [all, ...all.map((gone) => all.filter((i) => i !== gone))]),
    attribution: ([clean, ...rest]) => rest.map((value) => clean - value),
  };
}

/** Players join one by one, in the order of each permutation. */
function joining(n: number, permutations: readonly (readonly number[])[]): Pick<Job, 'masks' | 'attribution'> {
  const sets = permutations.flatMap((order) => order.map((_, k) => order.slice(0, k + 1)));
  return {
    masks: masksFromMembers(n, [[], ...sets]),
    attribution(values) {
      const effects = Array<number>(n).fill(0);
      permutations.forEach((order, p) =>
        order.forEach((player, k) => {
          const before = k === 0 ? values[0] : values[p * n + k];
          effects[player] += (values[1 + p * n + k] - before) / permutations.length;
        }),
      );
      return effects;
    },
  };
}

function jobsOf(model: Model, permutations: readonly (readonly number[])[]): Job[] {
  const tokens = toPlayers(model, PROMPT, { players: 'tokens' });
  let at = 0;
  const spans = WORDS.map((word) => ({ start: at, end: (at += word.length) }));
  const words = toPlayers(model, PROMPT, { players: spans });
  const other = tokenizerOf(model).encode(OTHER, { bos: false });
  const { owners } = words;
  const first = (i: number): boolean => i === 0 || owners[i - 1] !== owners[i];
  const n = tokens.players.length;
  const id: StandIn = { kind: 'tokens', tokens: tokens.tokens.map(() => [ID]) };
  return [
    { name: 'tokens', method: 'FeatureAblation', absence: 'token id', played: tokens, standIn: id, ...leaveOneOut(n) },
    {
      name: 'sampled',
      method: 'ShapleyValueSampling',
      absence: 'token id',
      played: tokens,
      standIn: id,
      ...joining(n, permutations),
    },
    {
      name: 'removed',
      method: 'FeatureAblation',
      absence: 'word removed',
      played: words,
      standIn: { kind: 'tokens', tokens: words.tokens.map(() => []) },
      ...leaveOneOut(words.players.length),
    },
    {
      name: 'replaced',
      method: 'FeatureAblation',
      absence: 'word replaced',
      played: words,
      standIn: { kind: 'tokens', tokens: words.tokens.map((_, i) => (first(i) ? other : [])) },
      ...leaveOneOut(words.players.length),
    },
  ];
}

const gameOf = (model: Model, { played, standIn }: Job, rest: Partial<PromptGameOptions> = {}): PromptGameOptions => ({
  ...played,
  standIn,
  value: TEXT_VALUES.logprob,
  answer: answerTokens(model, played, ANSWER, 'answer'),
  against: [],
  ...rest,
});

/** What is known of this question already. */
function resultsOf(asked: string): Results {
  const { results } = options;
  if (results === undefined || !existsSync(results)) return { asked, own: [], captum: [] };
  const known = JSON.parse(readFileSync(results, 'utf8')) as Results;
  if (known.asked !== asked) throw new Error(`${results} is of another model, prompt or draw; take another file`);
  return known;
}

function save(results: Results): void {
  if (options.results !== undefined) writeFileSync(options.results, `${JSON.stringify(results)}\n`);
}

async function compare(): Promise<void> {
  if (options.python === undefined) throw new Error('--python is needed, one that has captum, torch and transformers');
  const names = options.jobs.split(',');
  const backends = options.backends.split(',');
  let results: Results | undefined;
  let tokens: readonly number[] = [];
  let listed: Job[] = [];
  for (const name of backends) {
    const backend = await openBackend(name);
    const model = await loadModel(options.model);
    const random = createRandom(0, 'bench/words');
    const permutations = Array.from({ length: Number(options.permutations) }, () =>
      orderOf(toPlayers(model, PROMPT, { players: 'tokens' }).players.length, random),
    );
    listed = jobsOf(model, permutations).filter((job) => names.includes(job.name));
    const [{ played }] = listed;
    tokens = played.tokens;
    const answer = answerTokens(model, played, ANSWER, 'answer');
    const question = { prompt: PROMPT, words: WORDS, kept: KEPT, answer, id: ID, other: OTHER, permutations };
    results ??= resultsOf(JSON.stringify({ model: options.model, ...question }));
    const threads = canPool() ? cores() : 1;
    const { own } = results;
    for (const job of listed.filter((each) => !own.some((it) => it.backend === name && it.name === each.name))) {
      const game = openPrompt(gameOf(model, job), model, { threads });
      await game.value(masksFromMembers(job.masks.players, [[], [0], [1], [2]])); // warm, threads too
      const start = performance.now();
      const values = await game.value(job.masks);
      const rate = (1000 * job.masks.count) / (performance.now() - start);
      own.push({ backend: name, name: job.name, rate, attribution: job.attribution(values) });
      save(results);
      game[Symbol.dispose]();
    }
    console.log(
      `${WORDS.length} words, ${tokens.length} tokens; ${backend.name}${threads > 1 ? `, ${threads} threads` : ''} (${backend.device})`,
    );
    model[Symbol.dispose]();
    backend.close();
  }
  if (results === undefined) return;
  await askCaptum(options.python, names, results);
  print(listed, backends, results, tokens);
}

/** Has captum do the jobs that it has not done yet. */
async function askCaptum(python: string, names: readonly string[], results: Results): Promise<void> {
  const jobs = names.filter((name) => !results.captum.some((each) => each.name === name));
  if (jobs.length === 0) return;
  const asked = JSON.stringify({ ...(JSON.parse(results.asked) as object), jobs });
  const child = spawn(python, ['bench/words_reference.py', options.model, asked], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve, reject) => child.on('close', resolve).on('error', reject));
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{')) continue;
    results.captum.push(JSON.parse(line) as Reference);
    save(results);
  }
  const code = await ended;
  if (code !== 0) throw new Error(`bench/words_reference.py ended with ${code}`);
}

function print(listed: readonly Job[], backends: readonly string[], results: Results, tokens: readonly number[]): void {
  const { captum, own } = results;
  const [{ versions, threads, tokens: theirs }] = captum;
  if (theirs.join() !== tokens.join()) throw new Error('the two tokenizers disagree');
  console.log(
    `masked prompts per second; captum ${versions['captum']}, transformers ${versions['transformers']}, torch ${versions['torch']}, ${threads} threads\n`,
  );
  const heads = backends.map((name) => ` ${name} | times | apart, nats |`).join('');
  console.log(
    `| | absence | prompts | captum |${heads}\n|---|---|---|---|${backends.map(() => '---|---|---|').join('')}`,
  );
  for (const { name, method, absence, masks } of listed) {
    const { attribution, passes, seconds } = captum.find((each) => each.name === name) as Reference;
    const rate = passes / seconds;
    const ours = backends.map((backend) => {
      const it = own.find((each) => each.backend === backend && each.name === name) as Own;
      const apart = Math.max(...it.attribution.map((value, k) => Math.abs(value - attribution[k])));
      return ` ${it.rate.toFixed(2)} | ${(it.rate / rate).toFixed(1)} | ${apart.toExponential(1)} |`;
    });
    console.log(`| ${method} | ${absence} | ${masks.count}, captum ${passes} | ${rate.toFixed(2)} |${ours.join('')}`);
  }
}

/** Rows per second with and without shared beginnings, in turns, on the same masks. */
async function sharing(): Promise<void> {
  for (const name of options.backends.split(',')) {
    const backend = await openBackend(name);
    const model = await loadModel(options.model);
    const random = createRandom(0, 'bench/words');
    const n = toPlayers(model, PROMPT, { players: 'tokens' }).players.length;
    const [tokens, sampled, removed] = jobsOf(model, [orderOf(n, random)]);
    const half = (players: number): Masks =>
      uniformMasks(players, Number(options.masks), createRandom(1, 'bench/words'));
    console.log(
      `${backend.name}\n| masks | rows | rows/s, each from the front | shared beginnings | times | apart, nats |\n|---|---|---|---|---|---|`,
    );
    for (const [what, job, masks] of [
      ['each token replaced in turn', tokens, tokens.masks],
      ['tokens join in a random order', sampled, sampled.masks],
      ['random halves, tokens replaced', tokens, half(tokens.played.players.length)],
      ['random halves, words removed', removed, half(removed.played.players.length)],
    ] as const) {
      const plain = createPromptGame(model, gameOf(model, job, { without: ['tree'] }));
      const shared = createPromptGame(model, gameOf(model, job));
      const seconds = [0, 0];
      let values: Float64Array[] = [];
      for (let round = 0; round < 2; round++) {
        values = [];
        for (const [k, game] of [plain, shared].entries()) {
          const start = performance.now();
          values.push(await game.value(masks));
          seconds[k] += (performance.now() - start) / 1000;
        }
      }
      const apart = Math.max(...values[0].map((value, k) => Math.abs(value - values[1][k])));
      const [slow, fast] = seconds.map((each) => (2 * masks.count) / each);
      console.log(
        `| ${what} | ${masks.count} | ${slow.toFixed(2)} | ${fast.toFixed(2)} | ${(fast / slow).toFixed(2)} | ${apart.toExponential(1)} |`,
      );
      plain[Symbol.dispose]();
      shared[Symbol.dispose]();
    }
    model[Symbol.dispose]();
    backend.close();
  }
}

await (options.sharing === true ? sharing() : compare());
