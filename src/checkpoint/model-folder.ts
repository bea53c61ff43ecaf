/**
 * The small files of a model folder: what is there, and JSON that is an object.
 *
 * Every fault is a 'checkpoint' error that says what was looked for. Links are followed: the
 * Hugging Face cache is made of them. Nothing is written.
 */
import { z } from 'zod';
import { fail } from '../errors.ts';
import { readFile, stat, type FileFacts } from '../platform/file-system.ts';
import { join } from '../platform/paths.ts';

/** Most bytes of a file by its name: the largest tokenizers have 35 MB, indexes 10 MB, configurations 0.1 MB. */
const BYTES_LIMIT = { tokenizer: 128 << 20, index: 64 << 20, other: 4 << 20 } as const;

/** Configurations have some four levels, tokenizers eight. */
const DEPTH_LIMIT = 64;
/** Lists, objects and items of a JSON file: Gemma 3's tokenizer has 0.5 million merges, each a list of two. */
const ITEMS_LIMIT = 8_000_000;

/** @throws 'checkpoint' unless `folder` is a folder. */
export async function requireFolder(folder: string, who: string): Promise<void> {
  const found = await statOf(folder, who, 'the folder');
  if (found === undefined) {
    throw fail('checkpoint', who, 'there is no such folder; pass a folder with config.json and model.safetensors.');
  }
  if (!found.isDirectory()) {
    throw fail('checkpoint', who, 'is not a folder; pass the folder that holds config.json and model.safetensors.');
  }
}

/** Whether `folder` holds something called `name`. */
export async function hasFile(folder: string, name: string, who: string): Promise<boolean> {
  return (await statOf(join(folder, name), who, name)) !== undefined;
}

/**
 * The text of `name` in `folder`.
 *
 * @throws 'checkpoint' when it is missing, not a file, too large for JSON or not UTF-8.
 */
export async function readText(folder: string, name: string, who: string): Promise<string> {
  const path = join(folder, name);
  const found = await statOf(path, who, name);
  if (found === undefined) throw fail('checkpoint', who, `looked for ${name} and did not find it.`);
  if (!found.isFile()) throw fail('checkpoint', who, `${name} is not a file.`);
  const limit = limitOf(name);
  if (found.size > limit)
    throw fail('checkpoint', who, `${name} is ${found.size} bytes, above the limit of ${limit} for such a file.`);
  const bytes = await readFile(path).catch((error: unknown) => {
    throw fail('checkpoint', who, `${name} cannot be read (${codeOf(error)}).`);
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fail('checkpoint', who, `${name} is not valid UTF-8.`);
  }
}

/**
 * `name` in `folder` as a JSON object, not interpreted.
 *
 * @throws 'checkpoint' as `readText`, and when it is not JSON, nested too deep, or JSON but not an object.
 */
export async function readJsonObject(folder: string, name: string, who: string): Promise<Record<string, unknown>> {
  const text = await readText(folder, name, who);
  const bomb = bombIn(text);
  if (bomb !== undefined) throw fail('checkpoint', who, `${name} ${bomb}; the file is damaged.`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message.replaceAll(/\s+/g, ' ').slice(0, 200) : 'unreadable';
    throw fail('checkpoint', who, `${name} is not JSON (${why}).`);
  }
  const object = z.record(z.string(), z.unknown()).safeParse(value);
  if (!object.success) throw fail('checkpoint', who, `${name} is JSON but not an object; it should be {...}.`);
  return object.data;
}

function limitOf(name: string): number {
  if (name.endsWith('.index.json')) return BYTES_LIMIT.index;
  return /^(tokenizer|vocab|added_tokens|merges)\b/.test(name) ? BYTES_LIMIT.tokenizer : BYTES_LIMIT.other;
}

/**
 * Why parsing `text` would take more time or memory than a model's file may: nested too deep, or too many items. A
 * scan of the text, before JSON.parse makes anything of it.
 */
function bombIn(text: string): string | undefined {
  let [depth, items] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: // a string: to its end, escapes passed over
        for (at++; at < text.length && text.charCodeAt(at) !== 0x22; at++) if (text.charCodeAt(at) === 0x5c) at++;
        break;
      case 0x5b:
      case 0x7b: // [ {
        if (++depth > DEPTH_LIMIT) return `is nested deeper than ${DEPTH_LIMIT}`;
        items++;
        break;
      case 0x5d:
      case 0x7d: // ] }
        depth--;
        break;
      case 0x2c: // ,
        items++;
        break;
    }
    if (items > ITEMS_LIMIT) return `has more than ${ITEMS_LIMIT} items`;
  }
  return undefined;
}

/** What is at `path`; undefined when nothing is. @throws 'checkpoint' when that cannot be told. */
async function statOf(path: string, who: string, what: string): Promise<FileFacts | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw fail('checkpoint', who, `${what} cannot be read (${code}).`);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
