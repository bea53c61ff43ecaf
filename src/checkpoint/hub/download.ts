/**
 * One file of the hub into the cache's blobs: streamed, resumed, checked, then renamed into place.
 *
 * A HEAD request tells size and ETag: the SHA-256 of large files (X-Linked-Etag), the git blob SHA-1 of small
 * ones. The bytes go to a partial file of this process; when the connection drops, the next request asks for the
 * rest (Range, with If-Range so that a changed file starts over). A stopped download leaves its partial under a
 * free name, which the next process takes over by renaming it, as it does that of a process that died. Only
 * bytes of the announced size and hash reach their final name, after fsync. The ETag of a mirror that is neither
 * hash is checked for size alone.
 */
import { createHash, type Hash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { lstat, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { fail, SpexlensError } from '../../errors.ts';
import { makeFolder, writing, type CacheFolder } from './cache-folder.ts';
import { causeOf, chunks, pause, request, stopIfAborted } from './request.ts';
import type { HubSettings } from './settings.ts';

/** A connection that brought this much before it dropped does not count as a failure. */
const PROGRESS_BYTES = 1 << 20;

interface Wanted {
  readonly url: string;
  /** The file's name, for progress. */
  readonly file: string;
  /** What errors are attributed to. */
  readonly who: string;
  /** `org/name@revision`. */
  readonly id: string;
}

interface Facts {
  /** Without quotes. */
  readonly etag: string;
  readonly size: number;
}

/** The name, in `blobs`, of the file at `url`, downloaded unless it is there. @throws 'checkpoint', 'aborted' */
export async function downloadBlob(wanted: Wanted, cache: CacheFolder, settings: HubSettings): Promise<string> {
  const { blobs } = cache;
  const facts = await factsOf(wanted, settings);
  const blob = join(blobs, facts.etag);
  const there = await lstat(blob).catch(() => undefined);
  if (there?.isFile() === true && there.size === facts.size && (await isIntact(blob))) return facts.etag;
  await writing(wanted.who, blobs, async () => makeFolder(cache, blobs, wanted.who));
  const partial = await claimPartial(blobs, facts.etag);
  let done = false;
  try {
    await writing(wanted.who, partial, async () => fill(partial, wanted, facts, settings));
    await writing(wanted.who, blob, async () => rename(partial, blob));
    done = true;
    return facts.etag;
  } finally {
    if (!done) await release(partial, freeName(blobs, facts.etag));
  }
}

async function factsOf({ url, who, id }: Wanted, settings: HubSettings): Promise<Facts> {
  const { headers, status } = await request({ method: 'HEAD', url, who, id, redirects: 'relative' }, settings);
  const etag = (headers.get('x-linked-etag') ?? headers.get('etag') ?? '')
    .replace(/^W\//, '')
    .replace(/^"(.*)"$/, '$1');
  if (!/^\w[\w.-]{0,127}$/.test(etag))
    throw fail(
      'checkpoint',
      who,
      `${settings.endpoint} gives the ETag ${JSON.stringify(etag.slice(0, 80))}; a hub gives one of letters and digits.`,
    );
  const size = headers.get('x-linked-size') ?? (status < 300 ? headers.get('content-length') : null) ?? '';
  if (!/^\d{1,15}$/.test(size))
    throw fail(
      'checkpoint',
      who,
      `${settings.endpoint} gives no size for the file (${JSON.stringify(size.slice(0, 40))}); a hub gives one.`,
    );
  return { etag, size: Number(size) };
}

/** Fills the partial file until it is whole and right. */
async function fill(partial: string, wanted: Wanted, facts: Facts, settings: HubSettings): Promise<void> {
  const { who } = wanted;
  const file = await open(partial, constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0));
  try {
    let restarted = false;
    let failures = 0;
    let validator: string | undefined;
    for (;;) {
      let have = (await file.stat()).size;
      if (have > facts.size) {
        await file.truncate(0);
        have = 0;
      }
      if (have < facts.size) {
        const step = await fetchRest(file, have, validator, wanted, facts, settings);
        validator = step.validator;
        if (step.reached < facts.size) {
          failures = step.reached - have >= PROGRESS_BYTES ? 0 : failures + 1;
          if (failures > settings.retries) {
            throw fail(
              'checkpoint',
              who,
              `${settings.endpoint} failed ${failures} times, the last at byte ${step.reached} of ${facts.size} (${step.reason}); try again later, the download goes on from there.`,
            );
          }
          await pause(settings.retryDelayMs * 2 ** failures, settings, who);
          continue;
        }
      }
      const hash = hashFor(facts);
      const found = hash === undefined ? facts.etag : await digestOf(hash, partial);
      if (found === facts.etag) break;
      await file.truncate(0); // nothing of it can be trusted
      if (restarted)
        throw fail(
          'checkpoint',
          who,
          `has the hash ${found} after two downloads, and ${settings.endpoint} announced ${facts.etag}; the file is damaged on its way or there.`,
        );
      restarted = true;
      validator = undefined;
    }
    settings.onProgress({ file: wanted.file, done: facts.size, total: facts.size });
    await file.sync();
  } finally {
    await file.close();
  }
}

interface Step {
  /** Bytes that the partial file holds now. */
  readonly reached: number;
  /** What identifies the server's bytes, for If-Range. */
  readonly validator: string | undefined;
  /** Why it is not all. */
  readonly reason: string;
}

/** One request for the bytes from `have` on; a dropped connection is a shorter step, not an error. */
async function fetchRest(
  file: FileHandle,
  have: number,
  validator: string | undefined,
  wanted: Wanted,
  { size }: Facts,
  settings: HubSettings,
): Promise<Step> {
  const { url, who, id } = wanted;
  const range =
    have === 0 ? {} : { range: `bytes=${have}-`, ...(validator === undefined ? {} : { 'if-range': validator }) };
  const response = await request(
    { method: 'GET', url, who, id, redirects: 'all', headers: range, accept: [416] },
    settings,
  );
  const etag = response.headers.get('etag');
  const next = etag !== null && etag.startsWith('"') ? etag : undefined; // If-Range takes strong ones only
  let at = response.status === 206 ? have : 0;
  if (response.status === 416 || at === 0) await file.truncate(0);
  const lie = announcedLie(response, at, size);
  if (response.status === 416 || lie !== undefined) {
    await response.body?.cancel().catch(() => {});
    if (lie !== undefined) throw fail('checkpoint', who, `${settings.endpoint} ${lie}; the file is of ${size} bytes.`);
    return { reached: 0, validator: undefined, reason: `it refused the range from ${have}` };
  }
  try {
    for await (const bytes of chunks(response, settings, who)) {
      if (at + bytes.length > size)
        throw fail('checkpoint', who, `${settings.endpoint} sends more than the ${size} bytes it announced.`);
      await file.write(bytes, 0, bytes.length, at);
      at += bytes.length;
      settings.onProgress({ file: wanted.file, done: at, total: size });
    }
    return { reached: at, validator: next, reason: 'it ended early' };
  } catch (error) {
    if (error instanceof SpexlensError || (error instanceof Error && 'syscall' in error && error.syscall === 'write'))
      throw error;
    stopIfAborted(settings, who);
    return { reached: at, validator: next, reason: causeOf(error) };
  }
}

/** What the headers of an answer get wrong about its length, if anything. */
function announcedLie({ status, headers }: Response, at: number, size: number): string | undefined {
  if (status === 416) return undefined;
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity')
    return `sends the file compressed (${JSON.stringify(encoding.slice(0, 40))}) though asked not to`;
  if (status === 206) {
    const range = headers.get('content-range') ?? 'none';
    const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(range);
    if (match === null || Number(match[1]) !== at || (match[2] !== '*' && Number(match[2]) !== size))
      return `answers a request from byte ${at} with the range ${JSON.stringify(range.slice(0, 60))}`;
  }
  const length = headers.get('content-length');
  return length !== null && Number(length) !== size - at
    ? `announces ${length.slice(0, 20)} bytes where ${size - at} are left`
    : undefined;
}

/** The hash that the ETag is of, begun; undefined when it is of none we know. */
function hashFor({ etag, size }: Facts): Hash | undefined {
  if (/^[0-9a-f]{64}$/.test(etag)) return createHash('sha256');
  if (/^[0-9a-f]{40}$/.test(etag)) return createHash('sha1').update(`blob ${size}\0`); // git's hash of a blob
  return undefined;
}

/** Blobs that this process has hashed and found to be what they are called. */
const intact = new Set<string>();

/**
 * Whether a blob's bytes have the hash that it is called by; true for one that is called by none. Hashed once a
 * process, at some 0.5 GB a second.
 */
export async function isIntact(blob: string): Promise<boolean> {
  const { size, mtimeMs } = await stat(blob);
  const key = `${blob} ${size} ${mtimeMs}`;
  if (intact.has(key)) return true;
  const etag = basename(blob);
  const hash = hashFor({ etag, size });
  if (hash !== undefined && (await digestOf(hash, blob)) !== etag) return false;
  intact.add(key);
  return true;
}

async function digestOf(hash: Hash, path: string): Promise<string> {
  for await (const bytes of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(bytes as Buffer);
  return hash.digest('hex');
}

const SUFFIX = 'spexlens-incomplete';
const HOST = hostname()
  .replace(/[^\w-]/g, '_')
  .slice(0, 60);
let claims = 0;

function freeName(blobs: string, etag: string): string {
  return join(blobs, `${etag}.${SUFFIX}`);
}

/** The path of a partial file that is this call's alone: one that was left behind, else a new one. */
async function claimPartial(blobs: string, etag: string): Promise<string> {
  const own = join(blobs, `${etag}.${HOST}.${process.pid}.${claims++}.${SUFFIX}`);
  const left = (await readdir(blobs)).filter(
    (name) =>
      name.startsWith(`${etag}.`) && name.endsWith(SUFFIX) && isAbandoned(name.slice(etag.length + 1, -SUFFIX.length)),
  );
  // Renaming succeeds for one process only.
  for (const name of left) {
    const taken = await rename(join(blobs, name), own).then(
      () => true,
      () => false,
    );
    if (!taken) continue;
    if ((await lstat(own)).isFile()) break;
    await rm(own, { force: true, recursive: true }); // a link or a folder that nobody of ours left
  }
  return own;
}

/** Whether `owner` is nobody, or a process of this machine that is no more. */
function isAbandoned(owner: string): boolean {
  if (owner === '') return true;
  const [host, pid] = owner.split('.');
  if (host !== HOST || !/^\d+$/.test(pid)) return false;
  try {
    process.kill(Number(pid), 0); // asks only
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}

async function release(partial: string, free: string): Promise<void> {
  const size = (await stat(partial).catch(() => undefined))?.size ?? 0;
  await (size > 0 ? rename(partial, free) : rm(partial, { force: true })).catch(() => {});
}
