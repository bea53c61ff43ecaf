/**
 * A program of one's own, compiled to a transformer whose circuit is known.
 *
 *     npx tsx examples/own-program.ts
 *     npx tsx cli/spexlens.ts circuits --model out/last-of-kind --prompts out/last-of-kind/prompts.jsonl --players heads,mlps
 */
import { writeProgram } from '../src/index.ts';
import {
  compile,
  indices,
  inputsOf,
  interpret,
  map,
  named,
  select,
  selectorWidth,
  sequenceMap,
  tokens,
  truthOf,
} from '../src/rasp/index.ts';

// How many tokens like this one stand from here on: pairs of token and position, compared.
const placed = named(
  'placed',
  sequenceMap((token, index) => `${String(token)}${String(index)}`, tokens, indices),
);
const after = select(placed, placed, (key, query) => {
  const [[keyToken, keyAt], [queryToken, queryAt]] = [String(key), String(query)];
  return keyToken === queryToken && keyAt >= queryAt;
});
const lastOfKind = named(
  'last of its kind',
  map((width) => width === 1, selectorWidth(after)),
);
console.log(interpret(lastOfKind, ['a', 'b', 'a'])); // [false, true, true]

const size = { vocabulary: ['a', 'b', 'c'], maxLength: 5 };
const compiled = compile(lastOfKind, size);
const truth = truthOf(compiled, { inputs: inputsOf(size).inputs });
await writeProgram('out/last-of-kind', compiled, {
  truth,
  name: 'last-of-kind',
  about: 'whether no token like this one follows',
});
console.log(compiled.sizes, truth.edges);
