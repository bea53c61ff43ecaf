/** A game over parts of a model or over its edges, by its players: what everything that opens one for a user opens. */
import { fail } from '../../errors.ts';
import type { Player } from '../../game.ts';
import type { ModelConfig } from '../../model/config.ts';
import type { Model } from '../../model/model.ts';
import { createComponentGame, type ComponentGameOptions } from './component-game.ts';
import { nameParts, parsePlayers, playerAt, type ComponentPlayer, type PlayerScope } from './components.ts';
import { createEdgeGame, type EdgeGame } from './edges/edge-game.ts';
import { areEdges, edgePlayerAt, namesEdges, parseEdges, type EdgePlayer } from './edges/edge-players.ts';
import type { MaskedGame } from './masked-game.ts';

/** Parts, or edges; never both. */
export type ModelPlayers = readonly ComponentPlayer[] | readonly EdgePlayer[];

export interface ModelGameOptions extends Omit<ComponentGameOptions, 'players'> {
  readonly players: ModelPlayers;
}

export type ModelGame = MaskedGame<ComponentPlayer | EdgePlayer> & Pick<EdgeGame, 'slopesAlong'>;

/** The caller disposes it (the model stays the caller's). @throws as createComponentGame or createEdgeGame. */
export function createModelGame(model: Model, { players, ...options }: ModelGameOptions): ModelGame {
  if (!areEdges(players)) return createComponentGame(model, { ...options, players });
  const { tasks, metric, ablation, meanOver, batchSize, byteLimit, rescale = false, without = [] } = options;
  if (rescale)
    throw fail('input', 'rescale', 'makes up for heads that write nothing; cut edges leave every head. Leave it out.');
  if (without.length > 0)
    throw fail('input', 'edge game', `has no saving ${without.join(', ')} to switch off; games over parts have.`);
  return createEdgeGame(model, { players, tasks, metric, ablation, meanOver, batchSize, byteLimit });
}

/** Players by name, as parsePlayers or, where `text` names edges, parseEdges take them. */
export function parseModelPlayers(text: string, config: ModelConfig, scope: PlayerScope = {}): ModelPlayers {
  return namesEdges(text) ? parseEdges(text, config, scope) : parsePlayers(text, config, scope);
}

/** The players of places, as a study holds them. @throws 'input' for places that are neither all parts nor all edges. */
export function modelPlayersAt(players: readonly Player[]): ModelPlayers {
  const edges = players.some(({ place }) => place?.kind === 'edge' || place?.kind === 'edges');
  return edges ? players.map(edgePlayerAt) : players.map(playerAt);
}

/** What players are called together: `heads`, `edges`, `edges at single positions`, `groups of edges`. */
export function nameModelPlayers(players: ModelPlayers): string {
  if (!areEdges(players)) return nameParts(players);
  if (players.some(({ edges }) => edges.length > 1)) return 'groups of edges';
  return players.every(({ edges: [edge] }) => edge.position !== undefined) ? 'edges at single positions' : 'edges';
}
