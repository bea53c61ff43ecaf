/** The page of in-browser.test.ts: computes when it is asked. */
import { numbersOf, type Numbers } from './numbers.ts';

declare global {
  var numbers: (what: 'all' | 'passes', backend: string) => Promise<Numbers>;
}

globalThis.numbers = async (what, backend) => {
  const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
  const blobs = await Promise.all(names.map(async (name) => (await fetch(`model/${name}`)).blob()));
  const files = names.map((name, k) => new File([blobs[k]], name));
  return numbersOf(what, backend, files, await (await fetch('model/prompts.jsonl')).text());
};
