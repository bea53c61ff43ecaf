/** Graphs in EAP-IG's and MIB's JSON: a circuit written as one, and the scores of one as a ranking beside the circuit's. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { spectrumOfRanking } from '../../src/attribution/rankings.ts';
import {
  eapGraphOf,
  importancesOf,
  parseEapGraph,
  type EapGraph,
  type EapGraphOptions,
  type EapShape,
} from '../../src/circuit/eap-graph.ts';
import { fail } from '../../src/errors.ts';
import { parseModelPlayers } from '../../src/lens/components/model-game.ts';
import { kvHeads } from '../../src/model/config.ts';
import { layoutOf } from '../../src/model/layout.ts';
import type { Model } from '../../src/model/model.ts';
import type { Result } from '../../src/report/result.ts';
import type { FourierSpectrum } from '../../src/spectrum/spectrum.ts';
import { writeFile } from '../files.ts';

/** A model's shape, as a graph states it. */
export function shapeOf({ config }: Model): EapShape {
  return {
    n_layers: config.nLayers,
    n_heads: config.nHeads,
    parallel_attn_mlp: layoutOf(config).parallel,
    d_model: config.dModel,
    ...(config.dMlp === 0 ? { attn_only: true } : {}),
  };
}

/** Query heads that read one key/value head: a graph has keys and values of each. */
export function sharingOf({ config }: Model): EapGraphOptions {
  return { shared: config.attention.ungrouped === true ? 1 : config.nHeads / kvHeads(config) };
}

/** Writes the circuit of `result`, its players' Banzhaf values as scores. @throws 'input' without a circuit, and for players that are no nodes. */
export function writeGraph(path: string, { players, values, circuit }: Result, model: Model): void {
  if (circuit === undefined) throw fail('input', '--graph', 'this run has no circuit to write.');
  const scores = values.map(({ banzhaf }) => banzhaf);
  saveGraph('--graph', path, eapGraphOf(shapeOf(model), players, scores, circuit.chosen.players, sharingOf(model)));
}

/** @throws 'input' in the name of `option` where the file cannot be written. */
export function saveGraph(option: string, path: string, graph: EapGraph): void {
  writeFile(option, path, `${JSON.stringify(graph)}\n`);
}

/**
 * The rankings of graph files over the players of a run, by their file's name.
 * @throws 'input' for a file that is no such graph, or is of another model.
 */
export function graphRankings(
  files: string,
  players: string,
  layers: readonly number[] | undefined,
  model: Model,
): Record<string, FourierSpectrum> {
  const parts = parseModelPlayers(players, model.config, { layers });
  return Object.fromEntries(
    files.split(',').map((file) => {
      const path = file.trim();
      const graph = graphFor(model, path, jsonOf('--beside', path));
      return [basename(path, '.json'), spectrumOfRanking({ scores: importancesOf(graph, parts, sharingOf(model)) })];
    }),
  );
}

/** The graph that the JSON of a file is. @throws 'input' where it is none, or is of another model. */
export function graphFor(model: Model, path: string, json: unknown): EapGraph {
  const graph = parseEapGraph(json, `graph ${path}`);
  const [theirs, ours] = [graph.cfg, shapeOf(model)];
  if (theirs.n_layers === ours.n_layers && theirs.n_heads === ours.n_heads) return graph;
  throw fail(
    'input',
    `graph ${path}`,
    `is of ${theirs.n_layers} layers of ${theirs.n_heads} heads; the model has ${ours.n_layers} of ${ours.n_heads}.`,
  );
}

/** JSON as Python writes it: NaN and Infinity are numbers that are not there. @throws 'input' in the name of `option`. */
export function jsonOf(option: string, path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw fail('input', option, `${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
  try {
    return JSON.parse(text.replace(/([:[,]\s*)-?(?:NaN|Infinity)(?=\s*[,\]}])/g, '$1null'));
  } catch {
    throw fail('input', option, `${path} is not JSON; a graph as EAP-IG writes it is needed.`);
  }
}
