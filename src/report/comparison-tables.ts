/** A comparison of circuit finders as tables. */
import type { ComparisonRecord } from './comparison-record.ts';
import { column, type Cell, type Column, type DataTable } from './data-tables.ts';

/**
 * `methods`, one row a method: method, cpr, cmd, auroc, size, faithfulness and players (of its circuit), incomplete, needless, masks,
 * forward, backward, seconds. `scores`, one row a method and player: method, player, score, helping and mattering (its place in the
 * method's two orders, from 1), in_circuit, in_truth. `curves`, one row a method and size: method, size, helping, mattering.
 */
export function comparisonTables({ methods, players, truth }: ComparisonRecord): DataTable[] {
  const namesOf = (list: readonly number[]): string => JSON.stringify(list.map((player) => players[player]));
  const known = truth === null ? undefined : new Set(truth);
  const scores = methods.flatMap(({ name, scores: own, helping, mattering, circuit }) => {
    const [helps, matters] = [helping, mattering].map((order) => new Map(order.map((player, k) => [player, k + 1])));
    const inside = new Set(circuit.players);
    return own.map((score, player) => ({
      name,
      player: players[player],
      score,
      helping: helps.get(player),
      mattering: matters.get(player),
      inside: inside.has(player),
      truth: known?.has(player),
    }));
  });
  const points = methods.flatMap(({ name, curve }) => curve.map((point) => ({ name, ...point })));
  const [ofMethod, ofScore, ofPoint] = [columnOf(methods), columnOf(scores), columnOf(points)];
  return [
    {
      name: 'methods',
      columns: [
        ofMethod('method', 'STRING', ({ name }) => name),
        ofMethod('cpr', 'DOUBLE', ({ cpr }) => cpr),
        ofMethod('cmd', 'DOUBLE', ({ cmd }) => cmd),
        ofMethod('auroc', 'DOUBLE', ({ auroc }) => auroc),
        ofMethod('size', 'INT32', ({ circuit }) => circuit.players.length),
        ofMethod('faithfulness', 'DOUBLE', ({ circuit }) => circuit.faithfulness),
        ofMethod('players', 'STRING', ({ circuit }) => namesOf(circuit.players)),
        ofMethod('incomplete', 'DOUBLE', ({ circuit }) => circuit.completeness.mean),
        ofMethod('needless', 'INT32', ({ circuit }) => circuit.minimality?.needless),
        ofMethod('masks', 'INT32', ({ masks }) => masks),
        ofMethod('forward', 'INT32', ({ forward }) => forward),
        ofMethod('backward', 'INT32', ({ backward }) => backward),
        ofMethod('seconds', 'DOUBLE', ({ seconds }) => seconds),
      ],
    },
    {
      name: 'scores',
      columns: [
        ofScore('method', 'STRING', ({ name }) => name),
        ofScore('player', 'STRING', ({ player }) => player),
        ofScore('score', 'DOUBLE', ({ score }) => score),
        ofScore('helping', 'INT32', ({ helping }) => helping),
        ofScore('mattering', 'INT32', ({ mattering }) => mattering),
        ofScore('in_circuit', 'BOOLEAN', ({ inside }) => inside),
        ofScore('in_truth', 'BOOLEAN', (row) => row.truth),
      ],
    },
    {
      name: 'curves',
      columns: [
        ofPoint('method', 'STRING', ({ name }) => name),
        ofPoint('size', 'INT32', ({ size }) => size),
        ofPoint('helping', 'DOUBLE', ({ helping }) => helping),
        ofPoint('mattering', 'DOUBLE', ({ mattering }) => mattering),
      ],
    },
  ];
}

/** Makes columns of `rows` by what each row has in them. */
function columnOf<T>(rows: readonly T[]): (name: string, type: Column['type'], cell: (row: T) => Cell) => Column {
  return (name, type, cell) => column(name, type, rows.map(cell));
}
