/**
 * What a reader has to know before the answer: that it predicts nothing, that its interactions add nothing, that its circuit is none.
 *
 * Every finding is one sentence with its numbers, to stand where the answer would. No findings: the evidence carries it.
 */
import type { R2Interval } from '../spectrum/r2.ts';
import type { FourierSpectrum } from '../spectrum/spectrum.ts';
import type { Circuit } from './find-circuit.ts';

/** What a reader has to know before the answer, in a sentence. */
export interface Finding {
  /**
   * little left: half of the players keep little of the metric, and yet what they keep is predicted. broken question: a pilot shows
   * that no answer can be had (pilot.ts). one prompt: what merely favours its answer looks like a part of the task. answer without a
   * space: another token than a text goes on with. narrowed: the measure that it holds in (attribution/narrow.ts). seed noise: what no
   * answer can predict (lens/examples/seed-noise.ts). predicts nothing: R² on masks that were not fitted is not above 0; no value,
   * interaction or circuit is an answer then. no better than first order: interactions are named, and do not predict better than none.
   * circuit: see its verdict.
   */
  readonly kind:
    | 'broken question'
    | 'one prompt'
    | 'answer without a space'
    | 'little left'
    | 'narrowed'
    | 'seed noise'
    | 'predicts nothing'
    | 'no better than first order'
    | 'circuit';
  readonly text: string;
}

/** A finding that is made before the answer is there; `ifPredicted` is what is said instead where the answer shows it wrong. */
export interface Doubt extends Finding {
  readonly ifPredicted?: string | undefined;
}

/** R² whose lower bound shows that there was something to predict. */
const PREDICTS = 0.5;
/** That bound from a part of the masks, above which all of them may show it. */
const PROMISES = PREDICTS / 2;

/** Whether an answer by a part of the masks leaves hope that all of them settle the doubts. */
export function isPromising(doubts: readonly Doubt[], { low }: Pick<R2Interval, 'low'>): boolean {
  return (
    low > PROMISES && doubts.every(({ kind, ifPredicted }) => kind !== 'broken question' || ifPredicted !== undefined)
  );
}

/**
 * The doubts as findings, now that the answer was scored: a pilot of thirty masks takes little left with half of the players for
 * nothing left, and an answer that predicts the values there shows that it was not; 'exact' has them all. `trial`: the masks that a
 * broken question got, where they were not all.
 */
export function settleDoubts(
  doubts: readonly Doubt[],
  heldOut: Pick<R2Interval, 'r2' | 'low'> | 'exact' | undefined,
  trial?: { readonly budget: number; readonly heldOut: number },
): Finding[] {
  const scored = heldOut === 'exact' ? undefined : heldOut;
  const spent =
    trial === undefined || scored === undefined
      ? ''
      : ` Of the masks ${trial.budget} were fitted and ${trial.heldOut} held out: R² ${scored.r2.toFixed(3)}, at least ${scored.low.toFixed(3)}. Insist has all.`;
  const predicted =
    heldOut === 'exact'
      ? 'R² 1: every mask was measured.'
      : heldOut !== undefined && heldOut.low > PREDICTS
        ? `R² ${heldOut.r2.toFixed(3)} on masks that were not fitted.`
        : undefined;
  return doubts.map(({ kind, text, ifPredicted }) =>
    ifPredicted !== undefined && predicted !== undefined
      ? { kind: 'little left', text: `${ifPredicted} ${predicted}` }
      : { kind, text: kind === 'broken question' ? text + spent : text },
  );
}

/** What is judged of a scored solution. */
export interface Scored {
  readonly solution: { readonly solver: string; readonly exact: boolean; readonly spectrum: FourierSpectrum };
  /** Absent where the answer is exact, or nothing was held out. */
  readonly heldOut:
    | (R2Interval & {
        readonly firstOrder: R2Interval;
        /** R² above that of the first order, compared mask by mask. */
        readonly gain?: Pick<R2Interval, 'low' | 'high'> | undefined;
      })
    | undefined;
}

/** The findings of an answer and its circuit, the most serious first. */
export function judge({ solution, heldOut }: Scored, circuit?: Circuit): Finding[] {
  const findings: Finding[] = [];
  if (heldOut !== undefined) {
    const { masks, firstOrder } = heldOut;
    const interacts = solution.spectrum.terms.some(({ members, value }) => members.length > 1 && value !== 0);
    const gain = heldOut.gain?.low ?? heldOut.low - firstOrder.high;
    if (heldOut.low <= 0)
      findings.push({
        kind: 'predicts nothing',
        text: `On ${masks} masks that were not fitted the answer's R² is ${interval(heldOut)}, not above 0: it predicts the metric no better than its mean does, so none of its parts are claimed. Measure more masks, or ask what the model can answer (another ablation, corrupted prompts, masks that keep more).`,
      });
    else if (interacts && gain <= 0)
      findings.push({
        kind: 'no better than first order',
        text: `On ${masks} masks that were not fitted the answer with interactions has R² ${interval(heldOut)}, first order alone ${interval(firstOrder)}: that the interactions matter is not shown.`,
      });
  }
  if (circuit !== undefined && circuit.verdict.kind !== 'found')
    findings.push({ kind: 'circuit', text: `No circuit (${circuit.verdict.kind}): ${circuit.verdict.why}.` });
  return findings;
}

function interval({ r2, low, high }: R2Interval): string {
  return `${r2.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
}
