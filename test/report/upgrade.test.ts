/**
 * Records of earlier versions stay readable. test/golden/result-2.json was written by find-circuits of the last software that
 * wrote version 2; its `run.command` is the command.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { renderReport } from '../../src/report/html.ts';
import { formatResult, parseResult } from '../../src/report/result.ts';
import { terminalReport } from '../../src/report/terminal.ts';

interface Old {
  [key: string]: unknown;
  readonly model: Readonly<Record<string, unknown>>;
  readonly players: readonly { readonly name: string; readonly layer?: number; readonly head?: number }[];
  readonly energy: Readonly<Record<string, unknown>>;
  readonly circuit: {
    readonly chosen: { readonly players: readonly number[] };
    readonly members: readonly Readonly<Record<string, unknown>>[];
  };
}

const text = readFileSync('test/golden/result-2.json', 'utf8');
const old = JSON.parse(text) as Old;
const upgraded = parseResult(text);

describe('a record of version 2', () => {
  it('is what it says it is', () => {
    expect(old['schema']).toBe('spexlens.result/2');
    expect(old.players.filter(({ head }) => head !== undefined)).toHaveLength(3);
    expect(old.energy).toHaveProperty('withinLayer');
    expect(old.circuit).toHaveProperty('energy');
  });

  it('is read as one of version 3, from its text and from its value', () => {
    expect(upgraded.schema).toBe('spexlens.result/3');
    expect(parseResult(old)).toEqual(upgraded);
    expect(old['schema']).toBe('spexlens.result/2'); // the value that was given is left alone
    expect(parseResult(formatResult(upgraded))).toEqual(upgraded);
  });

  it('has its name beside its model', () => {
    const { name, ...facts } = old.model;
    expect(upgraded.name).toBe(name);
    expect(upgraded.name).toBe('ioi-tiny');
    expect(upgraded.model).toEqual(facts);
    expect(upgraded.study).toBeUndefined();
  });

  it('gives heads, neurons, MLP and attention layers their place, and no other player one', () => {
    expect(upgraded.players).toEqual([
      { name: 'L0H0', layer: 0, place: { kind: 'head', layer: 0, head: 0 } },
      { name: 'L2H1', layer: 2, place: { kind: 'head', layer: 2, head: 1 } },
      { name: 'L3H2', layer: 3, place: { kind: 'head', layer: 3, head: 2 } },
      { name: 'MLP0', layer: 0, place: { kind: 'mlp', layer: 0 } },
      { name: 'L1N7', layer: 1, place: { kind: 'neuron', layer: 1, neuron: 7 } },
      { name: 'ATTN1', layer: 1, place: { kind: 'attn', layer: 1 } },
      { name: 'EMBED' },
      { name: 'pair' },
      { name: 'late', layer: 3 },
    ]);
  });

  it('names the shares of its energy by group', () => {
    const { withinLayer, acrossLayers, noLayer, ...rest } = old.energy;
    expect(upgraded.energy).toEqual({ ...rest, within: withinLayer, across: acrossLayers, ungrouped: noLayer });
    expect(upgraded.energy.within).toBeGreaterThan(0);
    expect(
      upgraded.energy.alone + upgraded.energy.within + upgraded.energy.across + upgraded.energy.ungrouped,
    ).toBeCloseTo(1, 12);
  });

  it('keeps the members of its circuit, whose places are those of its players', () => {
    expect(upgraded.circuit).not.toHaveProperty('energy');
    expect(upgraded.circuit?.members).toEqual(
      old.circuit.members.map(({ player, name, necessity }) => ({ player, name, necessity })),
    );
    expect(upgraded.circuit?.members.map(({ player }) => player)).toEqual(old.circuit.chosen.players);
    for (const { player, name } of upgraded.circuit?.members ?? []) expect(upgraded.players[player].name).toBe(name);
  });

  it('keeps everything else as it was', () => {
    const changed = ['schema', 'name', 'model', 'players', 'energy', 'circuit', 'findings'];
    const rest = (record: object): object =>
      Object.fromEntries(Object.entries(record).filter(([key]) => !changed.includes(key)));
    expect(rest(upgraded)).toEqual(rest(old));
    expect(upgraded.findings).toEqual([]); // version 2 knew of none
    const { energy: _, members: __, ...circuit } = old.circuit as Record<string, unknown>;
    expect(upgraded.circuit).toMatchObject(circuit);
  });

  it('without a circuit stays without one', () => {
    const { circuit: _, ...bare } = old;
    expect(parseResult(bare)).not.toHaveProperty('circuit');
  });

  it('gives the page and the story', () => {
    const page = renderReport(upgraded);
    expect(page).toContain('What acts together in ioi-tiny');
    expect(page).not.toMatch(/NaN|undefined|\[object/);
    for (const { names } of upgraded.interactions) expect(page).toContain(names.join(' × '));
    expect(terminalReport(upgraded, { color: false })).toContain('MLP0 × EMBED');
  });

  it.each([
    ['a missing field', { clean: undefined }, /clean: .*expected number/],
    ['a model that is none', { model: 'gpt2' }, /name: .*expected string/],
    ['players that are no list', { players: 'heads' }, /players: /],
    ['an unknown field', { extra: 1 }, /extra/],
  ])('is refused with %s, naming it', (_, wrong, message) => {
    expect(() => parseResult({ ...old, ...wrong })).toThrow(message);
  });
});
