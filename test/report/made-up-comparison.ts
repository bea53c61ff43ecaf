/** A small comparison of two methods, with text that would break a page which did not escape it. */
import { COMPARISON_SCHEMA, type ComparedMethod, type ComparisonRecord } from '../../src/report/comparison-record.ts';

export function madeUpComparison(): ComparisonRecord {
  return {
    schema: COMPARISON_SCHEMA,
    software: 'spexlens 0',
    name: 'm<b>',
    task: {
      prompts: ['a </script>'],
      judged: null,
      metric: 'logit-diff',
      unit: 'logits',
      ablation: 'zero',
      players: 'heads',
    },
    backend: 'wasm',
    command: '<i>',
    players: ['L0H0', 'L0H1'],
    full: 2,
    empty: 0,
    budget: 10,
    target: 0.9,
    harm: 'divergence',
    knockOuts: 2,
    seed: 0,
    truth: [0],
    methods: [method('worse', 0.5), method('<better>', 0.25)],
    refusals: [{ name: 'acdc', why: 'needs <more>' }],
    judged: 12,
  };
}

function method(name: string, cmd: number): ComparedMethod {
  return {
    name,
    cpr: 1 - cmd,
    cmd,
    auroc: 0.5,
    curve: [0, 1, 2].map((size) => ({ size, helping: size / 2, mattering: size === 1 ? -3 : size / 2 })),
    circuit: { players: [0], faithfulness: 1, completeness: { mean: 0.1, most: 0.2, knockOuts: 2 } },
    masks: 3,
    forward: 1,
    backward: 1,
    seconds: 0.04,
    scores: [1, 0],
    helping: [0, 1],
    mattering: [0, 1],
    details: {},
  };
}
