/**
 * Which files of a model folder hold its weights, told from their names: for folders and for the hub alike.
 *
 * safetensors before PyTorch files before GGUF, one file before shards. Shards are found through an index,
 * {weight_map: tensor -> file}; the names in it must be base names, so an index reaches nothing outside.
 */
import { fail } from '../errors.ts';
import { parseStrictJson, quote, type StrictJson } from './strict-json.ts';

export type WeightChoice = FolderWeights | GgufWeights;

export interface FolderWeights {
  readonly format: 'safetensors' | 'torch';
  /** The file with the tensors, or the index that names such files. */
  readonly file: string;
  readonly kind: 'file' | 'index';
}

/** A file that is a whole model; it needs no config.json beside it. */
export interface GgufWeights {
  readonly format: 'gguf';
  readonly file: string;
  readonly kind: 'file';
}

/** In order of preference; the last three are TransformerLens's and training scripts' names. */
const PREFERRED: readonly FolderWeights[] = [
  { format: 'safetensors', kind: 'file', file: 'model.safetensors' },
  { format: 'safetensors', kind: 'index', file: 'model.safetensors.index.json' },
  { format: 'torch', kind: 'file', file: 'pytorch_model.bin' },
  { format: 'torch', kind: 'index', file: 'pytorch_model.bin.index.json' },
  { format: 'torch', kind: 'file', file: 'model_final.pth' },
  { format: 'torch', kind: 'file', file: 'model.pth' },
  { format: 'torch', kind: 'file', file: 'model.pt' },
];
const ENDINGS = { safetensors: /\.safetensors$/, torch: /\.(bin|pth?)$/ } as const;

/** Whether a name is that of a GGUF file. */
export function isGguf(name: string): boolean {
  return /\.gguf$/i.test(name);
}

/** Where the weights are among `names`; when there are none of the usual names, the only .pth or .pt file, else the only .gguf. */
export function chooseWeights(all: readonly string[]): WeightChoice | undefined {
  const names = all.filter(isBaseName);
  const usual = PREFERRED.find(({ file }) => names.includes(file));
  if (usual !== undefined) return usual;
  const others = names.filter((name) => /\.pth?$/.test(name));
  if (others.length > 0) return others.length === 1 ? { format: 'torch', kind: 'file', file: others[0] } : undefined;
  const ggufs = names.filter(isGguf);
  return ggufs.length === 1 ? { format: 'gguf', kind: 'file', file: ggufs[0] } : undefined;
}

/** What was looked for and found instead, as the end of an error. */
export function noWeights(names: readonly string[]): string {
  const wanted = 'model.safetensors, pytorch_model.bin, an .index.json of either, a single .pth and a single .gguf';
  const weights = names.filter((name) => /\.(safetensors|bin|pth?|gguf|onnx|h5|msgpack)$/.test(name)).sort();
  const listing =
    weights.length === 0
      ? 'no other weight file either'
      : `weight files ${weights.slice(0, 8).map(quote).join(', ')}, which are not read${weights.some((name) => /\.pth?$/.test(name)) ? ' (leave one .pth there)' : weights.some(isGguf) ? ' (name one .gguf file itself)' : ''}`;
  return `looked for ${wanted} and found none; it has ${listing}.`;
}

/**
 * The tensor -> shard map of an index, every shard a base name of the format.
 *
 * @throws 'checkpoint' when the text is not such an index.
 */
export function parseIndex(text: string, format: FolderWeights['format'], who: string): Map<string, string> {
  const root = parseStrictJson(text, { who, depth: 8, numbers: 'any' });
  const weightMap: StrictJson | undefined = root instanceof Map ? root.get('weight_map') : undefined;
  if (!(weightMap instanceof Map) || weightMap.size === 0) {
    throw fail('checkpoint', who, 'has no weight_map of tensor names to file names; the file is damaged.');
  }
  const shardOf = new Map<string, string>();
  for (const [tensor, shard] of weightMap) {
    if (typeof shard !== 'string' || !isBaseName(shard) || !ENDINGS[format].test(shard)) {
      const what = `maps tensor ${quote(tensor)} to ${typeof shard === 'string' ? quote(shard) : 'something not a string'}`;
      const ending = format === 'safetensors' ? '.safetensors' : '.bin';
      throw fail('checkpoint', who, `${what}; it should be the base name of a ${ending} file in the same folder.`);
    }
    shardOf.set(tensor, shard);
  }
  return shardOf;
}

/** Whether `name` names a file in its own folder, everywhere: no separators, drives, hidden files, nothing a terminal would obey. */
export function isBaseName(name: string): boolean {
  return (
    name.length > 0 &&
    name.length <= 255 &&
    !/[/\\:]|[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name) &&
    !name.startsWith('.')
  );
}
