/**
 * A model of the hub as a folder: the files that are needed, of one commit, in the shared cache.
 *
 * One question tells the commit a revision stands for and the files it has; each needed file that the cache
 * lacks is then downloaded from that commit, so a snapshot never mixes two (listing.ts). The revision is
 * remembered when everything is there, so that offline use finds whole snapshots.
 */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '../../errors.ts';
import { readText } from '../model-folder.ts';
import { quote } from '../strict-json.ts';
import { chooseWeights, noWeights, parseIndex, type WeightChoice } from '../weight-files.ts';
import { cachedCommit, cacheFolderOf, filesOf, link, rememberCommit, type CacheFolder } from './cache-folder.ts';
import { downloadBlob, isIntact } from './download.ts';
import { isCommit, type HubId } from './hub-id.ts';
import { addressOf, listFiles, neededOf, requireShard } from './listing.ts';
import { type HubSettings } from './settings.ts';

/**
 * The folder of the snapshot that `id` stands for, downloaded as far as the cache lacks it.
 *
 * @throws 'checkpoint' when the hub or the cache has not what is needed, saying what was looked for and where; 'aborted' when stopped.
 */
export async function fetchSnapshot(id: HubId, settings: HubSettings): Promise<string> {
  const cache = cacheFolderOf(id, settings);
  const name = `${id.repo}@${id.revision}`;
  if (settings.offline || isCommit(id.revision)) {
    const found = await inCache(id, cache, settings);
    if (found.folder !== undefined && (settings.offline || found.tokenizer)) return found.folder;
    if (settings.offline) throw fail('checkpoint', `hub ${name}`, found.missing);
  }
  const { commit, files } = await listFiles(id, settings);
  const snapshot = cache.snapshot(commit);
  const present = new Set(await intactFiles(cache, snapshot));
  const get = async (file: string): Promise<void> => {
    if (present.has(file)) return;
    const who = `hub ${name} ${file}`;
    const url = addressOf(id, commit, file, settings);
    const blob = await downloadBlob({ url, file, who, id: name }, cache, settings);
    await link(cache, commit, file, blob, settings, who);
  };

  const { choice, small } = neededOf(files, name);
  for (const file of small) await get(file);
  await get(choice.file);
  for (const shard of await shardsOf(choice, snapshot, name)) {
    requireShard(shard, files, `hub ${name} ${choice.file}`);
    await get(shard);
  }
  await rememberCommit(cache, id.revision, commit, `hub ${name}`);
  return snapshot;
}

/**
 * The files of a snapshot whose bytes are what their blobs are called by, hashed once a process. Copies (where links
 * are impossible) have no such name and are taken as they are.
 */
async function intactFiles(cache: CacheFolder, snapshot: string): Promise<string[]> {
  const files: string[] = [];
  for (const file of await filesOf(cache, snapshot))
    if (await isIntact(await realpath(join(snapshot, file)))) files.push(file);
  return files;
}

async function shardsOf(choice: WeightChoice, folder: string, name: string): Promise<string[]> {
  if (choice.kind === 'file') return [];
  const who = `hub ${name} ${choice.file}`;
  return [...new Set(parseIndex(await readText(folder, choice.file, who), choice.format, who).values())].sort();
}

/** The snapshot as the cache has it, or what is missing. */
async function inCache(
  id: HubId,
  cache: CacheFolder,
  settings: HubSettings,
): Promise<{ folder?: string; tokenizer: boolean; missing: string }> {
  const offline = 'offline (HF_HUB_OFFLINE), and';
  const commit = await cachedCommit(cache, id.revision);
  const nothing = (missing: string) => ({ tokenizer: false, missing });
  if (commit === undefined)
    return nothing(
      `${offline} the cache has no revision ${quote(id.revision)} of it in ${cache.path}; download it once while online.`,
    );
  const folder = cache.snapshot(commit);
  const files = await intactFiles(cache, folder);
  const choice = chooseWeights(files);
  if (!files.includes('config.json') && choice?.format !== 'gguf')
    return nothing(`${offline} config.json is not in ${folder}; download the model once while online.`);
  if (choice === undefined)
    return nothing(
      `${offline} in ${folder} was ${noWeights(files).replace(/\.$/, '')}; download the model once while online.`,
    );
  const gone = (await shardsOf(choice, folder, `${id.repo}@${id.revision}`)).filter((shard) => !files.includes(shard));
  if (gone.length > 0)
    return nothing(
      `${offline} ${gone.length} of its shards are not in ${folder}, the first ${quote(gone[0])}; download the model once while online.`,
    );
  return {
    folder,
    tokenizer: choice.format === 'gguf' || files.includes('tokenizer.json'),
    missing: settings.cacheDir,
  };
}
