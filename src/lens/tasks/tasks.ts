/**
 * The tasks by name. A template is made of short common words, so that most tokenizers have them whole; what a tokenizer cuts
 * is drawn again (task.ts).
 */
import type { Random } from '../../random.ts';
import type { Continuation, Draw, TaskTemplate } from './task.ts';

const NAMES =
  'Mary John Tom James Anna Paul Peter Sarah David Laura Mark Emma Alice Robert Susan Michael Kate Simon'.split(' ');
const WOMEN = 'Mary Anna Sarah Laura Emma Alice Susan Kate Linda Julia Helen Nancy'.split(' ');
const MEN = 'John Tom James Paul Peter David Mark Robert Michael Simon George Daniel'.split(' ');
const PLACES = 'store park school station market office garden library'.split(' ');
const THINGS = 'drink book ring ball letter flower gift bag'.split(' ');
const WORDS =
  'tree house river stone cloud paper window table bread horse chair garden light water bridge sugar letter music apple street winter summer forest island mountain doctor'.split(
    ' ',
  );
const CAPITALS = {
  France: 'Paris',
  Italy: 'Rome',
  Spain: 'Madrid',
  Germany: 'Berlin',
  England: 'London',
  Russia: 'Moscow',
  Japan: 'Tokyo',
  China: 'Beijing',
  Egypt: 'Cairo',
  Greece: 'Athens',
  Ireland: 'Dublin',
  Austria: 'Vienna',
  Portugal: 'Lisbon',
  Cuba: 'Havana',
} as const;
const NOUNS = [
  'key',
  'book',
  'car',
  'dog',
  'picture',
  'door',
  'letter',
  'boy',
  'tree',
  'house',
  'chair',
  'apple',
] as const;
const NEAR = ['cabinet', 'table', 'woman', 'garden', 'building', 'teacher', 'window', 'river'] as const;

/** `count` different ones of a list. */
function some<T>(random: Random, list: readonly T[], count: number): T[] {
  return random.shuffle(random.subset(list.length, count)).map((i) => list[i]);
}

/** A text by the value it is given, and the same with another: the right answer of one is the wrong one of the other. */
function swapped(make: (value: string) => string, a: string, b: string, neutral?: string): Draw {
  const one: Continuation = { text: make(a), correct: ` ${a}`, incorrect: ` ${b}` };
  const two: Continuation = { text: make(b), correct: ` ${b}`, incorrect: ` ${a}` };
  return { pair: [one, two], neutral };
}

export type TaskName =
  | 'ioi'
  | 'greater-than'
  | 'induction'
  | 'gendered-pronoun'
  | 'subject-verb'
  | 'capitals'
  | 'docstring'
  | 'arithmetic';

