/**
 * The way to Redis or Valkey: loads BullMQ and ioredis, which are there only for who uses them, and checks what the server is.
 *
 * After the first connection an outage is waited out: commands stay in line and are sent when the server is back.
 */
import type { Redis as RedisClient, RedisOptions } from 'ioredis';
import { fail, SpexlensError } from '../../errors.ts';

/** Where the server is: `redis://user:password@host:6379/0` (`rediss://` for TLS), or the options of ioredis. */
export type QueueAddress = string | Readonly<Record<string, unknown>>;

export interface QueueConnection {
  readonly bull: typeof import('bullmq');
  /** Shared by all that this connection serves, but for blocking reads. */
  readonly redis: RedisClient;
  /** How messages call it; without a password. */
  readonly shown: string;
  /** What every key begins with. */
  readonly prefix: string;
  /** What of the server its owner should change, one sentence each. */
  readonly notes: readonly string[];
  /** Hears of outages: true when the server is there again. */
  onTurn(hear: (there: boolean) => void): void;
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** What every key begins with. Default `spexlens`. */
  readonly prefix?: string | undefined;
}

const INSTALL = 'npm install bullmq@^6.7 ioredis@^5';
/** How often the server is asked whether it is there, and how long it may take to say so. */
const PING_MS = 10_000;
const SILENCE_MS = 15_000;
const FIRST_MS = 10_000;

/**
 * Connects to the server at `address`.
 * @throws 'input' without the packages, for an address that does not answer or lets nobody in, and for a server that forgets keys.
 */
export async function connectQueue(
  address: QueueAddress,
  { prefix = 'spexlens' }: ConnectOptions = {},
): Promise<QueueConnection> {
  const { bull, Redis } = await loadPackages();
  const shown = shownAddress(address);
  const who = `queue ${shown}`;
  const options: RedisOptions = {
    maxRetriesPerRequest: null,
    lazyConnect: true,
    connectTimeout: FIRST_MS,
    retryStrategy: (times) => Math.min(100 * 2 ** times, 2000),
    ...(typeof address === 'string' ? {} : (address as RedisOptions)),
  };
  const redis = typeof address === 'string' ? new Redis(requireUrl(address), options) : new Redis(options);
  const notes: string[] = [];
  let first: Error | undefined;
  const keep = (error: Error): void => void (first ??= error);
  redis.on('error', keep);
  try {
    await redis.connect();
    notes.push(...checkServer(await redis.info(), who));
    await redis.set(`${prefix}:greeting`, '1', 'EX', 60);
  } catch (error) {
    redis.disconnect();
    if (error instanceof SpexlensError) throw error;
    throw refusalOf(first ?? (error as Error), who) ?? unreachable(first ?? (error as Error), who);
  }
  const hearers: ((there: boolean) => void)[] = [];
  let there = true;
  const turn = (now: boolean): void => {
    if (now === there) return;
    there = now;
    for (const hear of hearers) hear(now);
  };
  redis.on('ready', () => turn(true));
  redis.on('close', () => turn(false));
  const { others, unwatch } = watchSilence(redis);
  return {
    bull,
    redis,
    shown,
    prefix,
    notes,
    onTurn: (hear) => void hearers.push(hear),
    async close() {
      hearers.length = 0;
      unwatch();
      if (redis.status === 'ready') await redis.quit().catch(() => undefined);
      for (const each of [redis, ...others]) each.disconnect(); // or they go on looking for a server that is gone
    },
  };
}

/** The error for what the server answers when it cannot take a write, or lets nobody in; undefined for another one. */
export function refusalOf(error: Error & { previousErrors?: Error[] }, who: string): SpexlensError | undefined {
  const message = [error, ...(error.previousErrors ?? [])].map((each) => each.message).join(' ');
  const safe = 'what was measured before is safe, and the same command goes on from it.';
  if (/\bOOM\b/.test(message))
    return fail('backend', who, `Redis has no memory left (maxmemory is reached); give it more: ${safe}`);
  if (/\bMISCONF\b/.test(message))
    return fail('backend', who, `Redis takes no writes (its disk is full or fails: ${message}); ${safe}`);
  if (/\bREADONLY\b/.test(message)) return fail('backend', who, `Redis takes no writes (it is a replica); ${safe}`);
  if (/\b(NOAUTH|WRONGPASS|NOPERM)\b/.test(message) || /invalid password/i.test(message))
    return fail('input', who, `Redis lets nobody in (${message}); give redis://user:password@host.`);
  return undefined;
}

