/**
 * Templated indirect-object sentences and what is held out of them.
 *
 * "When Mary and John went to the store, John gave a drink to" -> " Mary". Every template comes in both name
 * orders (ABBA, BABA). Three generalisations are kept out of training, each by construction: pairs of names
 * (every 5th unordered pair never meets in one sentence), whole names and objects (they occur only in sentences
 * where a stranger acts: about one person, or naming both; never in an indirect-object sentence).
 */
import type { Random } from '../../src/random.ts';

export const NAMES = (
  'Mary John Tom Anna James Laura Peter Susan Paul Linda Mark Sarah David Karen Michael Lisa Robert Nancy Daniel Betty ' +
  'Kevin Helen Brian Emma Jason Amy Eric Rachel Steven Alice Frank Julia Scott Grace Henry Rose Adam Kate Simon Jane ' +
  'Andrew Carol Arthur Clara Albert Diana Ben Ella Charles Eva Chris Fiona Colin Gina Dennis Hannah Derek Irene Edward Jenny ' +
  'Felix Joan Fred Judy George Laila Gerald Lena Gordon Lily Greg Lucy Harold Maria Harry Martha Hugo Megan Ian Molly ' +
  'Isaac Nina Jack Nora Jacob Olga Joel Paula Karl Petra Keith Rita Larry Ruth Leo Sally Louis Sandra Luke Sonia ' +
  'Martin Stella Max Teresa Neil Tina Oliver Ursula Oscar Vera Patrick Wendy Philip Yvonne Ralph Zoe Victor Ingrid Walter Edith'
).split(' ');
/** Names that no indirect-object training sentence contains. */
export const HELD_OUT_NAMES = [
  'Simon',
  'Jane',
  'Adam',
  'Kate',
  'Ralph',
  'Zoe',
  'Victor',
  'Ingrid',
  'Walter',
  'Edith',
  'Oscar',
  'Vera',
];
export const PLACES = 'store park school office station library hospital restaurant garden museum beach market'.split(
  ' ',
);
export const OBJECTS =
  'drink book ring ball letter key kiss bone computer basket snack necklace pen map coat ticket'.split(' ');
/** Objects that no indirect-object training sentence contains. */
export const HELD_OUT_OBJECTS = ['map', 'coat', 'ticket'];

/** {A}, {B} the two people in order of mention, {S} the one who acts (again), {P} place, {O} object; the answer follows "to". */
const TEMPLATES = [
  'When {A} and {B} went to the {P}, {S} gave a {O} to',
  'Then {A} and {B} went to the {P}. {S} gave a {O} to',
  'After {A} and {B} met at the {P}, {S} handed a {O} to',
  'While {A} and {B} were working at the {P}, {S} sent a {O} to',
  '{A} and {B} found a {O} at the {P}. {S} decided to give it to',
  'When {A} and {B} got a {O} at the {P}, {S} decided to give the {O} to',
  'Friends {A} and {B} had a long talk at the {P}, and {S} passed the {O} to',
];
/** One person, and a stranger who acts. They train names and objects that the templates above hold out. */
const SINGLE = [
  'When {A} went to the {P}, the teacher gave a {O} to',
  'Then {A} went to the {P}. The doctor handed a {O} to',
  'While {A} was working at the {P}, the teacher sent a {O} to',
  '{A} found a {O} at the {P}. The doctor decided to give it to',
];
/** A stranger gives to both; {S} is named again and the other one {T} is the answer. They hold every name, in either order. */
const BOTH = [
  'When {A} and {B} went to the {P}, the teacher gave a {O} to {S} and',
  'Then {A} and {B} went to the {P}. The doctor handed a {O} to {S} and',
  'While {A} and {B} were working at the {P}, the teacher sent a {O} to {S} and',
];

export interface IoiPrompt {
  readonly prompt: string;
  /** The indirect object, with its leading space. */
  readonly correct: string;
  /** The subject, with its leading space. */
  readonly incorrect: string;
  /** The same sentence with three other people: nobody is repeated. */
  readonly corrupted: string;
}

export const WORDS: readonly string[] = [
  ...new Set([
    ...NAMES,
    ...PLACES,
    ...OBJECTS,
    ...[...TEMPLATES, ...SINGLE, ...BOTH].flatMap((t) => t.replaceAll(/\{.\}/g, ' ').match(/\w+|[.,]/g) ?? []),
  ]),
];

