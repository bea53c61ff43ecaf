/**
 * What a stack is made of: each member's predictions of rows it did not fit, and its final answer.
 */
import { selectRows, type Masks } from '../masks.ts';
import { mean, squaredError } from '../spectrum/regression/folds.ts';
import { parityColumns } from '../spectrum/regression/parity-columns.ts';
import { ridge, ridgeSpectrum, spectrumFrom } from '../spectrum/regression/ridge.ts';
import { evaluate, type FourierSpectrum } from '../spectrum/spectrum.ts';
import { express } from './candidates.ts';
import type { Admitted } from './end-masks.ts';
import { MOST_SINGLES } from './first-order.ts';
import type { Judged } from './fit.ts';
import {
  crossFittedGp,
  fitGp,
  MOST_COUPLINGS,
  MOST_MASKS,
  MOST_PLAYERS,
  processAt,
} from './process/gaussian-process.ts';
import { growParities, seedsOfTrees, smallSets, tuneParities, type TunedParities } from './parities/greedy-parities.ts';
import {
  chooseScalars,
  fitInfluenceProcess,
  MOST_INFLUENCE_MASKS,
  type InfluenceProcess,
} from './process/influence-process.ts';
import type { PlainAnswer } from './process/plain-answer.ts';
import { treeFourier } from './trees/tree-fourier.ts';
import { predict, type Ensemble } from './trees/tree.ts';
import type { Pace } from './trees/tune.ts';

export interface Member {
  readonly name: 'process' | 'process with amplitude' | 'influence process' | 'trees' | 'parities' | 'first order';
  /** Out-of-sample R² of the member alone. */
  readonly r2: number;
  readonly weight: number;
  /** Share of its variance that its listed terms hold, where a beam lists them and it has weight. */
  readonly energyKept?: number | undefined;
}

/**
 * A spectrum, of which a beam may have listed but the share `energyKept`; or (up to 20 players) its values on all masks in counting
 * order.
 */
export type Answer =
  | { readonly table: Float64Array }
  | { readonly spectrum: FourierSpectrum; readonly energyKept?: number };

/** What the stack needs of a member. */
export interface Fitted {
  readonly name: Member['name'];
  /** Of the rows of the sample, each by a fit without it. */
  readonly outOfSample: Float64Array;
  /** The same by fits that had no part of the row in their parameters either, where outOfSample had. */
  readonly confirm?: (() => Float64Array) | undefined;
  /** Of one mask that is not in the sample. */
  readonly predict: (mask: Masks) => number;
  /** Fitted on the sample and the end masks let in. */
  readonly final: (admitted: Admitted) => Answer;
}

/**
 * The exact processes: both where 2^n values can be tabled, the plain one up to MOST_COUPLINGS players, its expansion by a beam;
 * none beyond, or beyond MOST_MASKS masks.
 */
export async function processes(judged: Judged, maxTerms: number, pace: Pace): Promise<Fitted[]> {
  const { sample, values, folds } = judged;
  if (sample.players > MOST_COUPLINGS || sample.count > MOST_MASKS) return [];
  if (sample.players > MOST_PLAYERS) return [await wideProcess(judged, maxTerms, pace)];
  const members: Fitted[] = [];
  for (const [k, kind] of (['plain', 'amplitude'] as const).entries()) {
    await pace('process', k, 2);
    const process = fitGp(sample, values, kind);
    const table = process.table();
    members.push({
      name: kind === 'plain' ? 'process' : 'process with amplitude',
      outOfSample: process.leaveOneOut,
      confirm: () => crossFittedGp(sample, values, kind, folds),
      predict: (mask) => table[mask.words[0]],
      final: (admitted) => ({
        table:
          admitted.masks.count === sample.count
            ? table
            : processAt(admitted.masks, admitted.values, process.parameters).table(),
      }),
    });
  }
  await pace('process', 2, 2);
  return members;
}

async function wideProcess({ sample, values, folds }: Judged, maxTerms: number, pace: Pace): Promise<Fitted> {
  await pace('process', 0, 1);
  const process = fitGp(sample, values, 'plain');
  await pace('process', 1, 1);
  const answer = process.answer();
  return {
    name: 'process',
    outOfSample: process.leaveOneOut,
    confirm: () => {
      const unseen = new Float64Array(sample.count);
      for (const { train, held } of folds) {
        const own = fitGp(
          selectRows(sample, train),
          Float64Array.from(train, (row) => values[row]),
          'plain',
        );
        own
          .answer()
          .predict(selectRows(sample, held))
          .forEach((value, k) => (unseen[held[k]] = value));
      }
      return unseen;
    },
    predict: (mask) => answer.predict(mask)[0],
    final: (admitted) =>
      listed(
        admitted.masks.count === sample.count
          ? answer
          : processAt(admitted.masks, admitted.values, process.parameters).answer(),
        maxTerms,
      ),
  };
}

