/**
 * A model by name: a folder or a GGUF file on this machine, else a hub id, downloaded into the shared cache, or one of the small
 * models that come with this package.
 */
import { closest, fail } from '../../errors.ts';
import { readdir, stat } from '../../platform/file-system.ts';
import { packageFile } from '../../platform/package-files.ts';
import { basename, dirname, join, resolve } from '../../platform/paths.ts';
import { isGguf } from '../weight-files.ts';
import { looksLikeHubId, parseHubId } from './hub-id.ts';
import { hubSettings, type HubOptions } from './settings.ts';
import { fetchSnapshot } from './snapshot.ts';

/** The models that come with this package, each by the name of its folder. */
const BUNDLED = packageFile('models');

export interface LocatedModel {
  /** Absolute path of the folder or the GGUF file. */
  readonly folder: string;
  /** The folder's name, the GGUF file's without its ending, or the hub id's without its organisation. */
  readonly name: string;
}

/**
 * Where the files of `model` are. What exists on disk goes before a hub id or a bundled model of the same spelling.
 *
 * @throws 'checkpoint' when it is neither there nor on the hub; 'input' for a malformed id; 'aborted' when stopped.
 */
export async function locateModel(model: string, options: HubOptions = {}): Promise<LocatedModel> {
  const there = await stat(model).catch(() => undefined);
  if (there !== undefined) return { folder: resolve(model), name: nameOf(resolve(model)) };
  if (!looksLikeHubId(model)) {
    if (isGguf(model)) throw fail('checkpoint', `model ${model}`, 'there is no such file.');
    const bundled = await readdir(BUNDLED).catch(() => [] as string[]);
    if (bundled.includes(model)) return { folder: join(BUNDLED, model), name: model };
    const folders = 'a folder with config.json and weights, a .gguf file, ';
    const wanted =
      bundled.length === 0
        ? 'the files of a model, or a hub id such as openai-community/gpt2'
        : `${folders}a hub id such as openai-community/gpt2, or a bundled model (${bundled.sort().join(', ')})`;
    throw fail('checkpoint', `model ${model}`, `there is no such folder; pass ${wanted}.`);
  }
  await refusePath(model);
  const id = parseHubId(model);
  return { folder: await fetchSnapshot(id, await hubSettings(options)), name: id.name };
}

/**
 * `models/gtp2` where there is a folder `models`, and whatever ends in `.gguf`, is a path with a slip in it: nobody waits for a hub to
 * say so. With a revision it is a hub id.
 */
async function refusePath(model: string): Promise<void> {
  if (model.includes('@')) return;
  const hub = `for a hub id of that name write ${model}@main`;
  if (isGguf(model)) throw fail('checkpoint', `model ${model}`, `there is no such file; ${hub}.`);
  const parent = dirname(model);
  const names = await readdir(parent).catch(() => undefined);
  if (names === undefined) return;
  const [near] = closest(basename(model), names, 1);
  const meant = near === undefined ? ';' : `; did you mean ${join(parent, near)}? Else`;
  throw fail('checkpoint', `model ${model}`, `there is no such folder in ${parent}${meant} ${hub}.`);
}

/** `/a/b` is b, `/a/b.gguf` too. */
function nameOf(path: string): string {
  return isGguf(path) ? basename(path).slice(0, -'.gguf'.length) : basename(path);
}
