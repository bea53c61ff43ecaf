/**
 * The models that a worker has: in folders that its owner names, and on the hub where its owner allows that.
 *
 * A study names a model by a plain name, never by a path; the thread that opens it compares weights and configuration.
 */
import { fail } from '../../errors.ts';
import { fileIn, nameOfPath, namesIn } from '../../platform/files.ts';
import type { Study } from '../../study.ts';
import { openInThread, type OpenStudy } from './study-host.ts';

/** Where a worker looks for the models that studies name. */
export interface ModelFolders {
  /** Folders of model folders and GGUF files, `name`, `name.gguf` or `organisation/name` in them; or a model itself. */
  readonly models: readonly string[];
  /** Fetch what is not there from the hub, by the id that the asker gives. Default false. */
  readonly hub?: boolean | undefined;
  /** The backend that computes; default 'auto': the one that the study names. */
  readonly backend?: string | undefined;
  /** Threads on wasm and cpu; default 1. */
  readonly threads?: number | 'auto' | undefined;
}

/** Opens studies over models in folders, each in a thread. */
export function openFromFolders({ models, hub = false, backend = 'auto', threads = 1 }: ModelFolders): OpenStudy {
  return async (study, source) => {
    if (backend !== 'auto' && backend !== study.backend)
      throw fail(
        'backend',
        'backend',
        `the study is measured on ${study.backend}; this worker computes on ${backend}.`,
      );
    const folder = await findModel(study.model.id, models);
    if (folder !== undefined) return openInThread({ study, model: folder, fromHub: false, threads });
    if (hub && source !== null) return openInThread({ study, model: source, fromHub: true, threads });
    throw missing(study, models, hub);
  };
}

/** The names of the models in `folders`. */
export async function modelNames(folders: readonly string[]): Promise<string[]> {
  const names: string[] = [];
  for (const folder of folders) {
    if (await isModel(folder)) names.push(nameOf(folder));
    else
      for (const name of await namesIn(folder))
        if (await isModel(`${folder}/${name}`)) names.push(nameOf(name));
        else
          for (const inner of await namesIn(`${folder}/${name}`))
            if (await isModel(`${folder}/${name}/${inner}`)) names.push(nameOf(inner));
  }
  return names;
}

/** The path of the model called `id` in the folders, first found. @throws 'input' for what is no plain name. */
async function findModel(id: string, folders: readonly string[]): Promise<string | undefined> {
  if (!/^[A-Za-z0-9][\w.-]*$/.test(id))
    throw fail('input', `model "${id}"`, 'is no plain name; a worker opens nothing else.');
  for (const folder of folders) {
    const places = [folder, `${folder}/${id}`, `${folder}/${id}.gguf`];
    for (const name of await namesIn(folder)) places.push(`${folder}/${name}/${id}`, `${folder}/${name}/${id}.gguf`);
    for (const place of places) if (nameOf(place) === id && (await isModel(place))) return place;
  }
  return undefined;
}

async function isModel(path: string): Promise<boolean> {
  return (await fileIn(path, path.endsWith('.gguf') ? '' : 'config.json')) !== undefined;
}

function nameOf(path: string): string {
  return nameOfPath(path).replace(/\.gguf$/, '');
}

function missing({ model }: Study, folders: readonly string[], hub: boolean): Error {
  const how = hub ? 'the asker gives no hub id' : 'put it there, or allow the hub';
  return fail(
    'checkpoint',
    `model ${model.id}`,
    `is not in ${folders.map(nameOfPath).join(', ') || 'any folder'} here; ${how}.`,
  );
}
