/**
 * From an explanation to the record: any game gets a result.json, a terminal story and a page from it.
 *
 * `facts` says what the game alone does not know: the model, the backend, the prompts, the units. All of it is
 * optional.
 */
import type { Circuit } from '../circuit/find-circuit.ts';
import { gradientCost, type Player } from '../game.ts';
import { layerOf } from '../place.ts';
import { aboutPlatform } from '../platform/about.ts';
import { directSubsetRate, energyByOrder, energySplit, staircaseRate } from '../spectrum/energy.ts';
import { banzhaf, shapley } from '../spectrum/indices.ts';
import type { FourierSpectrum } from '../spectrum/spectrum.ts';
import type { Explanation } from '../explain.ts';
import { VERSION } from '../version.ts';
import { capSpectrum, knownTerms, listInteractions, standardErrorsOf } from './interactions.ts';
import { RESULT_SCHEMA, type Result } from './result.ts';

/** What a reader is told of a game beside its numbers. */
export interface RecordFacts {
  /** What was taken apart; default the game's name. */
  readonly name?: string | undefined;
  readonly study?: Result['study'];
  readonly model?: Result['model'];
  readonly backend?: Result['backend'];
  readonly task?: Partial<Result['task']> | undefined;
  readonly behaviour?: Result['behaviour'];
  readonly pilot?: Result['pilot'];
  /** By player: the training examples it is. */
  readonly examples?: Result['examples'];
  readonly seedNoise?: Result['seedNoise'];
  /** By token of an answer: what it owes to the players. */
  readonly outputs?: Result['outputs'];
  /** The command that repeats the run, and every option with its default filled in. */
  readonly command?: string | undefined;
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  readonly startedAt?: Date | undefined;
  /** Threads that measured, where it was more than one. */
  readonly threads?: number | undefined;
}

/** Largest terms that the hierarchy rates look at. */
const HIERARCHY_TERMS = 200;

/** The record of an explained game. */
export function recordOf(explanation: Explanation, facts: RecordFacts = {}): Result {
  const { ledger, solution, settings, clean, ablated, heldOut, circuit, removal, directedRemoval, findings } =
    explanation;
  const { spectrum, evidence } = solution;
  const { players } = ledger;
  const [banzhafs, shapleys] = [banzhaf(spectrum), shapley(spectrum)];
  const known = knownTerms(spectrum, evidence);
  const errors = standardErrorsOf(spectrum, known);
  const values = players.map((_, i) => ({
    banzhaf: banzhafs[i],
    shapley: shapleys[i],
    ...present({ standardError: errors[i] }),
  }));
  const split = energySplit(
    spectrum,
    players.map(({ place }) => layerOf(place)),
  );
  return {
    schema: RESULT_SCHEMA,
    software: { name: 'spexlens', version: VERSION, ...aboutPlatform() },
    run: { command: facts.command ?? '', options: facts.options ?? {}, seed: settings.seed },
    name: facts.name ?? ledger.name,
    ...present({
      startedAt: facts.startedAt?.toISOString(),
      study: facts.study,
      model: facts.model,
      backend: facts.backend,
    }),
    task: { prompts: [], metric: ledger.name, units: '', ablation: '', players: 'players', ...facts.task },
    players: players.map(playerOf),
    ...present({ examples: facts.examples, seedNoise: facts.seedNoise, outputs: facts.outputs }),
    ...present({ behaviour: facts.behaviour, pilot: facts.pilot }),
    findings,
    clean,
    ablated,
    masks: masksOf(explanation, facts),
    solver: { name: solution.solver, masks: solution.masks, exact: solution.exact, details: solution.details },
    spectrum: capSpectrum(spectrum, undefined, known),
    ...present({ heldOut, adaptive: evidence?.adaptive }),
    energy: { ...split, byOrder: shares(spectrum, split.total) },
    hierarchy: {
      terms: HIERARCHY_TERMS,
      directSubsetRate: directSubsetRate(spectrum, HIERARCHY_TERMS),
      staircaseRate: staircaseRate(spectrum, HIERARCHY_TERMS),
    },
    values,
    interactions: listInteractions(spectrum, players, values, known),
    ...present({ circuit: circuit && circuitOf(circuit), removal, directedRemoval }),
    files: [],
  };
}

/** The circuit with its members' numbers and names: their places are the players'. */
function circuitOf(circuit: Circuit): Result['circuit'] {
  const members = circuit.members.map(({ player, name, necessity }) => ({ player, name, necessity }));
  return { ...circuit, members };
}

function playerOf({ name, place }: Player): Result['players'][number] {
  return { name, ...present({ layer: layerOf(place), place }) };
}

function masksOf({ ledger, settings, heldOut }: Explanation, { threads }: RecordFacts): Result['masks'] {
  const { differentiated, resumed, milliseconds, rowsPerMask = 1 } = ledger;
  const measured = ledger.measured + differentiated;
  const rows = (ledger.measured + gradientCost(ledger) * differentiated) * rowsPerMask;
  return {
    budget: settings.budget,
    measured,
    resumed,
    heldOut: heldOut?.masks ?? 0,
    forwardRows: rows,
    rowsPerSecond: milliseconds === 0 ? 0 : (1000 * rows) / milliseconds,
    seconds: milliseconds / 1000,
    ...present({ threads: threads === 1 ? undefined : threads }),
  };
}

function shares(spectrum: FourierSpectrum, total: number): { order: number; share: number }[] {
  return energyByOrder(spectrum)
    .map((energy, order) => ({ order, share: total === 0 ? 0 : energy / total }))
    .filter(({ order }) => order > 0);
}

/** The record without its undefined fields. */
function present<T extends Record<string, unknown>>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
