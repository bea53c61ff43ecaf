/** What the tables of docs/circuit-methods.md are measured on: every method on one question, and a few of them on questions that steering was not made on. */
import { METHODS } from '../../src/methods/methods.ts';
import type { TaskName } from '../../src/lens/tasks/tasks.ts';

/** A model, its prompts, its players, and what each of some methods may spend. */
export interface Question {
  /** Unique; files are named after it. */
  readonly key: string;
  readonly title: string;
  /** A folder of models/, or a model of real-models. */
  readonly model: 'ioi-tiny' | 'induction-2l-h2-spare' | 'induction-2l-h4' | 'smollm2';
  /** Lines of the model's prompts.jsonl, or one pair of a task. */
  readonly prompts: Lines | TaskName;
  /** What was found is judged on these lines, or on as many other pairs of the task; absent: on the same. */
  readonly judge?: Lines | number;
  readonly players: string;
  readonly budget: number;
  readonly knockOuts: number;
  readonly methods: readonly string[];
}

/** From the first, counted from 0, up to before another. */
export interface Lines {
  readonly from: number;
  readonly to: number;
}

const ALL = Object.keys(METHODS);
/** Gradients and steering: what a few hundred masks suffice for over hundreds of players. */
const FEW = [
  'attribution-patching',
  'eap-ig-inputs',
  'eap-ig-activations',
  'integrated-gradients',
  'expected-gradients',
  'subnetwork-probing',
  'spectrum',
  'steered',
];
/** ioi-tiny's prompts are in pairs. */
const pairs = (first: number, last: number): Lines => ({ from: 2 * (first - 1), to: 2 * last });

/** A table each. */
export const QUESTIONS: readonly Question[] = [
  ...[96, 512].map(
    (budget): Question => ({
      key: `ioi-tiny-parts-${budget}`,
      title: `ioi-tiny, 20 heads and MLPs, ${budget} masks`,
      model: 'ioi-tiny',
      prompts: pairs(1, 1),
      players: 'heads,mlps',
      budget,
      knockOuts: 10,
      methods: ALL,
    }),
  ),
  ...[192, 1024].map(
    (budget): Question => ({
      key: `ioi-tiny-edges-${budget}`,
      title: `ioi-tiny, 479 edges, ${budget.toLocaleString('en')} masks`,
      model: 'ioi-tiny',
      prompts: pairs(1, 1),
      players: 'edges',
      budget,
      knockOuts: 10,
      methods: ALL,
    }),
  ),
  {
    key: 'smollm2-heads-192',
    title: 'SmolLM2-135M-Instruct, 270 heads, IOI, 192 masks',
    model: 'smollm2',
    prompts: 'ioi',
    players: 'heads',
    budget: 192,
    knockOuts: 2,
    methods: FEW.filter((name) => name !== 'eap-ig-activations'), // of edges alone
  },
];

/** Beside one another on the other questions. */
export const RIVALS = ['eap-ig-inputs', 'integrated-gradients', 'spectrum', 'steered'] as const;

/** Not the first two, on which steering was made. */
const OTHER_PAIRS = [3, 4, 5, 6, 7, 8, 9, 10];

/** A row each, in one table. */
export const OTHER_QUESTIONS: readonly Question[] = [
  ...[
    { players: 'edges', budget: 192 },
    { players: 'heads,mlps', budget: 96 },
  ].flatMap(({ players, budget }) => [
    ...OTHER_PAIRS.map(
      (pair): Question => ({
        key: `ioi-tiny-${players.replace(',', '-')}-pair-${pair}`,
        title: `ioi-tiny, ${players}, pair ${pair}, ${budget} masks`,
        model: 'ioi-tiny',
        prompts: pairs(pair, pair),
        players,
        budget,
        knockOuts: 1,
        methods: RIVALS,
      }),
    ),
    {
      key: `ioi-tiny-${players.replace(',', '-')}-judged-by-others`,
      title: `ioi-tiny, ${players}, found on pairs 3 to 6, judged on 7 to 10, ${budget} masks`,
      model: 'ioi-tiny',
      prompts: pairs(3, 6),
      judge: pairs(7, 10),
      players,
      budget,
      knockOuts: 1,
      methods: RIVALS,
    } satisfies Question,
  ]),
  ...(['induction-2l-h2-spare', 'induction-2l-h4'] as const).map(
    (model): Question => ({
      key: `${model}-edges`,
      title: `${model}, edges, 192 masks`,
      model,
      prompts: { from: 0, to: 4 },
      players: 'edges',
      budget: 192,
      knockOuts: 1,
      methods: RIVALS,
    }),
  ),
  ...(['greater-than', 'capitals', 'docstring', 'induction'] as const).map(
    (task): Question => ({
      key: `smollm2-heads-${task}`,
      title: `SmolLM2, heads, ${task}, 192 masks`,
      model: 'smollm2',
      prompts: task,
      players: 'heads',
      budget: 192,
      knockOuts: 1,
      methods: RIVALS.filter((name) => name !== 'spectrum'),
    }),
  ),
  {
    key: 'smollm2-heads-judged-by-others',
    title: 'SmolLM2, heads, ioi, found on one pair, judged on three others, 192 masks',
    model: 'smollm2',
    prompts: 'ioi',
    judge: 3,
    players: 'heads',
    budget: 192,
    knockOuts: 1,
    methods: RIVALS,
  },
];