/** What a beam lists of a process, and the share of its variance that this holds. */
function listed(answer: PlainAnswer, maxTerms: number): Answer {
  const spectrum = answer.spectrum(maxTerms);
  const held = spectrum.terms.reduce((sum, { members, value }) => (members.length === 0 ? sum : sum + value ** 2), 0);
  return { spectrum, energyKept: Math.min(1, held / (answer.variance() || 1)) };
}

/** The trees, with what cross-validation does best to them: ProxySPEX itself. */
export function treeMember(
  { tuning, chosen, outOfFold, express: options }: Judged,
  grow: (admitted: Admitted) => Ensemble,
): Fitted {
  return {
    name: 'trees',
    outOfSample: outOfFold,
    predict: (mask) => mean(tuning.models.map((model) => predict(model, mask)[0])),
    final: (admitted) => ({
      spectrum: express(grow(admitted), admitted.masks, admitted.values, chosen, options).spectrum,
    }),
  };
}

/** The parities, with what the chain goes on from. */
interface ParityMember extends Fitted {
  /** Of every fold, fitted without its held rows. */
  readonly models: readonly FourierSpectrum[];
  readonly final: (admitted: Admitted) => { readonly spectrum: FourierSpectrum };
}

/**
 * Greedy parities seeded by the trees, each fold's by its own; and, where that predicts unseen rows better, by every small set too. A
 * triple none of whose pairs and singles matters is reached by neither heredity nor, always, by trees: then more masks may find less.
 */
export async function parityMember(
  { sample, values: y, folds, tuning }: Judged,
  grow: (admitted: Admitted) => Ensemble,
  pace: Pace,
): Promise<ParityMember> {
  const small = smallSets(sample.players);
  const tuneWith = (extra: readonly (readonly number[])[]): ReturnType<typeof tuneParities> =>
    tuneParities(sample, y, folds, (f) => [...seedsOfTrees(treeFourier(tuning.models[f])), ...extra], pace);
  const errorOf = (tuned: TunedParities): number => squaredError(y, tuned.outOfFold);
  const narrow = await tuneWith([]);
  const wide = small.length === 0 ? narrow : await tuneWith(small);
  const wider = errorOf(wide) < errorOf(narrow);
  const { terms, outOfFold, models } = wider ? wide : narrow;
  const extra = wider ? small : [];
  let known: { admitted: Admitted; spectrum: FourierSpectrum } | undefined;
  return {
    name: 'parities',
    models,
    outOfSample: outOfFold,
    predict: (mask) => mean(models.map((model) => evaluate(model, mask)[0])),
    final(admitted) {
      if (known?.admitted !== admitted)
        known = {
          admitted,
          spectrum: growParities(
            admitted.masks,
            admitted.values,
            [...seedsOfTrees(treeFourier(grow(admitted))), ...extra],
            terms,
          ),
        };
      return known;
    },
  };
}

/** Single players alone, by ridge: where nothing interacts, nothing beats it. */
export function firstOrderMember({ sample, values }: Judged): Fitted | undefined {
  if (sample.players > MOST_SINGLES) return undefined;
  const singles = Array.from({ length: sample.players }, (_, i) => [i]);
  const { looResiduals, coefficients, intercept } = ridge(parityColumns(sample, singles), values);
  const spectrum = spectrumFrom(sample.players, singles, coefficients, intercept);
  return {
    name: 'first order',
    outOfSample: values.map((value, row) => value - looResiduals[row]),
    predict: (mask) => evaluate(spectrum, mask)[0],
    final: (admitted) => ({
      spectrum:
        admitted.masks.count === sample.count
          ? spectrum
          : ridgeSpectrum(admitted.masks, admitted.values, singles).spectrum,
    }),
  };
}

/** A process whose couplings follow the parities' influences; each fold's follow those of the fold. */
export async function influenceMember(
  { sample, values, folds }: Judged,
  parities: ParityMember,
  maxTerms: number,
  pace: Pace,
): Promise<Fitted | undefined> {
  if (sample.count > MOST_INFLUENCE_MASKS) return undefined;
  await pace('influence process', 0, folds.length + 1);
  const scalars = chooseScalars(sample, values, parities.models[0]);
  const outOfSample = new Float64Array(sample.count);
  const processes: InfluenceProcess[] = [];
  for (const [f, { train, held }] of folds.entries()) {
    await pace('influence process', f + 1, folds.length + 1);
    const process = fitInfluenceProcess(
      selectRows(sample, train),
      Float64Array.from(train, (row) => values[row]),
      parities.models[f],
      scalars,
    );
    process.predict(selectRows(sample, held)).forEach((value, k) => (outOfSample[held[k]] = value));
    processes.push(process);
  }
  return {
    name: 'influence process',
    outOfSample,
    predict: (mask) => mean(processes.map((process) => process.predict(mask)[0])),
    final: (admitted) =>
      listed(
        fitInfluenceProcess(admitted.masks, admitted.values, parities.final(admitted).spectrum, scalars),
        maxTerms,
      ),
  };
}