export type Split = 'train' | 'pairs' | 'names' | 'objects';

/** Every 5th unordered pair is never seen together in training. */
function isHeldOutPair(a: number, b: number): boolean {
  const [low, high] = a < b ? [a, b] : [b, a];
  return (low * 7 + high * 3) % 5 === 0;
}

const trainNames = NAMES.map((_, i) => i).filter((i) => !HELD_OUT_NAMES.includes(NAMES[i]));
const heldNames = HELD_OUT_NAMES.map((name) => NAMES.indexOf(name));
const trainObjects = OBJECTS.filter((o) => !HELD_OUT_OBJECTS.includes(o));

/**
 * A pair of indirect-object prompts from a split: held-out 'pairs' of seen names, unseen 'names', unseen 'objects',
 * or 'train'. The two differ in who acts, so a part that only favours one name cancels in their mean.
 */
export function drawIoiPair(split: Split, random: Random): readonly [IoiPrompt, IoiPrompt] {
  const names = split === 'names' ? heldNames : trainNames;
  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)];
  let a: number;
  let b: number;
  do {
    a = pick(names);
    b = pick(names);
  } while (a === b || (split !== 'names' && isHeldOutPair(a, b) !== (split === 'pairs')));
  const strangers = trainNames.filter((i) => i !== a && i !== b);
  const others = random
    .shuffle(strangers)
    .slice(0, 3)
    .map((i) => NAMES[i]);
  const template = pick(TEMPLATES);
  const place = pick(PLACES);
  const object = pick(split === 'objects' ? HELD_OUT_OBJECTS : trainObjects);
  const subjectFirst = random.uniform() < 0.5;
  const [io, subject] = [NAMES[a], NAMES[b]];
  const [first, second] = subjectFirst ? [subject, io] : [io, subject];
  const fill = (one: string, two: string, actor: string): string =>
    template
      .replaceAll('{A}', one)
      .replaceAll('{B}', two)
      .replaceAll('{S}', actor)
      .replaceAll('{P}', place)
      .replaceAll('{O}', object);
  const corrupted = fill(others[0], others[1], others[2]);
  const prompt = (answer: string, actor: string): IoiPrompt => ({
    prompt: fill(first, second, actor),
    correct: ` ${answer}`,
    incorrect: ` ${actor}`,
    corrupted,
  });
  return [prompt(io, subject), prompt(subject, io)];
}

/** One indirect-object prompt from a split. */
export function drawIoi(split: Split, random: Random): IoiPrompt {
  return drawIoiPair(split, random)[0];
}

/** One training sentence, its answer included: half indirect objects, the rest about one person or about both, with any name and object. */
export function drawTrainingSentence(random: Random): string {
  const kind = random.uniform();
  if (kind < 0.5) {
    const { prompt, correct } = drawIoi('train', random);
    return `${prompt}${correct}`;
  }
  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)];
  const [place, object] = [pick(PLACES), pick(OBJECTS)];
  const fill = (template: string): string => template.replaceAll('{P}', place).replaceAll('{O}', object);
  if (kind < 0.7) {
    const name = pick(NAMES);
    return `${fill(pick(SINGLE)).replaceAll('{A}', name)} ${name}`;
  }
  let [a, b] = [0, 0];
  while (a === b || isHeldOutPair(a, b)) [a, b] = [random.integer(NAMES.length), random.integer(NAMES.length)];
  const [again, other] = random.uniform() < 0.5 ? [a, b] : [b, a];
  return `${fill(pick(BOTH)).replaceAll('{A}', NAMES[a]).replaceAll('{B}', NAMES[b]).replaceAll('{S}', NAMES[again])} ${NAMES[other]}`;
}

/** The template that a training sentence was made of, and of what kind that is. */
export function templateOf(sentence: string): { readonly kind: 'object' | 'one' | 'both'; readonly template: string } {
  for (const [kind, templates] of [
    ['object', TEMPLATES],
    ['one', SINGLE],
    ['both', BOTH],
  ] as const)
    for (const template of templates) {
      const pattern = template.replace(/[.]/g, '\\.').replaceAll(/\{.\}/g, '\\w+');
      if (new RegExp(`^${pattern} \\w+$`).test(sentence)) return { kind, template };
    }
  throw new Error(`no template makes "${sentence}"`);
}

/** Words and punctuation, as the tokenizer splits them. */
export function splitWords(text: string): string[] {
  return text.match(/\w+|[.,]/g) ?? [];
}
