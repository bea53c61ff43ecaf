/** Files in a page: those that were given as bytes. There is no disk to read, and none to write to. */
import { fail } from '../../errors.ts';
import { bytesOf, factsOf, givenAt, namesIn, openBlob, type Given } from '../given-files.ts';
import type { FileFacts, OpenFile, WrittenFile } from '../file-system.ts';

export type { FileFacts, OpenFile, WrittenFile } from '../file-system.ts';

export async function stat(path: string): Promise<FileFacts> {
  return factsOf(at(path));
}

export async function readdir(path: string): Promise<string[]> {
  return namesIn(at(path));
}

export async function readFile(path: string): Promise<Uint8Array> {
  return bytesOf(fileAt(path));
}

export async function open(path: string): Promise<OpenFile> {
  return openBlob(fileAt(path));
}

export async function openToWrite(path: string): Promise<WrittenFile> {
  throw unwritable(path);
}

export async function makeFolder(path: string): Promise<void> {
  throw unwritable(path);
}

export async function writeText(path: string, _text: string): Promise<void> {
  throw unwritable(path);
}

export async function rename(_from: string, to: string): Promise<void> {
  throw unwritable(to);
}

export async function remove(_path: string): Promise<void> {}

function at(path: string): Given {
  const given = givenAt(path);
  if (given === undefined) throw Object.assign(new Error(`ENOENT: no such file, '${path}'`), { code: 'ENOENT' });
  return given;
}

function fileAt(path: string): Blob {
  const given = at(path);
  if (given instanceof Blob) return given;
  throw Object.assign(new Error(`EISDIR: '${path}' is a folder`), { code: 'EISDIR' });
}

function unwritable(path: string): Error {
  return fail('input', path, 'cannot be written: a page has no folders. Do it in Node.');
}
