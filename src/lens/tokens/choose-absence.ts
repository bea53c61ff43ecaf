/**
 * Which absence to ask with, where the user does not say: those that the prompt allows, in the order of how much of a text they
 * leave, the first whose pilot is sound.
 *
 * A corrupted prompt's tokens are text that a model knows; a shorter text is one too; where nobody attends, or a mean stands,
 * is a place that no model was trained on. A masked-LM model was trained on its mask token, which goes first there.
 */
import type { OnProgress } from '../../game.ts';
import { pilot, type Pilot } from '../../pilot.ts';
import { ABSENCES, type Absence, type AbsenceContext, type StandIn } from './absences.ts';
import { createPromptGame, type PromptGameOptions } from './prompt-game.ts';

export interface TriedAbsence {
  readonly ablation: string;
  readonly pilot: Pilot;
}

export interface AbsenceChoice {
  readonly absence: Absence;
  readonly standIn: StandIn;
  /** The chosen one's. */
  readonly pilot: Pilot;
  /** One sentence: why this one. */
  readonly why: string;
  readonly tried: readonly TriedAbsence[];
  /** Forward rows that all pilots took. */
  readonly rows: number;
}

export interface AbsenceChoiceOptions {
  readonly seed: number;
  /** The only one to look at, where the user says which. */
  readonly asked?: Absence | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** The absence to use, by pilots of some thirty masks each. */
export async function chooseAbsence(
  context: AbsenceContext,
  options: Omit<PromptGameOptions, 'standIn'>,
  { seed, asked, signal, onProgress }: AbsenceChoiceOptions,
): Promise<AbsenceChoice> {
  const tried: (TriedAbsence & { readonly absence: Absence; readonly standIn: StandIn })[] = [];
  let rows = 0;
  for (const absence of asked === undefined ? candidatesFor(context) : [asked]) {
    const standIn = absence.open(context);
    const game = createPromptGame(context.model, { ...options, standIn });
    try {
      const better = options.value.moreIsBetter ? 1 : -1;
      const tested = await pilot(game, { seed, better, signal, onProgress });
      tried.push({ ablation: absence.name, pilot: tested, absence, standIn });
      rows += tested.masks * (game.rowsPerMask ?? 1);
    } finally {
      game[Symbol.dispose]();
    }
    if (tried[tried.length - 1].pilot.verdict === 'sound') break;
  }
  const sound = tried.findIndex(({ pilot: { verdict } }) => verdict === 'sound');
  const most = tried.reduce((best, { pilot: each }, k) => (each.left > tried[best].pilot.left ? k : best), 0);
  const chosen = tried[sound >= 0 ? sound : most];
  return {
    absence: chosen.absence,
    standIn: chosen.standIn,
    pilot: chosen.pilot,
    why: asked === undefined ? whyOf(tried, chosen, sound >= 0) : 'asked for',
    tried: tried.map(({ ablation, pilot: each }) => ({ ablation, pilot: each })),
    rows,
  };
}

/** What the prompt allows, the gentlest first. */
function candidatesFor({ model, played, corrupted }: AbsenceContext): Absence[] {
  const removable = played.owners.includes(-1); // else a row would be empty
  return [
    ...(corrupted === undefined ? [] : [ABSENCES.resample]),
    ...(model.config.mlmHead === true ? [ABSENCES.mask] : []),
    ...(removable ? [ABSENCES.remove] : []),
    ABSENCES.attention,
    ABSENCES.mean,
  ];
}

function whyOf(tried: readonly TriedAbsence[], chosen: TriedAbsence, sound: boolean): string {
  const said = ({ ablation, pilot: { left, verdict } }: TriedAbsence): string =>
    `${ablation} leaves ${(100 * left).toFixed(0)} % of the value's range with half of the parts${verdict === 'sound' ? '' : ` (${verdict})`}`;
  const others = tried.filter((each) => each !== chosen).map(said);
  const all = [said(chosen), ...others].join('; ');
  return sound ? all : `none that the prompt allows is sound; ${all}`;
}
