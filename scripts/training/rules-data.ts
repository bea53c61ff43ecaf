/**
 * Texts whose answer is decided by one of three rules, and what is left of them when words are taken away.
 *
 * Negation: a review has one word of praise or blame; "not", "never" or "hardly" turns it round. Both: a lamp works if its two
 * parts are both there. Either: a hiker is fine if one of two things is there. A rule is a function of the words that
 * are left, so that it says what every set of words is worth: where the word of praise, or the thing that is asked about, is
 * gone, nothing is known. Held out of training: every 5th pair of a negation and a word that it turns round.
 */
import type { Random } from '../../src/random.ts';

const THINGS = 'plot music acting ending script camera story cast'.split(' ');
const PLAIN = 'long short quiet loud old new early late'.split(' ');
const PRAISE = 'good great lovely funny clever brilliant'.split(' ');
const BLAME = 'bad dull awful boring weak poor'.split(' ');
const NEGATIONS = 'not never hardly'.split(' ');
const POLAR = [...PRAISE, ...BLAME];

/** What is asked about, the two things that decide, and what it is asked. */
const BOTH = { asked: 'lamp', facts: ['cord', 'bulb'], does: 'work' } as const;
const EITHER = { asked: 'hiker', facts: ['map', 'compass'], does: 'be fine' } as const;
const IDLE = 'cat cup coin leaf stone hat'.split(' ');
const FACTS: readonly string[] = [...BOTH.facts, ...EITHER.facts];
const SENTENCES = ['here is a {}.', 'anna found a {}.', 'a {} is there.', 'tom has a {}.'];

const VERDICT = 'verdict:';
const ANSWER = 'answer:';

/** A text and its two answers; what the words left of it say. */
export interface RuleText {
  readonly rule: Rule;
  /** With the cue after which the answer stands. */
  readonly text: string;
  readonly answers: readonly [string, string];
}
export type Rule = 'negation' | 'both' | 'either';
export type RuleSplit = 'train' | 'held out';

export const RULES: readonly Rule[] = ['negation', 'both', 'either'];

/** Every word of every text. */
export const WORDS: readonly string[] = [
  ...new Set([
    ...THINGS,
    ...PLAIN,
    ...POLAR,
    ...NEGATIONS,
    ...FACTS,
    ...IDLE,
    BOTH.asked,
    EITHER.asked,
    ...'the was , and will work be fine ? verdict answer : positive negative yes no .'.split(' '),
    ...(SENTENCES.join(' ').replaceAll('{}', ' ').match(/\w+/g) ?? []),
  ]),
];

/** How sure a rule is of what it says: one of twenty answers is the other one, which keeps a model's scores finite. */
export const SURE = 0.95;

/** +1 where the words left say the first answer, -1 the other one, 0 where they say nothing. */
export function signOf(rule: Rule, words: readonly string[]): -1 | 0 | 1 {
  const has = (word: string): boolean => words.includes(word);
  if (rule === 'negation') {
    const polar = POLAR.find(has);
    if (polar === undefined) return 0;
    return PRAISE.includes(polar) === NEGATIONS.some(has) ? -1 : 1;
  }
  const { asked, facts } = rule === 'both' ? BOTH : EITHER;
  if (!has(asked)) return 0;
  const [first, second] = facts.map(has);
  return (rule === 'both' ? first && second : first || second) ? 1 : -1;
}

/** A text of a rule; of two it is as likely to be answered by yes as by no. */
export function drawRuleText(rule: Rule, split: RuleSplit, random: Random): RuleText {
  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)];
  if (rule === 'negation') {
    const things = random.shuffle([...THINGS]).slice(0, 2 + random.integer(2));
    const polarAt = random.integer(things.length);
    const negated = split === 'held out' || random.uniform() < 0.5;
    let [word, negation] = [0, 0];
    do [word, negation] = [random.integer(POLAR.length), random.integer(NEGATIONS.length)];
    while (negated && isHeldOut(word, negation) !== (split === 'held out'));
    const clauses = things.map((thing, k) => {
      const said = k === polarAt ? `${negated ? `${NEGATIONS[negation]} ` : ''}${POLAR[word]}` : pick(PLAIN);
      return `the ${thing} was ${said}`;
    });
    const last = clauses.pop() as string;
    return { rule, text: `${clauses.join(', ')} and ${last}. ${VERDICT}`, answers: [' positive', ' negative'] };
  }
  const { asked, facts, does } = rule === 'both' ? BOTH : EITHER;
  const share = rule === 'both' ? Math.SQRT1_2 : 1 - Math.SQRT1_2;
  const some: readonly string[] = facts.filter(() => random.uniform() < share);
  const others = random.shuffle([...IDLE, ...FACTS.filter((fact) => !(facts as readonly string[]).includes(fact))]);
  const said = random.shuffle([...some, ...others.slice(0, 1 + random.integer(2))]);
  const sentences = said.map((fact) => pick(SENTENCES).replace('{}', fact));
  const question = `will the ${asked} ${does}?`;
  return { rule, text: `${sentences.join(' ')} ${question} ${ANSWER}`, answers: [' yes', ' no'] };
}

function isHeldOut(word: number, negation: number): boolean {
  return (word * 3 + negation) % 5 === 0;
}

/** The words and marks of a text without its cue, and the cue's. */
export function splitCue({ text }: Pick<RuleText, 'text'>): { readonly words: string[]; readonly cue: string[] } {
  const all = text.match(/\w+|[.,?:]/g) ?? [];
  return { words: all.slice(0, -2), cue: all.slice(-2) };
}
