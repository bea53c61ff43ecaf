/**
 * Going on from a prompt, with a head switched off while it writes, and how sure the model is at each step.
 *
 *     npx tsx examples/generate.ts
 */
import * as tf from '@tensorflow/tfjs-core';
import { bosOf, generate, generateSteps, loadModel, openBackend, type Hook } from '../src/index.ts';

const backend = await openBackend();
const model = await loadModel('models/ioi-tiny');
const tokenizer = model.tokenizer!;
console.log(bosOf({ config: model.config, tokenizer }).text);

// Two prompts of different lengths, one batch.
const prompts = ['When Mary and John went to the store, John gave a drink to', 'Mary gave a drink to'];
const { texts } = await generate(model, prompts, { maxNewTokens: 6 });
prompts.forEach((prompt, r) => console.log(`${prompt}|${texts?.[r]}`));

// The same prompt with heads of layer 2 off from its last token on.
const last = tokenizer.encode(prompts[0]).length - 1;
const off = (layer: number, head: number): Hook => [
  `blocks.${layer}.attn.hook_z`,
  (z, { positions }) => {
    const kept = positions.map((p) =>
      Array.from({ length: model.config.nHeads }, (_, h) => (h === head && p >= last ? 0 : 1)),
    );
    return tf.mul(z, tf.tensor(kept.flat(), [1, positions.length, model.config.nHeads, 1]));
  },
];
for (const heads of [
  [],
  [[2, 1]],
  [
    [2, 1],
    [2, 2],
    [2, 3],
  ],
]) {
  const hooks = heads.map(([layer, head]) => off(layer, head));
  const written: string[] = [];
  for await (const { tokens, logits } of generateSteps(model, prompts[0], { maxNewTokens: 3, hooks })) {
    const [token, row] = [tokens[0] as number, logits[0]];
    const probability = 1 / row.reduce((sum, logit) => sum + Math.exp(logit - row[token]), 0);
    written.push(`${tokenizer.toStrTokens([token])[0]} ${probability.toFixed(3)}`);
  }
  console.log(
    `without ${heads.map(([layer, head]) => `L${layer}H${head}`).join(', ') || 'nothing'}: ${written.join(', ')}`,
  );
}

model[Symbol.dispose]();
backend.close();
