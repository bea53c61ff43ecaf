/**
 * The best answer that the masks allow: every candidate is judged on rows that it did not fit, the best that has interactions and
 * first order are fitted on all of them, and each has a share of the answer by its chance to predict better (mixture.ts).
 *
 * Candidates stand in one list, CANDIDATES. Where first order is surely better the answer is first order alone, and where it leaves
 * nothing to explain the others are not tried. More masks can only help: what a larger candidate cannot do with them, a simpler one
 * still can.
 */
import type { Masks } from '../masks.ts';
import type { Evidence } from '../solver.ts';
import { toMeasure } from '../spectrum/measure.ts';
import { floatFloor } from '../spectrum/noise.ts';
import { scoreR2, squaredError } from '../spectrum/regression/folds.ts';
import type { FourierSpectrum } from '../spectrum/spectrum.ts';
import { scaled, summed } from '../spectrum/summed.ts';
import { splitEnds, type Split } from './end-masks.ts';
import { evidenceOf, type Judge } from './evidence.ts';
import { fitAdditive } from './first-order.ts';
import { createPace, runProxySpex, trivialFit, type ProxySpexOptions } from './fit.ts';
import { mergeRepeats } from './measured.ts';
import { shareOfRicher } from './mixture.ts';
import { MOST_MASKS, MOST_PLAYERS } from './process/gaussian-process.ts';
import { MOST_INFLUENCE_MASKS } from './process/influence-process.ts';
import { runStack } from './stack.ts';
import { stackTrial, type Beside } from './stack-trial.ts';
import { bestOf, taken } from './taken.ts';
import type { Pace } from './trees/tune.ts';

