/**
 * The tokenizer's files of a model folder, refused by their size and depth before they are parsed.
 *
 * The largest tokenizers in use have 35 MB and some two million values; JSON of that size that is all brackets would
 * take gigabytes and minutes. So bytes are counted first, then nesting and values in one pass over them that builds
 * nothing.
 */
import { hasFile, requireFolder } from '../checkpoint/model-folder.ts';
import { fail } from '../errors.ts';
import { readFile, stat } from '../platform/file-system.ts';
import { join } from '../platform/paths.ts';

interface Limit {
  readonly bytes: number;
  /** Of arrays and objects in each other; tokenizers have some eight. */
  readonly depth: number;
  /** Values in all. */
  readonly values: number;
}
/** Stated in docs/tokenizers.md. */
export const TOKENIZER_LIMITS: Readonly<Record<string, Limit>> = {
  'tokenizer.json': { bytes: 64 << 20, depth: 64, values: 6_000_000 },
  'tokenizer_config.json': { bytes: 8 << 20, depth: 64, values: 500_000 },
  'chat_template.jinja': { bytes: 1 << 20, depth: 0, values: 0 },
};

/** @throws 'checkpoint' when a file is missing, above a limit, not UTF-8 or not a JSON object. */
export async function readTokenizerFolder(folder: string, who: string): Promise<{ json: object; config: object }> {
  await requireFolder(folder, who);
  const json = parseObject(await readBytes(folder, 'tokenizer.json', who), 'tokenizer.json', who);
  const has = async (name: string): Promise<boolean> => hasFile(folder, name, who);
  let config: object = {};
  if (await has('tokenizer_config.json')) {
    const name = 'tokenizer_config.json';
    config = parseObject(await readBytes(folder, name, who), name, who);
  }
  // transformers takes the file over the field too.
  if (await has('chat_template.jinja')) {
    const name = 'chat_template.jinja';
    config = { ...config, chat_template: textOf(await readBytes(folder, name, who), name, who) };
  }
  return { json, config };
}

async function readBytes(folder: string, name: string, who: string): Promise<Uint8Array> {
  const path = join(folder, name);
  const unreadable = (error: unknown): Error => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (code === 'ENOENT') return fail('checkpoint', who, `looked for ${name} and did not find it.`);
    return fail('checkpoint', who, `${name} cannot be read (${code}).`);
  };
  // Looked at before it is opened: opening a pipe waits for ever.
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(error);
  });
  const limit = TOKENIZER_LIMITS[name].bytes;
  if (!found.isFile()) throw fail('checkpoint', who, `${name} is not a file.`);
  if (found.size > limit)
    throw fail('checkpoint', who, `${name} is ${found.size} bytes; above the limit of ${limit} it is not read.`);
  return readFile(path).catch((error: unknown) => {
    throw unreadable(error);
  });
}

function parseObject(bytes: Uint8Array, name: string, who: string): object {
  requireModest(bytes, name, who);
  let value: unknown;
  try {
    value = JSON.parse(textOf(bytes, name, who));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw fail('checkpoint', who, `${name} is not JSON (${error.message.replaceAll(/\s+/g, ' ').slice(0, 200)}).`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw fail('checkpoint', who, `${name} is JSON but not an object; it should be {...}.`);
  return value;
}

/** Counts brackets and commas outside strings, whatever else the bytes are. */
function requireModest(bytes: Uint8Array, name: string, who: string): void {
  const { depth: deepest, values: most } = TOKENIZER_LIMITS[name];
  let depth = 0;
  let values = 1;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === 0x22) {
      for (at++; at < bytes.length && bytes[at] !== 0x22; at++) if (bytes[at] === 0x5c) at++;
    } else if (byte === 0x5b || byte === 0x7b) {
      values++;
      if (++depth > deepest) throw fail('checkpoint', who, `${name} is nested deeper than ${deepest}; it is damaged.`);
    } else if (byte === 0x5d || byte === 0x7d) depth--;
    else if (byte === 0x2c && ++values > most)
      throw fail('checkpoint', who, `${name} has more than ${most} values; no tokenizer in use has.`);
  }
}

function textOf(bytes: Uint8Array, name: string, who: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fail('checkpoint', who, `${name} is not valid UTF-8.`);
  }
}
