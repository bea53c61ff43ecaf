/**
 * A model whose files are in hand and not on a disk: what a page's user chose or dropped, a folder that was opened, bytes of one's
 * own. They become a folder with a path (platform/given-files.ts), which everything reads as one on a disk.
 */
import { fail } from '../errors.ts';
import { giveFolder } from '../platform/given-files.ts';
import { quote } from './strict-json.ts';
import { isBaseName, isGguf } from './weight-files.ts';

/** A folder as a browser hands it over (FileSystemDirectoryHandle). */
export interface DirectoryHandle {
  readonly kind: 'directory';
  readonly name: string;
  values(): AsyncIterable<{ readonly kind: string; readonly name: string; getFile?(): Promise<Blob> }>;
}

/** The files of a model: File objects (an input's, a drop's), an opened folder, or blobs and bytes by their names. */
export type ModelFiles = Iterable<File> | DirectoryHandle | Readonly<Record<string, Blob | BufferSource>>;

/** Where given files are, and what the model is called. */
export interface GivenModel {
  readonly folder: string;
  readonly name: string;
}

/**
 * Gives `files` a path. Of a folder in a folder nothing is taken.
 * @throws 'input' for no files, a name that is none in a folder, or two files of one name.
 */
export async function giveModel(files: ModelFiles, name?: string): Promise<GivenModel> {
  const { called, entries } = await entriesOf(files);
  const named = new Map<string, Blob>();
  for (const [file, blob] of entries) {
    if (!isBaseName(file))
      throw fail('input', 'model files', `${quote(file)} is no name of a file; "config.json" would be one.`);
    if (named.has(file)) throw fail('input', 'model files', `there are two of the name ${quote(file)}.`);
    named.set(file, blob);
  }
  if (named.size === 0)
    throw fail('input', 'model files', 'are none; give config.json, the weights and tokenizer.json, or a .gguf file.');
  const [gguf] = [...named.keys()].filter(isGguf);
  const own = name ?? called ?? gguf?.slice(0, -'.gguf'.length) ?? 'model';
  if (own === '' || /[/\\]/.test(own)) throw fail('input', 'model files', `${quote(own)} is no name for a model.`);
  return { folder: giveFolder(own, named), name: own };
}

interface Entries {
  /** What they say that the folder is called. */
  readonly called?: string | undefined;
  readonly entries: readonly (readonly [name: string, blob: Blob])[];
}

async function entriesOf(files: ModelFiles): Promise<Entries> {
  if (isDirectory(files)) {
    const entries: [string, Blob][] = [];
    for await (const entry of files.values())
      if (entry.getFile !== undefined && isBaseName(entry.name)) entries.push([entry.name, await entry.getFile()]);
    return { called: files.name, entries };
  }
  if (Symbol.iterator in files) {
    const all = [...(files as Iterable<File>)];
    // a folder's input gives folder/file, and folder/inner/file of folders in it
    const paths = all.map((file) => (file.webkitRelativePath ?? '').split('/'));
    const entries = all.flatMap((file, k) => (paths[k].length > 2 ? [] : [[file.name, file] as const]));
    return { called: paths[0]?.length === 2 ? paths[0][0] : undefined, entries };
  }
  const blobs = Object.entries(files).map(([name, data]) => [name, data instanceof Blob ? data : new Blob([data])]);
  return { entries: blobs as [string, Blob][] };
}

function isDirectory(files: ModelFiles): files is DirectoryHandle {
  return 'kind' in files && files.kind === 'directory' && typeof (files as DirectoryHandle).values === 'function';
}
