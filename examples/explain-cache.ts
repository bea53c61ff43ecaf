/**
 * What a cache explains: where a logit difference comes from, what the model would say after each layer, and what heads are.
 *
 *     npx tsx examples/explain-cache.ts
 */
import { compositionScores, detectHeads, fullOvCircuit, loadModel, openBackend, runWithCache } from '../src/index.ts';

const backend = await openBackend();
const model = await loadModel('models/ioi-tiny');
const { logits, cache } = runWithCache(model, 'When Mary and John went to the store, John gave a drink to');

// Which parts write the answer: every embedding, head, MLP and bias; the values sum to logit(Mary) - logit(John).
const { labels, values } = cache.logitAttribution({
  by: 'heads',
  tokens: ' Mary',
  incorrectTokens: ' John',
  positions: [-1],
});
const each = Array.from(await values.data()).map((value, i) => ({ part: labels[i], value }));
const sum = each.reduce((total, { value }) => total + value, 0);
const largest = each.toSorted((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, 4);
console.log(`${sum.toFixed(2)} logits:`, largest.map(({ part, value }) => `${part} ${value.toFixed(2)}`).join(', '));

// The logit lens: the likeliest next token, if the model stopped before each layer.
const lens = await cache.logitLens({ k: 1, positions: [-1] });
lens.top.forEach(([[[{ token, probability }]]], layer) =>
  console.log(lens.labels[layer].padEnd(10), token, probability.toFixed(2)),
);

// What heads are: by their attention on a repeated sequence, and by their weights alone.
const repeating = await loadModel('models/induction-2l-h1');
const sequence = [32, 5, 11, 3, 8, 27, 14, 5, 11, 3, 8, 27, 14, 5, 11, 3];
for (const kind of ['previous-token', 'induction'] as const) {
  const { values: shares } = await detectHeads(repeating, sequence, kind);
  console.log(kind.padEnd(15), `L0H0 ${shares[0].toFixed(2)}, L1H0 ${shares[1].toFixed(2)}`);
}
const found = (await fullOvCircuit(repeating, 1, 0)).eigenvalues();
const re = found.reduce((total, value) => total + value.re, 0);
const magnitude = found.reduce((total, value) => total + Math.hypot(value.re, value.im), 0);
console.log(`L1H0 copies: ${(re / magnitude).toFixed(2)}`); // 1: every eigenvalue is positive
for (const mode of ['Q', 'K', 'V'] as const) {
  const scores = await compositionScores(repeating, mode); // [earlier layer, head, later layer, head]
  console.log(`L0H0 into L1H0's ${mode}: ${scores.values[1].toFixed(2)}`);
}

values.dispose();
logits.dispose();
cache[Symbol.dispose]();
model[Symbol.dispose]();
repeating[Symbol.dispose]();
backend.close();