export const TASKS: Readonly<Record<TaskName, TaskTemplate>> = {
  ioi: {
    name: 'ioi',
    about: 'indirect object: who was given something, when two were named and one of them gives',
    source: 'Wang et al., Interpretability in the Wild, arXiv 2211.00593',
    draw(random) {
      const [first, second, third, fourth, fifth] = some(random, NAMES, 5);
      const [[place], [thing]] = [some(random, PLACES, 1), some(random, THINGS, 1)];
      const text = (one: string, two: string, giver: string): string =>
        `When ${one} and ${two} went to the ${place}, ${giver} gave a ${thing} to`;
      return {
        pair: [
          { text: text(first, second, second), correct: ` ${first}`, incorrect: ` ${second}` },
          { text: text(first, second, first), correct: ` ${second}`, incorrect: ` ${first}` },
        ],
        neutral: text(third, fourth, fifth), // the ABC distribution of the paper
      };
    },
  },
  'greater-than': {
    name: 'greater-than',
    about: 'a year after another of the same century: the decade has to be greater',
    source: 'Hanna et al., How does GPT-2 compute greater-than?, arXiv 2305.00586',
    draw(random) {
      const [event] = some(random, ['war', 'plan', 'trial', 'voyage', 'siege', 'project', 'trip', 'study'], 1);
      const century = 11 + random.integer(7);
      const early = 1 + random.integer(3); // 1..3
      const late = 6 + random.integer(3); // 6..8
      const between = early + 1 + random.integer(late - early - 1);
      const text = (decade: number): string =>
        `The ${event} lasted from the year ${century}${decade}${1 + (early % 9)} to the year ${century}`;
      const year = (decade: number): string => `${decade}9`;
      const [low, high] = [year(between), year(9)];
      // After an early year both would do; what tells the two texts apart is whether the lower one still does.
      return {
        pair: [
          { text: text(late), correct: high, incorrect: low, byFirstToken: true },
          { text: text(early), correct: low, incorrect: high, byFirstToken: true },
        ],
      };
    },
  },
  induction: {
    name: 'induction',
    about: 'a word seen before is followed by what followed it then',
    source: 'Olsson et al., In-context Learning and Induction Heads, arXiv 2209.11895',
    draw(random) {
      const [a, b, cue, ...rest] = some(random, WORDS, 9);
      const text = (next: string): string => ` ${[rest[0], cue, next, ...rest.slice(1), rest[0], cue].join(' ')}`;
      return swapped(text, a, b);
    },
  },
  'gendered-pronoun': {
    name: 'gendered-pronoun',
    about: 'the pronoun that goes with a name',
    source: 'Mathwin et al., Identifying a Preliminary Circuit for Predicting Gendered Pronouns in GPT-2 Small, 2023',
    draw(random) {
      const [[woman], [man]] = [some(random, WOMEN, 1), some(random, MEN, 1)];
      const [kind] = some(random, ['nice', 'good', 'kind', 'great', 'bright', 'quiet'], 1);
      const [what] = some(random, ['person', 'friend', 'teacher', 'student', 'doctor', 'neighbor'], 1);
      const text = (name: string): string => `So ${name} is such a ${kind} ${what}, isn't`;
      return {
        pair: [
          { text: text(woman), correct: ' she', incorrect: ' he' },
          { text: text(man), correct: ' he', incorrect: ' she' },
        ],
      };
    },
  },
  'subject-verb': {
    name: 'subject-verb',
    about: 'a verb agrees with its subject across another noun',
    source:
      'Linzen et al., arXiv 1611.01368; Finlayson et al., Causal Analysis of Syntactic Agreement, arXiv 2106.06087',
    draw(random) {
      const [[noun], [near]] = [some(random, NOUNS, 1), some(random, NEAR, 1)];
      const [link] = some(random, ['near', 'behind', 'beside', 'by'], 1);
      const text = (subject: string): string => `The ${subject} ${link} the ${near}`;
      return {
        pair: [
          { text: text(`${noun}s`), correct: ' are', incorrect: ' is' },
          { text: text(noun), correct: ' is', incorrect: ' are' },
        ],
      };
    },
  },
  capitals: {
    name: 'capitals',
    about: 'the capital of a country',
    source: 'facts of the kind of Meng et al., Locating and Editing Factual Associations in GPT, arXiv 2202.05262',
    draw(random) {
      const [one, two] = some(random, Object.entries(CAPITALS), 2);
      const text = ([country]: readonly [string, string]): string => `The capital of ${country} is the city of`;
      return {
        pair: [
          { text: text(one), correct: ` ${one[1]}`, incorrect: ` ${two[1]}` },
          { text: text(two), correct: ` ${two[1]}`, incorrect: ` ${one[1]}` },
        ],
      };
    },
  },
  docstring: {
    name: 'docstring',
    about: 'the next argument of a function in its docstring',
    source: 'Heimersheim and Janiak, A circuit for Python docstrings in a 4-layer attention-only transformer, 2023',
    draw(random) {
      const [name, first, second, a, b, ...said] = some(random, WORDS, 11);
      const text = (third: string): string =>
        `def ${name}(self, ${first}, ${second}, ${third}, ${said[0]}):\n    """${said[1]} ${said[2]}\n\n    :param ${first}: ${said[3]} ${said[4]}\n    :param ${second}: ${said[5]} ${said[1]}\n    :param`;
      return swapped(text, a, b);
    },
  },
  arithmetic: {
    name: 'arithmetic',
    about: 'the sum of two small numbers, after three worked examples',
    source: 'Stolfo et al., A Mechanistic Interpretation of Arithmetic Reasoning, arXiv 2305.15054',
    draw(random) {
      const small = (): number => 1 + random.integer(4);
      const shown = Array.from({ length: 3 }, () => [small(), small()]).map(([x, y]) => `${x} + ${y} = ${x + y}`);
      const x = small();
      const [y, z] = some(random, [1, 2, 3, 4, 5], 2);
      const text = (other: number): string => `${shown.join('\n')}\n${x} + ${other} =`;
      return {
        pair: [
          { text: text(y), correct: ` ${x + y}`, incorrect: ` ${x + z}` },
          { text: text(z), correct: ` ${x + z}`, incorrect: ` ${x + y}` },
        ],
      };
    },
  },
};
