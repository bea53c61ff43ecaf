/** Files by their paths: those of the disk, and those that were given as bytes (given-files.ts). Errors have Node's codes. */
import * as disk from 'node:fs/promises';
import { bytesOf, factsOf, givenAt, namesIn, openBlob, type FileFacts, type OpenFile } from './given-files.ts';

export type { FileFacts, OpenFile } from './given-files.ts';

export async function stat(path: string): Promise<FileFacts> {
  const given = givenAt(path);
  return given === undefined ? disk.stat(path) : factsOf(given);
}

/** The names of what is in a folder. */
export async function readdir(path: string): Promise<string[]> {
  const given = givenAt(path);
  return given === undefined ? disk.readdir(path) : namesIn(given);
}

export async function readFile(path: string): Promise<Uint8Array> {
  const given = givenAt(path);
  return given instanceof Blob ? bytesOf(given) : disk.readFile(path);
}

export async function open(path: string): Promise<OpenFile> {
  const given = givenAt(path);
  return given instanceof Blob ? openBlob(given) : disk.open(path, 'r');
}

/** A file that is being written. */
export interface WrittenFile {
  writeFile(bytes: Uint8Array): Promise<void>;
  /** What was written is on the disk when this is done. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export async function openToWrite(path: string): Promise<WrittenFile> {
  return disk.open(path, 'w');
}

export async function makeFolder(path: string): Promise<void> {
  await disk.mkdir(path, { recursive: true });
}

export async function writeText(path: string, text: string): Promise<void> {
  await disk.writeFile(path, text);
}

export async function rename(from: string, to: string): Promise<void> {
  await disk.rename(from, to);
}

/** Removes a file, where there is one. */
export async function remove(path: string): Promise<void> {
  await disk.rm(path, { force: true });
}
