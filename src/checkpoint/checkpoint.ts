/**
 * A model on disk: a folder in Hugging Face layout (config.json and weights, safetensors or PyTorch, one file or
 * shards), or a GGUF file, alone or in a folder, which holds configuration and tokenizer too.
 *
 * Opening reads the configuration (known here only to be a JSON object; the families give it meaning) and the headers
 * of the weight files. Tensors are then read one at a time. `weight-files.ts` says which files they are; every tensor
 * is in exactly one of them.
 */
import { fail } from '../errors.ts';
import { readdir, stat } from '../platform/file-system.ts';
import { join } from '../platform/paths.ts';
import { openGgufCheckpoint } from './gguf/gguf-checkpoint.ts';
import { readJsonObject, readText, requireFolder } from './model-folder.ts';
import { openSafetensors } from './safetensors.ts';
import { quote } from './strict-json.ts';
import { noSuchTensor, type Checkpoint, type TensorEntry, type TensorSource } from './tensor-source.ts';
import { openTorchFile } from './torch/torch-file.ts';
import { chooseWeights, isGguf, noWeights, parseIndex, type FolderWeights } from './weight-files.ts';

export type { Checkpoint } from './tensor-source.ts';

/**
 * Opens the model in `folder`, which may also be a GGUF file itself.
 *
 * @throws 'checkpoint' when the folder or a file is missing, damaged or inconsistent, naming what was looked for.
 */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  const who = `checkpoint ${folder}`;
  if (isGguf(folder) && (await stat(folder).catch(() => undefined))?.isFile() === true)
    return openGgufCheckpoint(folder);
  await requireFolder(folder, who);
  const names = await readdir(folder);
  const choice = chooseWeights(names);
  if (choice?.format === 'gguf') return openGgufCheckpoint(join(folder, choice.file));
  const config = await readJsonObject(folder, 'config.json', who);
  if (choice === undefined) throw fail('checkpoint', who, noWeights(names));
  const { sources, notes } = await openWeights(folder, choice, who);
  const tensors = new Map<string, TensorEntry & { readonly source: TensorSource; readonly stored: string }>();
  for (const source of sources) {
    for (const [name, { dtype, shape }] of source.tensors) tensors.set(name, { dtype, shape, source, stored: name });
  }
  // safetensors' save_model stores tensors that share memory once and says in the metadata which stands for which.
  for (const source of sources) {
    for (const [alias, stored] of source.metadata) {
      const entry = source.tensors.get(stored);
      if (entry === undefined || tensors.has(alias)) continue;
      tensors.set(alias, { dtype: entry.dtype, shape: entry.shape, source, stored });
      notes.push(`tensor ${quote(alias)} is ${quote(stored)}, as the file's metadata says`);
    }
  }
  const entryOf = (name: string): { readonly source: TensorSource; readonly stored: string } => {
    const entry = tensors.get(name);
    if (entry === undefined) throw noSuchTensor(who, name, tensors.keys(), tensors.size);
    return entry;
  };
  return {
    folder,
    config,
    files: sources.map((source) => source.path),
    tensors,
    notes,
    read: async (name, into) => {
      const { source, stored } = entryOf(name);
      return source.read(stored, into);
    },
    readIntegers: async (name) => {
      const { source, stored } = entryOf(name);
      return source.readIntegers(stored);
    },
  };
}

/** The weight files, which between them hold each tensor once. */
async function openWeights(
  folder: string,
  choice: FolderWeights,
  who: string,
): Promise<{ readonly sources: readonly TensorSource[]; readonly notes: string[] }> {
  const open = choice.format === 'safetensors' ? openSafetensors : openTorchFile;
  if (choice.kind === 'file') return { sources: [await open(join(folder, choice.file))], notes: [] };
  const shardOf = parseIndex(await readText(folder, choice.file, who), choice.format, `${who} ${choice.file}`);
  const shards = [...new Set(shardOf.values())].sort();
  const sources: TensorSource[] = [];
  for (const shard of shards) sources.push(await open(join(folder, shard)));
  const notes: string[] = [];
  for (const [tensor, shard] of shardOf) {
    // A tied head is not saved, and some writers list it all the same; whether it is needed, the family says.
    if (!/(^|\.)(lm_head|embed_out)\.weight$/.test(tensor) || sources.some(({ tensors }) => tensors.has(tensor)))
      continue;
    shardOf.delete(tensor);
    notes.push(`the index lists ${quote(tensor)} in ${quote(shard)}, which does not have it`);
  }
  sources.forEach((source, i) => checkShard(shards[i], source, shardOf, who));
  return { sources, notes };
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
