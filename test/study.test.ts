/** What is asked: every field of a study changes its hash, and everything a value depends on is a field. */
import { describe, expect, it } from 'vitest';
import { ABLATIONS } from '../src/lens/components/ablations.ts';
import { parsePlayers } from '../src/lens/components/components.ts';
import { optionsOf, questionOf } from '../src/lens/components/question.ts';
import { METRICS } from '../src/lens/metrics.ts';
import { canonicalJson, differencesOf, hashStudy, parseStudy, STUDY_VERSION, type Study } from '../src/study.ts';
import { CONFIGS } from './tensors.ts';

const SHA = (digit: string): string => digit.repeat(64);
const config = CONFIGS['gpt2'];

const STUDY: Study = {
  spexlens: STUDY_VERSION,
  model: { id: 'ioi-tiny', weights: SHA('1'), configuration: SHA('2'), tokenizer: SHA('3'), storage: 'float32' },
  backend: 'wasm',
  question: {
    lens: 'components',
    players: [
      { name: 'L0H1', place: { kind: 'head', layer: 0, head: 1, position: 2 } },
      { name: 'L1N3', place: { kind: 'neuron', layer: 1, neuron: 3 } },
      { name: 'MLP0', place: { kind: 'mlp', layer: 0 } },
      { name: 'EMBED', place: { kind: 'embed' } },
      {
        name: 'both',
        place: {
          kind: 'group',
          parts: [
            { kind: 'attn', layer: 1 },
            { kind: 'head', layer: 0, head: 0 },
          ],
        },
      },
    ],
    prompts: [{ tokens: [1, 2, 3], correct: 4, incorrect: 5, position: 2, corrupted: [1, 2, 6] }],
    metric: { name: 'logit-diff', definition: SHA('4') },
    ablation: { name: 'mean', definition: SHA('5'), rescale: false, data: [[7, 8]] },
  },
};

