/** What is wrong with a question about a text that its pilot found broken, in words. */
import type { AbsenceChoice } from './choose-absence.ts';
import type { TextValue } from './text-values.ts';

export interface BrokenText {
  /** One paragraph with the pilot's numbers, and what to ask instead. */
  readonly text: string;
  /** Instead of it, where the answer predicts what the pilot took for nothing; R² follows. */
  readonly ifPredicted?: string;
}

/** Undefined for a sound question. */
export function brokenText({ pilot, absence }: AbsenceChoice, value: Pick<TextValue, 'name'>): BrokenText | undefined {
  const { clean, ablated, half, verdict } = pilot;
  const number = (each: number): string => each.toFixed(2);
  const ends = `The ${value.name} is ${number(clean)} with the whole text and ${number(ablated)} with every part absent (${absence.name})`;
  const halves = `with random halves of the parts it is ${number(half.mean)}, spread ${number(half.sd)}`;
  switch (verdict) {
    case 'sound':
      return undefined;
    case 'no better':
      return {
        text: `${ends}: the text is worth no more than its absence, so there is nothing to take apart. Ask for an answer that the text makes likelier, or contrast it with another one.`,
      };
    case 'no range':
      return {
        text: `${ends}, and ${halves}: the two ends differ by less than any change does, a weak question. Contrast the answer with another one, or ask what the text decides.`,
      };
    case 'broken at half':
      return {
        text: `${ends}, and ${halves}: half of the parts gone is worth what none is. Use another absence, larger parts (sentences), or keep what the answer needs (a template).`,
        ifPredicted: `${ends}, and ${halves}: on average half of the parts gone is worth what none is. What single halves are worth is predicted all the same, with`,
      };
    default:
      return verdict satisfies never;
  }
}
