/**
 * A model of the hub in a page: the files that are needed, of one commit, as a given folder. The browser keeps them (Cache Storage,
 * where the page has it), so that the next visit downloads nothing of the same commit.
 */
import { fail, SpexlensError } from '../../../errors.ts';
import { giveFolder } from '../../../platform/given-files.ts';
import { parseIndex, type WeightChoice } from '../../weight-files.ts';
import type { HubId } from '../hub-id.ts';
import { addressOf, listFiles, neededOf, requireShard } from '../listing.ts';
import { causeOf, chunks, request, stopIfAborted } from '../request.ts';
import type { HubSettings } from '../settings.ts';

const STORE = 'spexlens-hub';

/** The path of the files that `id` stands for. @throws 'checkpoint' when the hub has not what is needed; 'aborted' when stopped. */
export async function fetchSnapshot(id: HubId, settings: HubSettings): Promise<string> {
  const name = `${id.repo}@${id.revision}`;
  if (settings.offline)
    throw fail('input', `hub ${name}`, 'cannot be had offline in a page; give the files of a model.');
  const { commit, files } = await listFiles(id, settings);
  const { choice, small } = neededOf(files, name);
  const got = new Map<string, Blob>();
  const get = async (file: string): Promise<void> => {
    const ask = { url: addressOf(id, commit, file, settings), file, who: `hub ${name} ${file}`, id: name };
    got.set(file, await fetchFile(ask, settings));
  };
  for (const file of [...small, choice.file]) await get(file);
  for (const shard of await shardsOf(choice, got, `hub ${name} ${choice.file}`)) {
    requireShard(shard, files, `hub ${name} ${choice.file}`);
    await get(shard);
  }
  return giveFolder(id.name, got);
}

async function shardsOf(choice: WeightChoice, got: ReadonlyMap<string, Blob>, who: string): Promise<readonly string[]> {
  if (choice.kind === 'file') return [];
  const index = await (got.get(choice.file) as Blob).text();
  return [...new Set(parseIndex(index, choice.format, who).values())].sort();
}

interface Wanted {
  readonly url: string;
  readonly file: string;
  readonly who: string;
  readonly id: string;
}

/** A file as the browser kept it, else as the hub sends it. */
async function fetchFile({ url, file, who, id }: Wanted, settings: HubSettings): Promise<Blob> {
  const store = 'caches' in globalThis ? await caches.open(STORE).catch(() => undefined) : undefined;
  const kept = await store?.match(url);
  if (kept !== undefined) return kept.blob();
  for (let failures = 0; ; ) {
    const response = await request({ method: 'GET', url, who, id, redirects: 'all' }, settings);
    const length = response.headers.get('content-length');
    const total = length === null ? undefined : Number(length);
    const parts: BlobPart[] = [];
    let done = 0;
    let reason: string;
    try {
      for await (const part of chunks(response, settings, who)) {
        parts.push(part as Uint8Array<ArrayBuffer>);
        done += part.length;
        settings.onProgress({ file, done, total: total ?? done });
      }
      const blob = new Blob(parts);
      // a body that was packed on the way is longer than what was announced
      if (total === undefined || done >= total) {
        await store?.put(url, new Response(blob)).catch(() => undefined); // no room to keep it
        return blob;
      }
      reason = `ended at byte ${done} of ${total}`;
    } catch (error) {
      if (error instanceof SpexlensError) throw error;
      stopIfAborted(settings, who);
      reason = causeOf(error);
    }
    if (++failures > settings.retries)
      throw fail(
        'checkpoint',
        who,
        `${settings.endpoint} broke off ${failures} times, the last time: ${reason}; try again later.`,
      );
  }
}
