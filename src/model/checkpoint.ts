/**
 * A model folder in Hugging Face layout: config.json and safetensors weights, one file or shards.
 *
 * Opening reads config.json (known here only to be a JSON object; `config.ts` gives it meaning)
 * and the headers of the weight files. Tensors are then read one at a time. Shards are found
 * through model.safetensors.index.json, {weight_map: tensor -> file}; the names in it must be base
 * names, so an index cannot reach outside its folder.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '../errors.ts';
import { hasFile, readJsonObject, readText, requireFolder } from './model-folder.ts';
import { openSafetensors } from './safetensors.ts';
import { parseStrictJson, quote, type StrictJson } from './strict-json.ts';
import { noSuchTensor, type TensorEntry, type TensorSource } from './tensor-source.ts';

export interface Checkpoint extends Pick<TensorSource, 'read' | 'readIntegers'> {
  readonly folder: string;
  /** config.json, not interpreted. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Paths of the weight files, in name order. */
  readonly files: readonly string[];
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

const WEIGHTS = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

/**
 * Opens the model in `folder`.
 *
 * @throws 'checkpoint' when the folder or a file is missing, damaged or inconsistent, naming what was looked for.
 */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  const who = `checkpoint ${folder}`;
  await requireFolder(folder, who);
  const config = await readJsonObject(folder, 'config.json', who);
  const sources = await openWeights(folder, who);
  const tensors = new Map<string, TensorEntry & { readonly source: TensorSource }>();
  for (const source of sources) {
    for (const [name, { dtype, shape }] of source.tensors) tensors.set(name, { dtype, shape, source });
  }
  const sourceOf = (name: string): TensorSource => {
    const entry = tensors.get(name);
    if (entry === undefined) throw noSuchTensor(who, name, tensors.keys(), tensors.size);
    return entry.source;
  };
  return {
    folder,
    config,
    files: sources.map((source) => source.path),
    tensors,
    read: async (name) => sourceOf(name).read(name),
    readIntegers: async (name) => sourceOf(name).readIntegers(name),
  };
}

/** The weight files, which between them hold each tensor once. */
async function openWeights(folder: string, who: string): Promise<TensorSource[]> {
  if (await hasFile(folder, WEIGHTS, who)) return [await openSafetensors(join(folder, WEIGHTS))];
  if (!(await hasFile(folder, INDEX, who))) {
    const weights = (await readdir(folder)).filter((name) =>
      /\.(safetensors|bin|pth?|gguf|onnx|h5|msgpack)$/.test(name),
    );
    const listing =
      weights.length === 0
        ? 'no other weight file either'
        : `weight files ${weights.sort().slice(0, 8).map(quote).join(', ')}, which are not read`;
    throw fail('checkpoint', who, `looked for ${WEIGHTS} and ${INDEX} and found neither; the folder has ${listing}.`);
  }
  const shardOf = await readIndex(folder, who);
  const shards = [...new Set(shardOf.values())].sort();
  const sources = await Promise.all(shards.map(async (shard) => openSafetensors(join(folder, shard))));
  sources.forEach((source, i) => checkShard(shards[i], source, shardOf, who));
  return sources;
}

/** The index's tensor -> shard map, every shard a base name. */
async function readIndex(folder: string, who: string): Promise<Map<string, string>> {
  const indexWho = `${who} ${INDEX}`;
  const root = parseStrictJson(await readText(folder, INDEX, who), { who: indexWho, depth: 8, numbers: 'any' });
  const weightMap: StrictJson | undefined = root instanceof Map ? root.get('weight_map') : undefined;
  if (!(weightMap instanceof Map) || weightMap.size === 0) {
    throw fail('checkpoint', indexWho, 'has no weight_map of tensor names to file names; the file is damaged.');
  }
  const shardOf = new Map<string, string>();
  for (const [tensor, shard] of weightMap) {
    if (typeof shard !== 'string' || !isBaseName(shard)) {
      const what = `maps tensor ${quote(tensor)} to ${typeof shard === 'string' ? quote(shard) : 'something not a string'}`;
      throw fail(
        'checkpoint',
        indexWho,
        `${what}; it should be the base name of a .safetensors file in the same folder.`,
      );
    }
    shardOf.set(tensor, shard);
  }
  return shardOf;
}

function isBaseName(name: string): boolean {
  return name.endsWith('.safetensors') && name.length <= 255 && !/[/\\:\0]/.test(name) && !name.startsWith('.');
}

/** Every tensor mapped to the shard is in it, and every tensor in it is mapped to it. */
function checkShard(shard: string, source: TensorSource, shardOf: ReadonlyMap<string, string>, who: string): void {
  for (const [tensor, mapped] of shardOf) {
    if (mapped !== shard || source.tensors.has(tensor)) continue;
    const what = `the index says tensor ${quote(tensor)} is in ${quote(shard)}`;
    throw fail('checkpoint', who, `${what}, which does not have it among its ${source.tensors.size}.`);
  }
  for (const tensor of source.tensors.keys()) {
    const mapped = shardOf.get(tensor);
    if (mapped === shard) continue;
    const index = mapped === undefined ? 'does not list it' : `says it is in ${quote(mapped)}`;
    throw fail('checkpoint', who, `tensor ${quote(tensor)} is in ${quote(shard)}, but the index ${index}.`);
  }
}