/** Every path to a value that is no record or array, with its value. */
function leavesOf(value: unknown, path: readonly (string | number)[] = []): [readonly (string | number)[], unknown][] {
  if (typeof value !== 'object' || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([key, each]) =>
    leavesOf(each, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

function changed(study: Study, path: readonly (string | number)[], change: (value: never) => unknown): unknown {
  const copy = structuredClone(study) as unknown as Record<string | number, unknown>;
  let at = copy;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
  const last = path[path.length - 1];
  at[last] = change(at[last] as never);
  return copy;
}

const other = (value: unknown): unknown =>
  typeof value === 'number' ? value + 1 : typeof value === 'boolean' ? !value : `${String(value)}'`;

describe('a study', () => {
  it('reads back from its own JSON', () => {
    expect(parseStudy(JSON.parse(JSON.stringify(STUDY)))).toEqual(STUDY);
  });

  it.each(leavesOf(STUDY).map(([path, value]) => [path.join('.'), path, value] as const))(
    'another %s is another study',
    (_, path, value) => {
      expect(hashStudy(changed(STUDY, path, () => other(value)) as Study)).not.toBe(hashStudy(STUDY));
    },
  );

  it.each([
    ['question.players', (list: unknown[]) => list.slice(1)],
    ['question.players', (list: unknown[]) => list.toReversed()],
    ['question.prompts', (list: unknown[]) => [...list, ...list]],
    ['question.prompts.0.tokens', (list: unknown[]) => list.slice(1)],
    ['question.prompts.0.corrupted', () => null],
    ['question.ablation.data', () => null],
    ['question.ablation.data.0', (list: unknown[]) => list.toReversed()],
    ['model.tokenizer', () => null],
  ])('another order or number of %s is another study', (path, change) => {
    expect(hashStudy(changed(STUDY, path.split('.'), change as (value: never) => unknown) as Study)).not.toBe(
      hashStudy(STUDY),
    );
  });

  it('does not depend on the order of keys', () => {
    const turned = Object.fromEntries(Object.entries(STUDY).reverse()) as unknown as Study;
    expect(hashStudy(turned)).toBe(hashStudy(STUDY));
    expect(canonicalJson({ b: 1, a: [undefined, { d: null, c: undefined }] })).toBe('{"a":[null,{"d":null}],"b":1}');
  });

  it.each(leavesOf(STUDY).map(([path]) => path.filter((key) => typeof key === 'string').join('.')))(
    'cannot lose %s',
    (path) => {
      const optional = ['question.players.place.position'];
      if (optional.includes(path)) return;
      const real = leavesOf(STUDY).find(([each]) => each.filter((key) => typeof key === 'string').join('.') === path);
      const copy = structuredClone(STUDY) as unknown as Record<string | number, unknown>;
      let at = copy;
      const keys = (real as [readonly (string | number)[], unknown])[0];
      const last = keys.findLastIndex((key) => typeof key === 'string');
      for (const key of keys.slice(0, last)) at = at[key] as Record<string | number, unknown>;
      delete at[keys[last]];
      expect(() => parseStudy(copy)).toThrow(/^study: /);
    },
  );

  it('takes no field that it does not know', () => {
    expect(() => parseStudy({ ...STUDY, extra: 1 })).toThrow(/extra/);
    expect(() =>
      parseStudy(changed(STUDY, ['question', 'ablation'], (value: object) => ({ ...value, extra: 1 }))),
    ).toThrow(/question\.ablation/);
  });
});

describe('two studies', () => {
  it('differ where they differ, by name', () => {
    expect(differencesOf(STUDY, STUDY)).toEqual([]);
    const other = changed(STUDY, ['question', 'metric', 'name'], () => 'prob') as Study;
    expect(differencesOf(STUDY, other)).toEqual(['question.metric.name was "logit-diff", now "prob"']);
    expect(differencesOf({}, { a: 1, b: 2, c: 3 })).toEqual(['a was absent, now 1', 'b was absent, now 2']);
    expect(differencesOf([1], STUDY)[0]).toMatch(/^the study was \[1\], now \{"spexlens":.{40,}\.\.\.$/);
  });
});

describe('the question of a component game', () => {
  const tasks = [
    {
      tokens: [1, 2, 3],
      correct: 4,
      incorrect: 5,
      corrupted: [3, 2, 1],
      label: 'x',
      text: { prompt: 'x' },
      strTokens: [],
    },
  ];
  const options = {
    players: parsePlayers('heads,MLP0', config),
    tasks,
    metric: METRICS['logit-diff'],
    ablation: ABLATIONS.zero,
  };

  it('comes back as options that ask the same', () => {
    for (const ablation of Object.values(ABLATIONS)) {
      const question = questionOf({ ...options, ablation });
      expect(questionOf(optionsOf(question))).toEqual(question);
    }
  });

  it('holds corrupted prompts and data exactly where the ablation needs them', () => {
    expect(questionOf(options).prompts[0].corrupted).toBeNull();
    expect(questionOf({ ...options, ablation: ABLATIONS.resample }).prompts[0].corrupted).toEqual([3, 2, 1]);
    expect(questionOf({ ...options, meanOver: [[9]] }).ablation.data).toBeNull();
    expect(questionOf({ ...options, meanOver: [[9]], ablation: ABLATIONS.mean }).ablation.data).toEqual([[9]]);
    expect(questionOf({ ...options, ablation: ABLATIONS.mean }).ablation.data).toEqual([[1, 2, 3]]);
  });

  it("tells a user's metric from ours and from another of the same name, and says that it cannot be made again", () => {
    const first = { ...METRICS.logit, value: (logits: never) => logits };
    const second = { ...METRICS.logit, value: (_logits: never, target: never) => target };
    const [a, b, ours] = [first, second, METRICS.logit].map(
      (metric) => questionOf({ ...options, metric: metric as never }).metric,
    );
    expect(ours.definition).toBeNull();
    expect(a.definition).toMatch(/^[0-9a-f]{64}$/);
    expect(a.definition).not.toBe(b.definition);
    expect(() => optionsOf(questionOf({ ...options, metric: first as never }))).toThrow(
      `metric: "logit" is a function of somebody's program; only ones known by name can be made again.`,
    );
  });
});
