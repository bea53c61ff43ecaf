/**
 * A model folder in Hugging Face layout: config.json and safetensors weights, one file or shards.
 *
 * Opening reads config.json (known here only to be a JSON object; `config.ts` gives it meaning)
 * and the headers of the weight files. Tensors are then read one at a time. Shards are found
 * through model.safetensors.index.json, {weight_map: tensor -> file}; the names in it must be base
 * names, so an index cannot reach outside its folder. Links are followed: the Hugging Face cache is
 * made of them.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { closest, fail } from '../errors.ts';
import { openSafetensors } from './safetensors.ts';
import { parseStrictJson, quote, type StrictJson } from './strict-json.ts';
import type { TensorEntry, TensorSource } from './tensor-source.ts';

export interface Checkpoint extends Pick<TensorSource, 'read' | 'readIntegers'> {
  readonly folder: string;
  /** config.json, not interpreted. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The weight files, in name order. */
  readonly files: readonly string[];
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

const WEIGHTS = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
/** JSON beside the weights is small; a larger file is not what its name says. */
const JSON_LIMIT = 64 << 20;

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
  const owner = new Map<string, TensorSource>();
  const tensors = new Map<string, TensorEntry>();
  for (const source of sources) {
    for (const [name, entry] of source.tensors) {
      const other = owner.get(name);
      if (other !== undefined) throw fail('checkpoint', who, `tensor ${quote(name)} is in both ${other.path} and ${source.path}; it should be in one.`);
      owner.set(name, source);
      tensors.set(name, entry);
    }
  }
  const sourceOf = (name: string): TensorSource => {
    const source = owner.get(name);
    if (source !== undefined) return source;
    const near = closest(name.slice(0, 120), tensors.keys()).map(quote).join(', ');
    throw fail('checkpoint', who, `has no tensor ${quote(name)} among its ${tensors.size}${near && `; the closest are ${near}`}.`);
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

/**
 * Reads `name` in `folder` as a JSON object.
 *
 * @throws 'checkpoint' when it is missing, not JSON, or JSON but not an object.
 */
export async function readJsonObject(folder: string, name: string, who: string): Promise<Record<string, unknown>> {
  const text = await readText(folder, name, who);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fail('checkpoint', who, `${name} is not JSON (${error instanceof Error ? oneLine(error.message) : 'unreadable'}).`);
  }
  const object = z.record(z.string(), z.unknown()).safeParse(value);
  if (!object.success) throw fail('checkpoint', who, `${name} is JSON but not an object; it should be {...}.`);
  return object.data;
}

/** @throws 'checkpoint' unless `folder` is a folder. */
export async function requireFolder(folder: string, who: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) throw fail('checkpoint', who, 'there is no such folder; pass a folder with config.json and model.safetensors.');
  if (!found.isDirectory()) throw fail('checkpoint', who, 'is not a folder; pass the folder that holds config.json and model.safetensors.');
}

async function openWeights(folder: string, who: string): Promise<TensorSource[]> {
  if (await exists(join(folder, WEIGHTS))) return [await openSafetensors(join(folder, WEIGHTS))];
  if (!(await exists(join(folder, INDEX)))) {
    const others = (await readdir(folder)).filter((name) => /\.(safetensors|bin|pth|pt|gguf|onnx|h5|msgpack)$/.test(name)).sort();
    const listing = others.length === 0 ? 'no other weight file either' : `weight files ${others.slice(0, 8).map(quote).join(', ')}, which are not read`;
    throw fail('checkpoint', who, `looked for ${WEIGHTS} and ${INDEX} and found neither; the folder has ${listing}.`);
  }
  const map = await readIndex(folder, who);
  const shards = [...new Set(map.values())].sort();
  const sources = await Promise.all(shards.map(async (shard) => openSafetensors(join(folder, shard))));
  for (const [i, source] of sources.entries()) checkShard(shards[i], source, map, who);
  return sources;
}

/** The index's tensor -> shard map, every shard a base name. */
async function readIndex(folder: string, who: string): Promise<Map<string, string>> {
  const indexWho = `${who} ${INDEX}`;
  const root = parseStrictJson(await readText(folder, INDEX, who), { who: indexWho, depth: 8, numbers: 'any' });
  const weightMap: StrictJson | undefined = root instanceof Map ? root.get('weight_map') : undefined;
  if (!(weightMap instanceof Map) || weightMap.size === 0) throw fail('checkpoint', indexWho, 'has no weight_map of tensor names to file names; the file is damaged.');
  const map = new Map<string, string>();
  for (const [tensor, shard] of weightMap) {
    if (typeof shard !== 'string' || !isBaseName(shard)) {
      throw fail('checkpoint', indexWho, `maps tensor ${quote(tensor)} to ${typeof shard === 'string' ? quote(shard) : 'something not a string'}; it should be the base name of a .safetensors file in the same folder.`);
    }
    map.set(tensor, shard);
  }
  return map;
}

function isBaseName(name: string): boolean {
  return name.endsWith('.safetensors') && name.length <= 255 && !/[/\\:\0]/.test(name) && !name.startsWith('.');
}

function checkShard(shard: string, source: TensorSource, map: ReadonlyMap<string, string>, who: string): void {
  for (const [tensor, mapped] of map) {
    if (mapped === shard && !source.tensors.has(tensor)) throw fail('checkpoint', who, `the index says tensor ${quote(tensor)} is in ${quote(shard)}, which does not have it among its ${source.tensors.size}.`);
  }
  for (const tensor of source.tensors.keys()) {
    const mapped = map.get(tensor);
    if (mapped !== shard) throw fail('checkpoint', who, `tensor ${quote(tensor)} is in ${quote(shard)}, but the index ${mapped === undefined ? 'does not list it' : `says it is in ${quote(mapped)}`}.`);
  }
}

async function readText(folder: string, name: string, who: string): Promise<string> {
  const path = join(folder, name);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw fail('checkpoint', who, `looked for ${name} and did not find it.`);
  if (!found.isFile()) throw fail('checkpoint', who, `${name} is not a file.`);
  if (found.size > JSON_LIMIT) throw fail('checkpoint', who, `${name} is ${found.size} bytes, above the limit of ${JSON_LIMIT} for JSON.`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw fail('checkpoint', who, code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? `${name} is not valid UTF-8.` : `${name} cannot be read (${code}).`);
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, 200);
}
