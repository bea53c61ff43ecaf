/**
 * Records of version 2, which knew heads alone, as version 3: a player's head and layer become its place, shares of the
 * variance are named by group instead of by layer, and a model is optional.
 */

type Json = Record<string, unknown>;

/** A record of spexlens.result/2 as one of spexlens.result/3; what is damaged stays so, for the reader to find. */
export function upgradeResult(old: Json): Json {
  const { model, energy, circuit, players, ...rest } = old;
  const { name, ...facts } = object(model);
  return {
    ...rest,
    schema: 'spexlens.result/3',
    findings: [],
    name,
    model: facts,
    players: list(players).map(player),
    energy: split(object(energy)),
    ...(circuit === undefined ? {} : { circuit: circuitOf(object(circuit)) }),
  };
}

/** `L1H2` with its head, `MLP0`, `ATTN0`, `L1N7` with a layer, have a place; for others version 2 did not say it. */
function player(old: unknown): unknown {
  const { head, ...rest } = object(old);
  const { name, layer } = rest;
  if (typeof layer !== 'number' || typeof name !== 'string') return rest;
  if (typeof head === 'number') return { ...rest, place: { kind: 'head', layer, head } };
  const neuron = /^L\d+N(\d+)$/.exec(name);
  if (neuron !== null) return { ...rest, place: { kind: 'neuron', layer, neuron: Number(neuron[1]) } };
  if (/^MLP\d+$/.test(name)) return { ...rest, place: { kind: 'mlp', layer } };
  return /^ATTN\d+$/.test(name) ? { ...rest, place: { kind: 'attn', layer } } : rest;
}

function split({ withinLayer, acrossLayers, noLayer, ...rest }: Json): Json {
  return { ...rest, within: withinLayer, across: acrossLayers, ungrouped: noLayer };
}

function circuitOf({ members, ...old }: Json): Json {
  return {
    ...without(old, ['energy']),
    members: list(members).map((member) => {
      return without(object(member), ['layer', 'head']);
    }),
  };
}

function without(record: Json, fields: readonly string[]): Json {
  return Object.fromEntries(Object.entries(record).filter(([field]) => !fields.includes(field)));
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
