/**
 * The texts of bench/feature-lens.ts, made from hand-written parts by a seed: three kinds of task in buckets by the number of their
 * parts, each with its answer and with the parts that carry it.
 *
 *     npx tsx bench/feature-lens/texts.ts     writes bench/feature-lens/texts.jsonl
 *
 * sentiment: the words of a review (reviews.ts). question: the sentences of a story (stories.ts), from 32 parts on its words.
 * examples: the lines of a prompt that teaches two labels (examples.ts).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';
import { cutText } from '../../src/lens/tokens/cut-text.ts';
import { createRandom, type Random } from '../../src/random.ts';
import { KINDS, LABELS } from './examples.ts';
import { SHORT, SUBJECTS, type Subject } from './reviews.ts';
import { ASIDES, HOLDERS, PEOPLE, PLACES, PUTS, STANDS, THINGS } from './stories.ts';

const Line = z.object({
  id: z.string(),
  task: z.enum(['sentiment', 'question', 'examples']),
  /** The least number of parts of its bucket; there are twice as many less one at most. */
  bucket: z.number(),
  players: z.enum(['words', 'sentences', 'examples']),
  before: z.string(),
  text: z.string(),
  after: z.string(),
  answer: z.string(),
  against: z.string(),
  /** Characters of `text` that carry the answer. */
  evidence: z.array(z.tuple([z.number(), z.number()])),
});
export type BenchText = z.infer<typeof Line>;
export type BenchTask = BenchText['task'];

export const BUCKETS: readonly number[] = [8, 16, 32, 64, 128];
/** Texts of each task in a bucket; two of the longest. */
const COUNTS: Readonly<Record<BenchTask, number>> = { sentiment: 7, question: 7, examples: 6 };
const FILE = fileURLToPath(new URL('texts.jsonl', import.meta.url));

/** The committed texts, in the order in which they are measured: tasks in turn. */
export function readTexts(): BenchText[] {
  return readFileSync(FILE, 'utf8')
    .trim()
    .split('\n')
    .map((line) => Line.parse(JSON.parse(line)));
}

/** Every text, by a seed. */
export function makeTexts(seed: number): BenchText[] {
  return BUCKETS.flatMap((bucket) =>
    Array.from({ length: 7 }, (_, k) => k).flatMap((k) =>
      (['sentiment', 'question', 'examples'] as const)
        .filter((task) => k < (bucket === 128 ? (task === 'examples' ? 0 : 1) : COUNTS[task]))
        .map((task) => {
          const id = `${task}-${bucket}-${k}`;
          return { id, task, bucket, ...MAKERS[task](bucket, k, createRandom(seed, id)) };
        }),
    ),
  );
}

type Made = Omit<BenchText, 'id' | 'task' | 'bucket'>;
const MAKERS: Readonly<Record<BenchTask, (bucket: number, k: number, random: Random) => Made>> = {
  sentiment: reviewOf,
  question: storyOf,
  examples: examplesOf,
};

/** What a text is made of, and whether it carries the answer. */
interface Piece {
  readonly text: string;
  readonly carries: boolean;
}

/** Pieces between separators, and where those stand that carry the answer. */
function join(pieces: readonly Piece[], separator: string): Pick<Made, 'text' | 'evidence'> {
  let text = '';
  const evidence: [number, number][] = [];
  for (const piece of pieces) {
    if (text !== '') text += separator;
    if (piece.carries) evidence.push([text.length, text.length + piece.text.length]);
    text += piece.text;
  }
  return { text, evidence };
}

const wordsIn = (text: string): number => cutText(text, 'words').length;
const pickFrom = <T>(list: readonly T[], random: Random): T => list[random.integer(list.length)];

/** A length in the bucket, towards its lower end: time grows with its square. */
const lengthIn = (bucket: number, random: Random): number => bucket + random.integer(Math.ceil(bucket / 2));

function reviewOf(bucket: number, k: number, random: Random): Made {
  const frame = { players: 'words', before: 'Review: ', after: '\nSentiment (positive or negative):' } as const;
  const answers = (positive: boolean): Pick<Made, 'answer' | 'against'> =>
    positive ? { answer: ' positive', against: ' negative' } : { answer: ' negative', against: ' positive' };
  if (bucket === 8) {
    const { text, positive } = SHORT[k];
    return { ...frame, text, ...answers(positive), evidence: [] };
  }
  const positive = k % 2 === 0;
  const length = lengthIn(bucket, random);
  for (;;) {
    const made = join(reviewPieces(SUBJECTS[k % SUBJECTS.length], positive, length, random), ' ');
    const words = wordsIn(made.text);
    if (words >= bucket && words < 2 * bucket) return { ...frame, ...made, ...answers(positive) };
  }
}

