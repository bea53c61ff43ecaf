/** What is wrong with a question about a model's parts, in words: its pilot found it broken, or the model does not do it. */
import { isGuessing, type Behaviour } from '../behaviour.ts';
import type { Metric } from '../metrics.ts';
import type { Choice } from './choose-ablation.ts';

export interface Asked {
  readonly choice: Choice;
  /** Absent where no prompt has a right answer. */
  readonly behaviour: Behaviour | undefined;
  readonly metric: Pick<Metric, 'name' | 'needs'>;
  /** Whether halves are not asked for: then only they may break. */
  readonly narrow: boolean;
}

export interface Broken {
  /** One paragraph with the numbers, and what to ask instead. */
  readonly text: string;
  /** What is said instead where an answer predicts the values all the same, up to how well. */
  readonly ifPredicted?: string;
}

/** What is wrong; undefined for a sound question about what the model does. */
export function brokenText({ choice: { pilot, ablation }, behaviour, metric, narrow }: Asked): Broken | undefined {
  const { clean, ablated, half } = pilot;
  const number = (value: number): string => value.toFixed(2);
  const does =
    behaviour === undefined
      ? ''
      : ` The model gives the right answer on ${(100 * behaviour.accuracy).toFixed(0)} % of the prompts.`;
  const ends = `The metric is ${number(clean)} with everything kept and ${number(ablated)} with everything ablated (${ablation.name})`;
  const halves = `with random halves kept it is ${number(half.mean)}, spread ${number(half.sd)}`;
  switch (pilot.verdict) {
    case 'no better':
      return {
        text: `${ends}: keeping everything is no better than keeping nothing, so there is no behaviour to take apart.${does} Ask for something the model can do: other prompts, another answer, a task of \`spexlens tasks\`.`,
      };
    case 'no range':
      return {
        text: `${ends}, and ${halves}: the two ends differ by less than any change does, so a share of their difference means nothing.${does} Ask for something the model can do, or contrast it with another answer or corrupted prompt.`,
      };
    case 'broken at half': {
      const absent = absentText(behaviour, metric);
      if (narrow || absent !== undefined) return absent;
      return {
        text: `${ends}, and ${halves}: half of the parts gone is a broken model, whose values are noise around those of none. Use another ablation: resample with corrupted prompts (those of a task have them, and so has a pair of prompts whose answers are swapped), fewer players (some layers only), or ask around what matters (narrow).${does}`,
        ifPredicted: `${ends}, and ${halves}: little is left with half of the parts, so most masks show a model that hardly does this. What they show is predicted all the same, with`,
      };
    }
    case 'sound':
      return absentText(behaviour, metric);
    default:
      return pilot.verdict satisfies never;
  }
}

/** What a metric of right answers means where the model guesses: undefined where it does not, or none is asked for. */
function absentText(behaviour: Behaviour | undefined, { needs }: Asked['metric']): Broken | undefined {
  if (behaviour === undefined || needs.clean || !isGuessing(behaviour)) return undefined;
  const { accuracy, prompts, contrasts, rank, probability } = behaviour;
  const share = `${(100 * accuracy).toFixed(0)} % of ${prompts} prompt${prompts === 1 ? '' : 's'}`;
  const chance =
    contrasts === prompts
      ? 'no more than guessing between the two answers gives'
      : `and gives it rank ${rank}, probability ${probability.toPrecision(2)}`;
  return {
    text: `The model is right on ${share}, ${chance}: it does not do this, so no set of its parts can be what does. Ask for something the model can do: other prompts, another answer, a task of \`spexlens tasks\`.`,
  };
}