/** What a contender answers in the end. */
export interface Answer {
  readonly spectrum: FourierSpectrum;
  readonly evidence: Evidence;
  readonly kind: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** An answer that is judged before it is made. */
export interface Contender {
  /** What the solution's solver is called when it wins. */
  readonly name: string;
  /** 0 = no interactions. */
  readonly complexity: 0 | 1;
  /** The name of a contender that it is a mixture with, by weights that were judged too: that one then stands back. */
  readonly mixes?: string | undefined;
  /** Predictions of the sample, each row by a fit without it. */
  readonly outOfSample: Float64Array;
  /** Standard errors by which it has to be ahead of what is taken without any such contender; default: none. */
  readonly lead?: number | undefined;
  /** Stricter predictions, asked unless it is far ahead of first order. */
  readonly confirm?: (() => Promise<Float64Array>) | undefined;
  /** Its spectrum, where that is known before it wins: it can then stand judge over another's terms. */
  readonly spectrum?: FourierSpectrum | undefined;
  /** The fit on everything; `judges` are all that may stand for the evidence (evidence.ts). */
  answer(judges: readonly Judge[]): Promise<Answer>;
}

/** One way to answer, or several that share their work. */
export interface Candidate {
  readonly names: readonly string[];
  /** Why it does not take part, e.g. that it would take minutes. */
  passes(split: Split): string | undefined;
  /** Why it is given up after a trial beside the best contender so far, where it takes so long that a trial pays. */
  trial?:
    | ((split: Split, best: Beside, options: ProxySpexOptions, pace: Pace) => Promise<string | undefined>)
    | undefined;
  contend(split: Split, options: ProxySpexOptions, pace: Pace): Promise<readonly Contender[]>;
}

export interface BestOptions extends ProxySpexOptions {
  /** Standard errors granted to the answer with interactions; default LEANING (mixture.ts). */
  readonly leaning?: number | undefined;
}

/** The answer that was made of the contenders, and how all of them predicted. */
export interface BestFit extends Answer {
  /** 'first order', 'proxyspex' or 'stack': of a mixture what has the interactions. */
  readonly solver: string;
  /** As Contender.complexity; 0 = no interactions. */
  readonly complexity: 0 | 1;
  /** The out-of-sample scores that decided. */
  readonly why: string;
}

/** Players x masks of a stack beyond its processes: above, growing parities takes minutes. */
const MOST_CELLS = 2e6;

/** Single players alone. */
export const additiveCandidate: Candidate = {
  names: ['first order'],
  passes: () => undefined,
  async contend(split, options, pace) {
    await pace('first order', 0, 1);
    const { sample, values } = split;
    const floor = options.floor ?? floatFloor(values);
    const fit = fitAdditive(split, { seed: options.seed, endMasks: options.endMasks, floor });
    await pace('first order', 1, 1);
    const { outOfSample, spectrum: fair, ...details } = fit;
    const spectrum = toMeasure(fair, options.keep);
    return [
      {
        name: 'first order',
        complexity: 0,
        outOfSample,
        spectrum,
        answer: async (judges) => ({
          spectrum,
          evidence: evidenceOf(spectrum, sample, values, [{ spectrum, outOfSample }, ...judges], floor),
          kind: details.method,
          details: { ...details, r2: scoreR2(values, squaredError(values, outOfSample)) },
        }),
      },
    ];
  },
};

/** ProxySPEX, alone where a stack would take too long. */
export const proxyspexCandidate: Candidate = {
  names: ['proxyspex'],
  passes: (split) => (slowStack(split) ? undefined : 'the stack judges it too'),
  async contend(split, options, pace) {
    const run = await runProxySpex(split, options, pace);
    return [
      {
        name: 'proxyspex',
        complexity: 1,
        outOfSample: run.outOfSample,
        async answer(judges) {
          const { spectrum, evidence, kind, ...details } = await run.finish(judges);
          return { spectrum, evidence, kind, details };
        },
      },
    ];
  },
};

/** The stack, and ProxySPEX as the trees in it. */
export const stackCandidate: Candidate = {
  names: ['proxyspex', 'stack'],
  passes: (split) =>
    slowStack(split)
      ? `a stack of ${split.sample.players} players x ${split.measured.masks.count} masks would take minutes`
      : undefined,
  trial: stackTrial,
  async contend(split, options, pace) {
    const run = await runStack(split, options, pace);
    return (['trees', 'stack'] as const)
      .filter((kind) => kind === 'trees' || run.stacked)
      .map((kind) => ({
        name: kind === 'trees' ? 'proxyspex' : 'stack',
        complexity: 1 as const,
        mixes: kind === 'stack' ? 'proxyspex' : undefined,
        outOfSample: run[kind],
        confirm: kind === 'stack' ? run.confirm : undefined,
        async answer(judges) {
          const { spectrum, evidence, kind: won, ...details } = await run.finish(kind, judges);
          return { spectrum, evidence, kind: won, details };
        },
      }));
  },
};

/** Simplest first; all that `auto` fits on uniform masks. */
export const CANDIDATES: readonly Candidate[] = [additiveCandidate, proxyspexCandidate, stackCandidate];

/** Whether the stack would take minutes. */
export function slowStack({ sample, measured }: Split): boolean {
  const [players, masks] = [sample.players, measured.masks.count];
  if (players <= MOST_PLAYERS && masks <= MOST_MASKS) return false;
  return players * masks > MOST_CELLS || masks > MOST_INFLUENCE_MASKS;
}

/**
 * The best of `candidates` on (masks, values) by rows that were not fitted.
 * @throws 'input' on values that are not finite or fewer distinct masks than folds; 'aborted' on the signal.
 */
export async function fitBest(
  masks: Masks,
  values: ArrayLike<number>,
  options: BestOptions = {},
  candidates: readonly Candidate[] = CANDIDATES,
): Promise<BestFit> {
  const measured = mergeRepeats('auto', masks, values);
  const trivial = trivialFit(measured, options);
  if (trivial !== undefined)
    return { solver: 'proxyspex', complexity: 0, ...trivial, details: {}, why: 'no fit was needed' };
  const split = splitEnds(measured, options.endMasks);
  const floor = options.floor ?? floatFloor(split.values);
  const pace = createPace('auto', options);
  const contenders: Contender[] = [];
  const notes: string[] = [];
  for (const candidate of candidates) {
    const passes = candidate.passes(split);
    if (passes !== undefined) {
      if (candidate !== proxyspexCandidate) notes.push(passes);
      continue;
    }
    const best = bestOf(
      contenders.filter(({ complexity }) => complexity > 0),
      split.values,
    );
    const lost = best && (await candidate.trial?.(split, best, options, pace));
    if (lost !== undefined) {
      notes.push(lost);
      continue;
    }
    contenders.push(...(await candidate.contend(split, options, pace)));
    if (contenders.some(({ outOfSample }) => rmse(split.values, outOfSample) <= floor)) {
      notes.push('it leaves nothing but rounding, so no other was tried');
      break;
    }
  }
  const judges = contenders.flatMap(({ spectrum, outOfSample }) =>
    spectrum === undefined ? [] : [{ spectrum, outOfSample }],
  );
  const scores = contenders.map(
    ({ name, outOfSample }) => `${name} ${scoreR2(split.values, squaredError(split.values, outOfSample)).toFixed(4)}`,
  );
  const simple = await taken(
    contenders.filter(({ complexity }) => complexity === 0),
    split.values,
  );
  const rich = await taken(
    contenders.filter(({ complexity, name }) => complexity > 0 && contenders.every(({ mixes }) => mixes !== name)),
    split.values,
  );
  const share =
    simple !== undefined && rich !== undefined
      ? await shareOfRicher(split.values, simple.outOfSample, rich, options.leaning)
      : Number(rich !== undefined);
  const winner = (share > 0 ? rich : simple) as Contender;
  const whole = share === 0 || share === 1;
  if (!whole)
    notes.unshift(`${(100 * share).toFixed(0)} % of the answer is ${rich?.name}'s, the rest ${simple?.name}'s`);
  return {
    solver: winner.name,
    complexity: winner.complexity,
    ...(whole
      ? await winner.answer(judges)
      : await mixtureOf(simple as Contender, rich as Contender, share, judges, split, options)),
    why: [`out-of-sample R²: ${scores.join(', ')}`, ...notes].join('; '),
  };
}

/** (1 - share) · simple + share · rich. */
async function mixtureOf(
  simple: Contender,
  rich: Contender,
  share: number,
  judges: readonly Judge[],
  { sample, values }: Split,
  { maxTerms = 20_000, keep, floor }: BestOptions,
): Promise<Answer> {
  const [less, more] = [await simple.answer(judges), await rich.answer(judges)];
  const outOfSample = rich.outOfSample.map((value, row) => simple.outOfSample[row] * (1 - share) + value * share);
  const terms = [...scaled(less.spectrum.terms, 1 - share), ...scaled(more.spectrum.terms, share)];
  const spectrum = summed(sample.players, terms, maxTerms, keep);
  return {
    spectrum,
    evidence: evidenceOf(spectrum, sample, values, [{ spectrum, outOfSample }, ...judges], floor),
    kind: more.kind,
    details: {
      ...more.details,
      mixed: { [simple.name]: 1 - share, [rich.name]: share },
      r2: scoreR2(values, squaredError(values, outOfSample)),
    },
  };
}

function rmse(values: Float64Array, predicted: Float64Array): number {
  return Math.sqrt(squaredError(values, predicted) / values.length);
}
