/** A masked-LM model as a game: the answer is read at its [MASK], not at the end. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { allMasks } from '../../../src/masks.ts';
import { createComponentGame } from '../../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../../src/lens/components/components.ts';
import { metricOf } from '../../../src/lens/metrics.ts';
import { toTasks } from '../../../src/lens/prompts.ts';
import { runWithHooks } from '../../../src/hooks/run.ts';
import type { Model } from '../../../src/model/model.ts';
import { createTokenizer } from '../../../src/tokenizer/tokenizer.ts';
import { CONFIGS, open, randomModel } from '../../tensors.ts';
import { ABLATIONS } from '../../../src/lens/components/ablations.ts';

interface Goldens {
  readonly tokenizers: readonly { readonly name: string; readonly tokenizer: object; readonly config: object }[];
}

let bert: Model;
beforeAll(async () => {
  await open('wasm');
  const { tokenizers } = JSON.parse(readFileSync('test/golden/tokenizers.json', 'utf8')) as Goldens;
  const golden = tokenizers.find(({ name }) => name === 'bert');
  const tokenizer = await createTokenizer(golden?.tokenizer ?? {}, golden?.config ?? {});
  const { model } = randomModel({
    ...CONFIGS['post-norm, bidirectional, token types, masked-LM head'],
    nCtx: 32,
    dVocab: 157,
    dVocabOut: 157,
  });
  bert = { ...model, tokenizer };
});

describe('a masked-LM prompt', () => {
  it('is scored where its [MASK] stands', async () => {
    const tasks = toTasks(bert, [{ prompt: 'a [MASK] b c', correct: 'd', incorrect: 'e' }], {
      metric: metricOf('logit-diff'),
      corrupted: false,
    });
    const [{ tokens, position, correct, incorrect }] = tasks;
    expect(tokens.indexOf(4)).toBe(2); // [CLS] a [MASK] b c [SEP]
    expect(position).toBe(2);
    const game = createComponentGame(bert, {
      players: parsePlayers('L1H0', bert.config),
      tasks,
      metric: metricOf('logit-diff'),
      ablation: ABLATIONS.zero,
    });
    const [, clean] = await game.value(allMasks(1));
    const logits = await runWithHooks(bert, tokens, []).data();
    expect([clean]).toBeAllClose([logits[2 * 157 + (correct ?? 0)] - logits[2 * 157 + (incorrect ?? 0)]], 1e-5);
    game[Symbol.dispose]();
  });

  it.each([
    ['a b c', 'logit-diff', /has 0 \[MASK\] tokens; random is a masked-LM model and needs exactly one/],
    ['[MASK] a [MASK]', 'logit-diff', /has 2 \[MASK\] tokens/],
    ['a [MASK]', 'cross-entropy', /cross-entropy of a masked model needs a correct token/],
  ])('%s under %s is refused where the answer has no place', (prompt, metric, message) => {
    const answers = metric === 'cross-entropy' ? {} : { correct: 'd', incorrect: 'e' };
    expect(() => toTasks(bert, [{ prompt, ...answers }], { metric: metricOf(metric), corrupted: false })).toThrow(
      message,
    );
  });
});