/** Facts, a concession, and more sentences of its own side, until it is long enough; subjects follow each other where one is used up. */
function reviewPieces(first: Subject, positive: boolean, length: number, random: Random): Piece[] {
  const pieces: Piece[] = [];
  const subjects = [first, ...SUBJECTS.filter((subject) => subject !== first)];
  const count = (): number => pieces.reduce((sum, { text }) => sum + wordsIn(text), 0);
  for (const subject of subjects) {
    const own = positive ? [...subject.praise, ...subject.turnedPraise] : [...subject.blame, ...subject.turnedBlame];
    const other = positive ? [...subject.blame, ...subject.turnedBlame] : [...subject.praise, ...subject.turnedPraise];
    const [plain, its, theirs] = [[...subject.plain], own, other].map((list) => random.shuffle(list));
    for (let turn = 0; count() < length && its.length > 0; turn++) {
      const [list, carries] = turn % 3 === 0 ? [plain, false] : turn % 6 === 2 ? [theirs, false] : [its, true];
      const text = list.pop();
      if (text !== undefined) pieces.push({ text, carries });
    }
    if (count() >= length) break;
  }
  return [...pieces, { text: pickFrom(positive ? first.goodEnd : first.badEnd, random), carries: true }];
}

function storyOf(bucket: number, _k: number, random: Random): Made {
  const inWords = bucket >= 32;
  for (;;) {
    const sentences = inWords ? Math.round(lengthIn(bucket, random) / 6) : lengthIn(bucket, random);
    const { pieces, thing, place, other } = storyPieces(sentences, random);
    const made = join(pieces, ' ');
    const parts = cutText(made.text, inWords ? 'words' : 'sentences').length;
    if (parts < bucket || parts >= 2 * bucket) continue;
    return {
      players: inWords ? 'words' : 'sentences',
      before: '',
      ...made,
      after: `\nQuestion: In which room is the ${thing}?\nAnswer: The ${thing} is in the`,
      answer: ` ${place}`,
      against: ` ${other}`,
    };
  }
}

interface Story {
  readonly pieces: readonly Piece[];
  readonly thing: string;
  readonly place: string;
  /** Where another thing is. */
  readonly other: string;
}

/** Two sentences that carry the answer, as many about other things as there is room for up to three pairs, and asides between. */
function storyPieces(sentences: number, random: Random): Story {
  const [people, things, holders, places] = [PEOPLE, THINGS, HOLDERS, PLACES].map((list) => random.shuffle([...list]));
  const fill = (template: string, pair: number): string => {
    const who = random.integer(people.length);
    return template
      .replaceAll('{A}', people[who])
      .replaceAll('{B}', people[(who + 1) % people.length])
      .replaceAll('{T}', things[pair])
      .replaceAll('{H}', holders[pair])
      .replaceAll('{P}', places[pair]);
  };
  const pairs = Math.max(2, Math.min(4, Math.floor(sentences / 3)));
  const facts = Array.from({ length: pairs }, (_, pair) =>
    [PUTS, STANDS].map((list) => ({ text: fill(pickFrom(list, random), pair), carries: pair === 0 })),
  ).flat();
  const asides = random
    .shuffle([...ASIDES])
    .slice(0, Math.max(0, sentences - facts.length))
    .map((template) => ({ text: fill(template, 0), carries: false }));
  return { pieces: random.shuffle([...facts, ...asides]), thing: things[0], place: places[0], other: places[1] };
}

function examplesOf(bucket: number, k: number, random: Random): Made {
  const [kinds, labels] = [KINDS[k % KINDS.length], LABELS[(k + 1) % LABELS.length]];
  const each = kinds.map((things) => random.shuffle([...things]));
  const asked = random.integer(2);
  const thing = each[asked].pop() as string;
  const count = Math.min(lengthIn(bucket, random), each[0].length + each[1].length - 1);
  const pieces = Array.from({ length: count }, (_, line) => {
    const kind = each[line % 2].length > 0 ? line % 2 : 1 - (line % 2);
    return { text: `${each[kind].pop()}: ${labels[kind]}`, carries: kind === asked };
  });
  return {
    players: 'examples',
    before: '',
    ...join(random.shuffle(pieces), '\n'),
    after: `\n${thing}:`,
    answer: ` ${labels[asked]}`,
    against: ` ${labels[1 - asked]}`,
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  writeFileSync(
    FILE,
    `${makeTexts(0)
      .map((text) => JSON.stringify(text))
      .join('\n')}\n`,
  );
