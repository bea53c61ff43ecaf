/**
 * The small files of a model folder: what is there, and JSON that is an object.
 *
 * Every fault is a 'checkpoint' error that says what was looked for. Links are followed: the
 * Hugging Face cache is made of them. Nothing is written.
 */
import type { Stats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fail } from '../errors.ts';

/** JSON beside the weights is small (the largest tokenizers have 35 MB); a larger file is not what its name says. */
const JSON_LIMIT = 128 << 20;

/** Configurations have some four levels, tokenizers eight. */
const DEPTH_LIMIT = 64;

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
  if (found.size > JSON_LIMIT) {
    throw fail('checkpoint', who, `${name} is ${found.size} bytes, above the limit of ${JSON_LIMIT} for JSON.`);
  }
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
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message.replaceAll(/\s+/g, ' ').slice(0, 200) : 'unreadable';
    throw fail('checkpoint', who, `${name} is not JSON (${why}).`);
  }
  if (isDeeperThan(value, DEPTH_LIMIT))
    throw fail('checkpoint', who, `${name} is nested deeper than ${DEPTH_LIMIT}; the file is damaged.`);
  const object = z.record(z.string(), z.unknown()).safeParse(value);
  if (!object.success) throw fail('checkpoint', who, `${name} is JSON but not an object; it should be {...}.`);
  return object.data;
}

/** Whether arrays and objects are nested deeper than `limit`: what walks them may recurse, JSON.parse does not. */
function isDeeperThan(value: unknown, limit: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= limit; depth++) {
    level = level.flatMap((node) =>
      typeof node === 'object' && node !== null
        ? Object.values(node).filter((child) => typeof child === 'object' && child !== null)
        : [],
    );
    if (level.length === 0) return false;
  }
  return true;
}

/** What is at `path`; undefined when nothing is. @throws 'checkpoint' when that cannot be told. */
async function statOf(path: string, who: string, what: string): Promise<Stats | undefined> {
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
