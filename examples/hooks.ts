/**
 * Watching and changing activations: what the heads of ioi-tiny look at, and what switching one off does.
 *
 *     npx tsx examples/hooks.ts
 */
import * as tf from '@tensorflow/tfjs-core';
import { loadModel, openBackend, runWithCache, runWithHooks, type Hook } from '../src/index.ts';

const backend = await openBackend();
const model = await loadModel('models/ioi-tiny');
const tokenizer = model.tokenizer!;
const prompt = 'When Mary and John went to the store, John gave a drink to';
const words = tokenizer.toStrTokens(prompt);

// What every head of layer 2 looks at from the last position.
const { logits, cache } = runWithCache(model, prompt, {
  names: (name) => name.endsWith('hook_pattern'),
  positions: [-1],
});
const pattern = (await cache.get('pattern', 2).array()) as number[][][][]; // [batch, head, q_pos = 1, k_pos]
pattern[0].forEach(([row], head) => {
  const top = row.map((weight, k) => ({ weight, word: words[k] })).sort((a, b) => b.weight - a.weight);
  console.log(
    `L2H${head} looks at ${top
      .slice(0, 3)
      .map(({ weight, word }) => `"${word}" ${weight.toFixed(2)}`)
      .join(', ')}`,
  );
});

// The logit difference with each head of layer 2 off.
const difference = async (hooks: readonly Hook[]): Promise<number> => {
  const out = runWithHooks(model, prompt, hooks);
  const last = (await out.data()).slice(-model.config.dVocabOut);
  out.dispose();
  return last[tokenizer.toSingleToken(' Mary')] - last[tokenizer.toSingleToken(' John')];
};
console.log(`logit difference, nothing ablated: ${(await difference([])).toFixed(2)}`);
for (let head = 0; head < model.config.nHeads; head++) {
  const keep = Array.from({ length: model.config.nHeads }, (_, h) => (h === head ? 0 : 1));
  const off: Hook = ['blocks.2.attn.hook_z', (z) => tf.mul(z, tf.tensor(keep, [1, 1, keep.length, 1]))];
  console.log(`  without L2H${head}: ${(await difference([off])).toFixed(2)}`);
}

logits.dispose();
cache[Symbol.dispose]();
model[Symbol.dispose]();
backend.close();
