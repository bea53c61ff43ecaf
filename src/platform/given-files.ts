/**
 * Files that are given as bytes, not on a disk: what URL.createObjectURL is to a blob, this is to a folder. It has a path, by which
 * file-system.ts reads it as any other, until it is taken back.
 */

/** What is told of a path. */
export interface FileFacts {
  /** Bytes. */
  readonly size: number;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** A file that is open for reading. */
export interface OpenFile {
  stat(): Promise<Pick<FileFacts, 'size'>>;
  /** Reads at most `length` bytes from `position` on to `offset` of `into`. */
  read(into: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  close(): Promise<void>;
}

/** A given file, or a folder of such by their names. */
export type Given = Blob | ReadonlyMap<string, Blob>;

const folders = new Map<string, ReadonlyMap<string, Blob>>();
let last = 0;

/** Gives a folder of files a path: `given:1/name`. */
export function giveFolder(name: string, files: ReadonlyMap<string, Blob>): string {
  const path = `given:${++last}/${name}`;
  folders.set(path, files);
  return path;
}

/** Forgets a folder, where `path` is one that was given. */
export function takeBack(path: string): void {
  folders.delete(path);
}

/** What was given at `path`; undefined where it is no path of a given folder or of a file in one. */
export function givenAt(path: string): Given | undefined {
  const [number, name, file, ...rest] = path.replaceAll('\\', '/').split('/');
  const folder = folders.get(`${number}/${name}`);
  if (folder === undefined || rest.length > 0) return undefined;
  return file === undefined ? folder : folder.get(file);
}

export function factsOf(given: Given): FileFacts {
  const isFile = given instanceof Blob;
  return { size: given.size, isFile: () => isFile, isDirectory: () => !isFile };
}

export function namesIn(given: Given): string[] {
  return given instanceof Blob ? [] : [...given.keys()];
}

export async function bytesOf(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await blob.arrayBuffer());
}

export function openBlob(blob: Blob): OpenFile {
  return {
    stat: async () => ({ size: blob.size }),
    async read(into, offset, length, position) {
      const bytes = await bytesOf(blob.slice(position, position + length));
      into.set(bytes, offset);
      return { bytesRead: bytes.length };
    },
    close: async () => undefined,
  };
}
