/** Patching sweeps as a table. */
import { column, type Column, type DataTable } from './data-tables.ts';
import { patchEffects, patchPlace, type PatchRecord } from './patch-record.ts';

/**
 * One row a patch: what, direction, layer, position, token, head, neuron (those that the sweep has), value, effect (0: nothing,
 * 1: all of the difference between the two runs).
 */
export function patchesTable(records: readonly PatchRecord[]): DataTable {
  const rows = records.flatMap((record) => {
    const effects = patchEffects(record);
    return record.values.map((value, index) => ({
      record,
      value,
      effect: effects[index],
      at: patchPlace(record, index),
    }));
  });
  const number = (axis: 'layer' | 'head' | 'neuron'): Column =>
    column(
      axis,
      'INT32',
      rows.map(({ at: { [axis]: on } }) => on && Number(on.label)),
    );
  return {
    name: 'patches',
    columns: [
      column(
        'what',
        'STRING',
        rows.map(({ record }) => record.what),
      ),
      column(
        'direction',
        'STRING',
        rows.map(({ record }) => record.direction),
      ),
      number('layer'),
      column(
        'position',
        'INT32',
        rows.map(({ at }) => at.position?.place),
      ),
      column(
        'token',
        'STRING',
        rows.map(({ at }) => at.position?.label),
      ),
      number('head'),
      number('neuron'),
      column(
        'value',
        'DOUBLE',
        rows.map(({ value }) => value),
      ),
      column(
        'effect',
        'DOUBLE',
        rows.map(({ effect }) => effect),
      ),
    ],
  };
}
