/**
 * Which model a study means: hashes of all that its numbers depend on.
 *
 * Weights by the bytes of their files, or of the tensors for a model in memory; the configuration by the record that the forward
 * pass reads, so that an edited config.json is another model though its weights are the same.
 */
import { openCheckpoint } from '../checkpoint/checkpoint.ts';
import { fileIn } from '../platform/files.ts';
import { sha256, sha256OfFiles } from '../platform/hash.ts';
import { canonicalJson, type ModelIdentity } from '../study.ts';
import type { Model } from './model.ts';

/** The identity of `model`; reads its weights once. */
export async function identifyModel(model: Model): Promise<ModelIdentity> {
  return {
    id: model.name,
    weights: model.folder === undefined ? await hashTensors(model) : await hashFiles(model.folder),
    configuration: sha256(canonicalJson(model.config)),
    tokenizer: model.folder === undefined ? null : await hashTokenizer(model.folder),
    storage: model.storage,
  };
}

async function hashFiles(folder: string): Promise<string> {
  return sha256OfFiles((await openCheckpoint(folder)).files);
}

async function hashTokenizer(folder: string): Promise<string | null> {
  const path = await fileIn(folder, 'tokenizer.json');
  return path === undefined ? null : sha256OfFiles([path]);
}

/** Names, shapes and values of the parameters, by name. */
async function hashTensors({ parameters }: Model): Promise<string> {
  const parts: (string | Uint8Array)[] = [];
  for (const name of Object.keys(parameters).sort()) {
    const values = await parameters[name].data();
    parts.push(`${name} [${parameters[name].shape.join()}]\n`);
    parts.push(sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)), '\n');
  }
  return sha256(...parts);
}
