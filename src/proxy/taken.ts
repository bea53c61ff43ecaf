/** Which of several contenders of one kind is taken, by their predictions of rows that they did not fit. */
import { squaredError } from '../spectrum/regression/folds.ts';
import { simplestOfBest } from './simplest-of-best.ts';

interface Judged {
  readonly outOfSample: Float64Array;
  /** Standard errors by which it has to be ahead of what is taken without any such contender. */
  readonly lead?: number | undefined;
  readonly confirm?: (() => Promise<Float64Array>) | undefined;
}

/** The first that is within half a standard error of the best; one that has to lead only where it does. Of several none may be flattered. */
export async function taken<T extends Judged>(contenders: readonly T[], values: Float64Array): Promise<T | undefined> {
  const fair = contenders.length > 1 ? await Promise.all(contenders.map((one) => confirmed(one))) : contenders;
  const other = firstOfBest(
    fair.filter(({ lead }) => lead === undefined),
    values,
  );
  const led = bestOf(
    fair.filter(({ lead }) => lead !== undefined),
    values,
  );
  if (led === undefined || other === undefined) return led ?? other;
  return firstOfBest([other, led], values, led.lead);
}

/** The one that predicted best, if there is any. */
export function bestOf<T extends Judged>(contenders: readonly T[], values: Float64Array): T | undefined {
  const errorOf = ({ outOfSample }: Judged): number => squaredError(values, outOfSample);
  return contenders.reduce<T | undefined>(
    (best, next) => (best === undefined || errorOf(next) < errorOf(best) ? next : best),
    undefined,
  );
}

function firstOfBest<T extends Judged>(contenders: readonly T[], values: Float64Array, within?: number): T | undefined {
  const rivals = contenders.map(({ outOfSample }, complexity) => ({ complexity, predicted: outOfSample }));
  return rivals.length === 0 ? undefined : contenders[simplestOfBest(values, rivals, within)];
}

/** With its stricter predictions, where it has any. */
async function confirmed<T extends Judged>(one: T): Promise<T> {
  return one.confirm === undefined ? one : { ...one, outOfSample: await one.confirm(), confirm: undefined };
}