/**
 * A connection whose other end is gone without a word (a cut cable, a router that forgot it) looks like one that is idle: it is asked
 * from time to time, and after too long a silence dropped and made again, with the ones for blocking reads that were made after it.
 */
function watchSilence(redis: RedisClient): { readonly others: ReadonlySet<RedisClient>; readonly unwatch: () => void } {
  const others = new Set<RedisClient>();
  const duplicate = redis.duplicate.bind(redis);
  redis.duplicate = (override) => {
    const other = duplicate(override);
    others.add(other);
    other.on('end', () => others.delete(other));
    return other;
  };
  let greeting = new Set<RedisClient>(); // connected, and not answered yet
  const look = async (): Promise<void> => {
    const all = [redis, ...others];
    for (const each of all) if (each.status === 'connect' && greeting.has(each)) each.disconnect(true);
    greeting = new Set(all.filter(({ status }) => status === 'connect'));
    if (redis.status !== 'ready') return;
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<'silence'>(
      (resolve) => (timer = setTimeout(() => resolve('silence'), SILENCE_MS).unref()),
    );
    const outcome = await Promise.race([redis.ping().catch(() => 'error'), silence]);
    clearTimeout(timer);
    if (outcome === 'silence') for (const each of all) each.disconnect(true);
  };
  const timer = setInterval(() => void look(), PING_MS).unref();
  return { others, unwatch: () => clearInterval(timer) };
}

function unreachable(error: Error & { code?: string }, who: string): SpexlensError {
  const why = error.code ?? error.message;
  return fail('input', who, `cannot be reached (${why}); start a server (redis-server), or check the address.`);
}

async function loadPackages(): Promise<{
  readonly bull: typeof import('bullmq');
  readonly Redis: typeof import('ioredis').Redis;
}> {
  try {
    const [bull, { Redis }] = await Promise.all([import('bullmq'), import('ioredis')]);
    return { bull, Redis };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw fail('input', 'queue', `needs the packages bullmq and ioredis, which are not installed; ${INSTALL}.`);
  }
}

/** @throws 'input' for a server that is too old, or drops keys when it is full. */
function checkServer(info: string, who: string): string[] {
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  const version = field('redis_version') ?? '0';
  const [major, minor] = version.split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 2))
    throw fail('input', who, `is Redis ${version}; 6.2 or later is needed (7 is what this is tested on), or Valkey.`);
  const policy = field('maxmemory_policy');
  if (policy !== undefined && policy !== 'noeviction')
    throw fail('input', who, `drops keys when it is full (maxmemory-policy ${policy}); set it to noeviction.`);
  return field('aof_enabled') === '0'
    ? [`${who} keeps no log (appendonly no): a server that is killed forgets jobs, which are then asked again.`]
    : [];
}

function requireUrl(address: string): string {
  if (/^rediss?:\/\/[^\s]+$/.test(address)) return address;
  throw fail(
    'input',
    'queue',
    `"${shownAddress(address)}" is no address; write redis://host:6379, or rediss:// for TLS.`,
  );
}

/** An address without what it holds of a name and a password. */
export function shownAddress(address: QueueAddress): string {
  if (typeof address === 'string') return address.replace(/^([a-z]+:\/\/)[^/]*@/, '$1').replace(/\?.*$/, '');
  const { host = 'localhost', port = 6379, path, tls } = address as { [key: string]: string | number | object };
  return path === undefined
    ? `${tls === undefined ? 'redis' : 'rediss'}://${String(host as string)}:${String(port as number)}`
    : `unix:${String(path as string)}`;
}
