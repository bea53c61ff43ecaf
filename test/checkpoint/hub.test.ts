/** The hub, from a server on this machine: what is downloaded, how it resumes, what it says when the server lies. */
import { createHash } from 'node:crypto';
import {
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { SpexlensError, type ErrorKind } from '../../src/errors.ts';
import { looksLikeHubId, parseHubId } from '../../src/checkpoint/hub/hub-id.ts';
import { locateModel } from '../../src/checkpoint/hub/locate.ts';
import { hubSettings, type HubOptions, type HubProgress } from '../../src/checkpoint/hub/settings.ts';
import { loadModel } from '../../src/model/model.ts';
import { open } from '../tensors.ts';
import { COMMIT, startHub, type Asked, type TestHub } from './hub-server.ts';

const IOI = join(import.meta.dirname, '../../models/ioi-tiny');
const REPO = 'openai-community/gpt2';
const MODEL_FILES = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
const files: Record<string, Buffer> = {};
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

let cacheDir: string;
let hub: TestHub;
let outside: string[];
beforeAll(async () => {
  for (const name of MODEL_FILES) files[name] = await readFile(join(IOI, name));
  Object.assign(files, {
    'README.md': Buffer.from('# a card'),
    'pytorch_model.bin': Buffer.alloc(5000),
    'onnx/model.onnx': Buffer.alloc(10),
    'flax_model.msgpack': Buffer.alloc(9000),
  });
});
beforeEach(async () => {
  const parent = await mkdtemp(join(tmpdir(), 'hub-'));
  cacheDir = join(parent, 'cache');
  hub = await startHub(REPO, files);
  outside = [parent];
});
afterEach(async () => {
  await hub.close();
  // Nothing is ever written beside the cache.
  expect((await readdir(outside[0])).filter((name) => name !== 'cache')).toEqual([]);
  await rm(outside[0], { recursive: true });
});

const options = (more: HubOptions = {}): HubOptions => ({
  endpoint: hub.endpoint,
  cacheDir,
  token: false,
  offline: false,
  retries: 2,
  retryDelayMs: 5,
  timeoutMs: 500,
  ...more,
});
const locate = async (id = REPO, more: HubOptions = {}): Promise<string> =>
  (await locateModel(id, options(more))).folder;
const repoFolder = (): string => join(cacheDir, 'models--openai-community--gpt2');
const leftovers = async (): Promise<string[]> =>
  (await readdir(join(repoFolder(), 'blobs')).catch(() => [])).filter((name) => name.includes('incomplete'));

async function messageOf(promise: Promise<unknown>, kind: ErrorKind = 'checkpoint'): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof SpexlensError)) throw error ?? new Error('nothing was thrown');
  expect(error.kind).toBe(kind);
  expect(error.message).toMatch(/^[^\n]+\.$/);
  return error.message.replaceAll(hub.endpoint, 'HUB').replaceAll(cacheDir, 'CACHE');
}
/** Misbehaves for the first `times` requests that match. */
function first(
  times: number,
  matches: (asked: Asked) => boolean,
  answer: (response: ServerResponse, asked: Asked) => void,
): void {
  let left = times;
  hub.misbehave = (asked, _, response) => {
    if (left === 0 || !matches(asked)) return false;
    left--;
    answer(response, asked);
    return true;
  };
}
const ofFile = (name: string) => (asked: Asked) =>
  asked.method === 'GET' && asked.path.endsWith(name) && (asked.host === 'storage' || files[name].length <= 2000);
/** Sends the headers of the whole file and some of its bytes, then drops the connection. */
const dropAfter = (name: string, bytes: number) => (response: ServerResponse, asked: Asked) => {
  const from = Number(/\d+/.exec(asked.range ?? '')?.[0] ?? 0);
  const range = from > 0 ? { 'content-range': `bytes ${from}-${files[name].length - 1}/${files[name].length}` } : {};
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': files[name].length - from, etag: '"v1"', ...range });
  response.write(files[name].subarray(from, from + bytes), () => setTimeout(() => response.destroy(), 60)); // when a busy machine has read it too
};

describe('a hub id', () => {
  it('is two names and perhaps a revision', () => {
    expect(parseHubId('openai-community/gpt2')).toEqual({
      repo: 'openai-community/gpt2',
      name: 'gpt2',
      revision: 'main',
    });
    expect(parseHubId('a/b.c_d-1@refs/pr/1')).toEqual({ repo: 'a/b.c_d-1', name: 'b.c_d-1', revision: 'refs/pr/1' });
  });
  it.each(['a/../b', 'a/..', 'a/b/c', 'a', './a/b', '../a', '/a/b', 'a\\b', '~/a', 'C:\\a/b'])(
    '%s is none, but a path',
    (text) => expect(looksLikeHubId(text)).toBe(false),
  );
  it.each([
    'a/b@',
    'a/b@..',
    'a/b@../../x',
    'a/b@x/../y',
    'a/b@/x',
    'a/b@x/',
    'a/b@x\0y',
    'a/b@-x',
    'a/b--c',
    'a/b..c',
    'a/b.',
    '-a/b',
    'a/b.git',
    `a/${'b'.repeat(100)}`,
    'a/b c',
    'a:b/c',
  ])('%s is refused', (text) => {
    expect(() => parseHubId(text)).toThrow(SpexlensError);
  });
});

describe('a model of the hub', () => {
  let backend: Backend;
  beforeAll(async () => void (backend = await open('cpu')));
  afterAll(() => backend.close());

  it('loads by its id, with its tokenizer, from the files that are needed and no others', async () => {
    const model = await loadModel(REPO, { hub: options() });
    expect([model.name, model.folder]).toEqual(['gpt2', join(repoFolder(), 'snapshots', COMMIT)]);
    expect(model.tokenizer?.encode('Mary')).toHaveLength(2);
    model[Symbol.dispose]();
    const touched = new Set(hub.asked.map(({ path }) => path.split('/').pop()));
    expect(touched).toEqual(new Set(['main', ...MODEL_FILES]));
  });

  it('is laid out as Python lays it out: blobs by ETag, relative links, the commit of the revision', async () => {
    const folder = await locate();
    for (const name of MODEL_FILES) {
      const blob =
        files[name].length > 2000
          ? sha256(files[name])
          : createHash('sha1').update(`blob ${files[name].length}\0`).update(files[name]).digest('hex');
      expect(await readlink(join(folder, name))).toBe(`../../blobs/${blob}`);
      expect((await readFile(join(folder, name))).equals(files[name])).toBe(true);
    }
    expect(await readFile(join(repoFolder(), 'refs/main'), 'utf8')).toBe(COMMIT);
    expect((await readdir(repoFolder())).sort()).toEqual(['blobs', 'refs', 'snapshots']);
    expect(await readdir(join(repoFolder(), 'blobs'))).toHaveLength(MODEL_FILES.length);
  });

  it('is copied where links are impossible', async () => {
    const folder = await locate(REPO, { copies: true });
    expect((await lstat(join(folder, 'model.safetensors'))).isSymbolicLink()).toBe(false);
    expect((await readFile(join(folder, 'model.safetensors'))).equals(files['model.safetensors'])).toBe(true);
  });

  it('costs one question the second time, and none when its commit is named', async () => {
    await locate();
    hub.asked.length = 0;
    await locate();
    expect(hub.asked.map(({ path }) => path)).toEqual([`/api/models/${REPO}/revision/main`]);
    await locate(`${REPO}@${COMMIT}`);
    expect(hub.asked).toHaveLength(1);
  });

  it('shares a cache that Python filled', async () => {
    const snapshot = join(repoFolder(), 'snapshots', COMMIT);
    await mkdir(snapshot, { recursive: true });
    await mkdir(join(repoFolder(), 'blobs'));
    await writeFile(join(repoFolder(), 'blobs/abc'), files['model.safetensors']);
    await symlink('../../blobs/abc', join(snapshot, 'model.safetensors'));
    await locate();
    expect(hub.gets('model.safetensors')).toEqual([]);
  });

  it('reports its progress to the last byte', async () => {
    const seen: HubProgress[] = [];
    await locate(REPO, { onProgress: (progress) => seen.push(progress) });
    for (const name of MODEL_FILES) {
      const of = seen.filter(({ file }) => file === name);
      expect(of.at(-1)).toEqual({ file: name, done: files[name].length, total: files[name].length });
      expect(of.map(({ done }) => done)).toEqual(of.map(({ done }) => done).sort((a, b) => a - b));
    }
  });

  it('in shards, or as a PyTorch file, is found through its index', async () => {
    await hub.close();
    const index = (ending: string) =>
      Buffer.from(JSON.stringify({ weight_map: { a: `x-1.${ending}`, b: `x-2.${ending}` } }));
    const shards = {
      'config.json': Buffer.from('{}'),
      'x-1.safetensors': Buffer.alloc(3000, 1),
      'x-2.safetensors': Buffer.alloc(10, 2),
      'x-3.safetensors': Buffer.alloc(10, 3),
    };
    hub = await startHub(REPO, { ...shards, 'model.safetensors.index.json': index('safetensors') });
    expect((await readdir(await locate())).sort()).toEqual([
      'config.json',
      'model.safetensors.index.json',
      'x-1.safetensors',
      'x-2.safetensors',
    ]);
    await hub.close();
    await rm(cacheDir, { recursive: true });
    hub = await startHub(REPO, {
      ...shards,
      'model.safetensors.index.json': index('gguf').fill('x-1.gguf', 0, 0),
      'pytorch_model.bin': Buffer.alloc(4),
    });
    expect(await messageOf(locate())).toContain(
      'maps tensor "a" to "x-1.gguf"; it should be the base name of a .safetensors file',
    );
    await hub.close();
    hub = await startHub(REPO, {
      'config.json': Buffer.from('{}'),
      'pytorch_model.bin.index.json': index('bin'),
      'x-1.bin': Buffer.alloc(5),
    });
    expect(await messageOf(locate())).toContain(
      'names the shard "x-2.bin", which is not among the repository\'s 3 files.',
    );
  });
});

describe('a download', () => {
  const big = 'model.safetensors';

  it('that drops half-way goes on from there', async () => {
    const half = Math.floor(files[big].length / 2);
    first(1, ofFile(big), dropAfter(big, half));
    const folder = await locate();
    expect((await readFile(join(folder, big))).equals(files[big])).toBe(true);
    const [whole, rest] = hub.gets(big);
    expect(whole).toBeUndefined();
    expect(Number(/^bytes=(\d+)-$/.exec(rest ?? '')?.[1])).toBeGreaterThan(0);
    expect(hub.gets(big)).toHaveLength(2);
    expect(await leftovers()).toEqual([]);
  });

  it('that keeps dropping says where, and the next call goes on from there', async () => {
    first(99, ofFile(big), dropAfter(big, 1000));
    expect(await messageOf(locate())).toMatch(
      /^hub .*model\.safetensors: HUB failed 3 times, the last at byte \d+ of \d+ \(.+\); try again later, the download goes on from there\.$/,
    );
    expect(await leftovers()).toHaveLength(1);
    expect(await stat(join(repoFolder(), 'snapshots', COMMIT, big)).catch(() => undefined)).toBeUndefined();
    hub.misbehave = undefined;
    hub.asked.length = 0;
    const folder = await locate();
    expect((await readFile(join(folder, big))).equals(files[big])).toBe(true);
    expect(hub.gets(big)).toHaveLength(1);
    expect(hub.gets(big)[0]).toMatch(/^bytes=[1-9]/);
    expect(await leftovers()).toEqual([]);
  });

  it('takes over the partial file of a process that died, not of one that lives', async () => {
    const blobs = join(repoFolder(), 'blobs');
    await mkdir(blobs, { recursive: true });
    const host = (await import('node:os'))
      .hostname()
      .replace(/[^\w-]/g, '_')
      .slice(0, 60);
    const part = (pid: number) => join(blobs, `${sha256(files[big])}.${host}.${pid}.0.spexlens-incomplete`);
    await writeFile(part(process.ppid), files[big].subarray(0, 100)); // alive
    await writeFile(part(2 ** 22 + 1), files[big].subarray(0, 700)); // above every process id of Linux
    await locate();
    expect(hub.gets(big)).toEqual(['bytes=700-']);
    expect(await leftovers()).toEqual([part(process.ppid).slice(blobs.length + 1)]);
  });

  it('asked for three times at once is whole each time', async () => {
    const folders = await Promise.all([locate(), locate(), locate()]);
    expect(new Set(folders).size).toBe(1);
    for (const name of MODEL_FILES) expect((await readFile(join(folders[0], name))).equals(files[name])).toBe(true);
    expect((await readdir(repoFolder())).sort()).toEqual(['blobs', 'refs', 'snapshots']);
    expect(await readdir(join(repoFolder(), 'blobs'))).toHaveLength(MODEL_FILES.length);
  });

  it('into a folder that cannot be written to says so', async () => {
    await writeFile(cacheDir, 'a file');
    expect(await messageOf(locate())).toMatch(
      /cannot be written \((ENOTDIR|EEXIST)\); set HF_HUB_CACHE to a folder that can be written to\.$/,
    );
  });

  it('resumed from bytes that are wrong or too many starts over', async () => {
    const blobs = join(repoFolder(), 'blobs');
    await mkdir(blobs, { recursive: true });
    const free = join(blobs, `${sha256(files[big])}.spexlens-incomplete`);
    await writeFile(free, Buffer.alloc(500, 7));
    expect((await readFile(join(await locate(), big))).equals(files[big])).toBe(true);
    expect(hub.gets(big)).toEqual(['bytes=500-', undefined]);
    await rm(join(repoFolder(), 'snapshots'), { recursive: true });
    await rm(join(blobs, sha256(files[big])));
    await writeFile(free, Buffer.alloc(files[big].length + 5));
    expect((await readFile(join(await locate(), big))).equals(files[big])).toBe(true);
  });

  it('whose file changed on the server between two parts starts over', async () => {
    first(1, ofFile(big), dropAfter(big, 1000)); // with the ETag "v1", which is no more
    const folder = await locate();
    expect((await readFile(join(folder, big))).equals(files[big])).toBe(true);
    expect(hub.asked.filter(ofFile(big)).map(({ ifRange }) => ifRange)).toEqual([undefined, '"v1"']);
  });

  it('answered 416 starts over', async () => {
    const blobs = join(repoFolder(), 'blobs');
    await mkdir(blobs, { recursive: true });
    await writeFile(join(blobs, `${sha256(files[big])}.spexlens-incomplete`), files[big].subarray(0, 300));
    first(1, ofFile(big), (response) => response.writeHead(416).end());
    expect((await readFile(join(await locate(), big))).equals(files[big])).toBe(true);
    expect(hub.gets(big)).toEqual(['bytes=300-', undefined]);
    first(99, ofFile('config.json'), (response) => response.writeHead(416).end());
    await rm(repoFolder(), { recursive: true });
    expect(await messageOf(locate())).toContain('failed 3 times, the last at byte 0 of');
  });

  it('of other bytes than the announced hash is refused, after one more try, for both kinds of hash', async () => {
    for (const name of [big, 'config.json']) {
      const wrong = Buffer.from(files[name]);
      wrong[5] ^= 1;
      first(99, ofFile(name), (response) => response.writeHead(200, { 'content-length': wrong.length }).end(wrong));
      expect(await messageOf(locate())).toMatch(
        /has the hash [0-9a-f]{40,64} after two downloads, and HUB announced [0-9a-f]{40,64}; the file is damaged on its way or there\.$/,
      );
      expect(await leftovers()).toEqual([]);
      first(1, ofFile(name), (response) => response.writeHead(200, { 'content-length': wrong.length }).end(wrong));
      expect((await readFile(join(await locate(), name))).equals(files[name])).toBe(true);
      await rm(repoFolder(), { recursive: true });
    }
  });

  const lies: [name: string, answer: (response: ServerResponse) => void, message: RegExp][] = [
    [
      'a shorter length',
      (response) => response.writeHead(200, { 'content-length': 10 }).end(Buffer.alloc(10)),
      /announces 10 bytes where \d+ are left; the file is of \d+ bytes\.$/,
    ],
    [
      'a longer length',
      (response) => response.writeHead(200, { 'content-length': 1e9 }).end(),
      /announces 1000000000 bytes where \d+ are left/,
    ],
    [
      'no length and more bytes',
      (response) => void response.writeHead(200).end(Buffer.alloc(files[big].length + 1)),
      /sends more than the \d+ bytes it announced\.$/,
    ],
    [
      'no length and bytes without end',
      (response) => {
        const more = (): void => void (response.destroyed || response.write(Buffer.alloc(1 << 16), more));
        response.writeHead(200);
        more();
      },
      /sends more than the \d+ bytes it announced\.$/,
    ],
    [
      'another range',
      (response) => response.writeHead(206, { 'content-range': 'bytes 7-9/10', 'content-length': 3 }).end('abc'),
      /answers a request from byte 0 with the range "bytes 7-9\/10"/,
    ],
    [
      'compression',
      (response) => response.writeHead(200, { 'content-encoding': 'br' }).end(),
      /sends the file compressed \("br"\) though asked not to/,
    ],
    [
      'no length and fewer bytes',
      (response) => void response.writeHead(200).end('abc'),
      /failed 3 times, the last at byte 3 of \d+ \(it ended early\)/,
    ],
    [
      'silence',
      (response) => void response.writeHead(200).write('abc'),
      /failed 3 times, the last at byte 3 of \d+ \(silent for 500 ms\)/,
    ],
  ];
  it.each(lies)('that is answered with %s is an error, not a file', async (_, answer, message) => {
    first(99, ofFile(big), answer);
    expect(await messageOf(locate())).toMatch(message);
    expect(await stat(join(repoFolder(), 'blobs', sha256(files[big]))).catch(() => undefined)).toBeUndefined();
  });

  it.each([
    ['no ETag', { 'content-length': 5 }, 'gives the ETag "";'],
    ['an ETag that is a path', { etag: '"../../x"', 'content-length': 5 }, 'gives the ETag "../../x";'],
    ['no size', { etag: '"abc"', 'x-linked-size': 'many' }, 'gives no size for the file ("many")'],
  ])('that is announced with %s is refused', async (_, headers, message) => {
    first(
      99,
      ({ method, path }) => method === 'HEAD' && path.endsWith('config.json'),
      (response) => response.writeHead(200, headers).end(),
    );
    expect(await messageOf(locate())).toContain(message);
  });

  it('stops when asked, keeps what it has, and goes on from there', async () => {
    const controller = new AbortController();
    first(1, ofFile(big), (response) => {
      response.writeHead(200, { 'content-length': files[big].length });
      response.write(files[big].subarray(0, 4000), () => setTimeout(() => controller.abort(), 30));
    });
    expect(await messageOf(locate(REPO, { signal: controller.signal, timeoutMs: 5000 }), 'aborted')).toContain(
      'what was downloaded is kept, and the next time goes on from there.',
    );
    expect(await leftovers()).toHaveLength(1);
    await locate();
    expect(hub.gets(big)[1]).toMatch(/^bytes=[1-9]/);
    expect(await messageOf(locate(`${REPO}@other`, { signal: controller.signal }), 'aborted')).toContain(
      'stopped on request',
    );
  });
});

describe('a hub that says no', () => {
  const api = ({ path }: Asked): boolean => path.startsWith('/api/');
  const status =
    (code: number, headers: Record<string, string> = {}) =>
    (response: ServerResponse) =>
      response.writeHead(code, headers).end('{}');

  it.each<[string, number, Record<string, string>, string]>([
    [
      'a repository that is not there',
      401,
      {},
      `hub ${REPO}@main: HUB answers 401: there is no model ${REPO} that may be read, and no folder of that name here; check its name, or set HF_TOKEN if it is private or gated.`,
    ],
    [
      'a gated one',
      403,
      { 'x-error-code': 'GatedRepo' },
      `is gated (403): accept its conditions at HUB/${REPO}, and set HF_TOKEN to a token of that account.`,
    ],
    ['a gated one without a token', 401, { 'x-error-code': 'GatedRepo' }, 'is gated (401)'],
    ['a forbidden one', 403, {}, `HUB answers 403 (forbidden): set HF_TOKEN to a token that may read ${REPO}.`],
    ['one that is not found', 404, { 'x-error-code': 'RepoNotFound' }, 'there is no model'],
    ['an address that is not found', 404, {}, `HUB answers 404: there is no /api/models/${REPO}/revision/main.`],
    ['a bad request', 400, { 'x-error-message': 'strange' }, 'HUB answers 400 ("strange"); it should answer 200.'],
  ])('of %s is explained at once', async (_, code, headers, message) => {
    first(99, api, status(code, headers));
    expect(await messageOf(locate())).toContain(message);
    expect(hub.asked).toHaveLength(1);
  });

  it('of a revision or a file names it', async () => {
    expect(await messageOf(locate(`${REPO}@v9`))).toContain(
      `HUB answers 404: ${REPO} has no revision "v9"; name a branch, tag or commit.`,
    );
    first(99, ({ path }) => path.endsWith('/config.json'), status(404, { 'x-error-code': 'EntryNotFound' }));
    expect(await messageOf(locate())).toBe(
      `hub ${REPO}@main config.json: HUB answers 404: there is no such file in ${REPO}@main.`,
    );
    expect(await messageOf(locate('org/other'))).toContain('there is no model org/other that may be read');
  });

  it.each([429, 500, 502, 503, 504])('for a moment (%i) is asked again, for good it is an error', async (code) => {
    first(2, api, status(code));
    await locate();
    expect(hub.asked.filter(api)).toHaveLength(3);
    first(99, api, status(code));
    expect(await messageOf(locate())).toMatch(
      new RegExp(
        `HUB failed 3 times: it answers ${code}.*; try again later, or set HF_HUB_OFFLINE=1 to use what is in CACHE\\.$`,
      ),
    );
  });

  it('and when to come back is obeyed, up to two minutes', async () => {
    first(1, api, status(429, { 'retry-after': '0.2' }));
    const started = performance.now();
    await locate();
    expect(performance.now() - started).toBeGreaterThan(190);
    first(1, api, status(503, { 'retry-after': new Date(Date.now() - 5000).toUTCString() }));
    await locate();
    first(1, api, status(429, { 'retry-after': '3600' }));
    expect(await messageOf(locate())).toContain(
      'HUB answers 429 and asks to come back in 3600 s; try again then, or set HF_TOKEN.',
    );
  });

  it('that cannot be reached, is silent, or is no hub, is named', async () => {
    expect(await messageOf(locate(REPO, { endpoint: 'http://127.0.0.1:9' }))).toMatch(
      /http:\/\/127\.0\.0\.1:9 failed 3 times: it cannot be reached \(.+\), and there is no folder .+ here; try again later/,
    );
    first(99, api, () => {});
    expect(await messageOf(locate(REPO, { timeoutMs: 50 }))).toContain('it cannot be reached (');
    first(99, api, (response) => response.writeHead(200).end('<html>'));
    expect(await messageOf(locate())).toContain(
      'answers with something that is not JSON; HF_ENDPOINT should be a hub.',
    );
    first(99, api, (response) => response.writeHead(200).end('{"sha":"../../x","siblings":[]}'));
    expect(await messageOf(locate())).toContain(
      'answers without a commit and a list of files; HF_ENDPOINT should be a hub.',
    );
    first(99, api, (response) => response.writeHead(302, { location: '/api/again' }).end());
    expect(await messageOf(locate())).toContain('redirects more than 10 times.');
    first(99, api, (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end());
    expect(await messageOf(locate())).toContain('redirects to something that is no http address.');
  });

  it('about a file with a path for a name is not followed', async () => {
    first(99, api, (response) =>
      response.writeHead(200).end(
        JSON.stringify({
          sha: COMMIT,
          siblings: ['../../../evil', '/etc/x', 'config.json', 'model.safetensors', '..', 'a\\b.pth'].map(
            (rfilename) => ({ rfilename }),
          ),
        }),
      ),
    );
    expect((await readdir(await locate())).sort()).toEqual(['config.json', 'model.safetensors']);
  });

  it('because it holds no model says what was looked for', async () => {
    first(99, api, (response) =>
      response
        .writeHead(200)
        .end(JSON.stringify({ sha: COMMIT, siblings: [{ rfilename: 'config.json' }, { rfilename: 'model.h5' }] })),
    );
    expect(await messageOf(locate())).toContain('and found none; it has weight files "model.h5", which are not read.');
    first(99, api, (response) =>
      response.writeHead(200).end(JSON.stringify({ sha: COMMIT, siblings: [{ rfilename: 'README.md' }] })),
    );
    expect(await messageOf(locate())).toContain(
      'has no config.json among its 1 files; it is not a model of transformers.',
    );
  });
});

describe('the token', () => {
  it('goes to the hub and never to the host that a download is redirected to', async () => {
    await hub.close();
    hub = await startHub(REPO, files, { token: 'hf_secret' });
    await locate(REPO, { token: 'hf_secret' });
    const seen = (host: string) =>
      new Set(hub.asked.filter((asked) => asked.host === host).map(({ authorization }) => authorization));
    expect([...seen('hub')]).toEqual(['Bearer hf_secret']);
    expect(hub.asked.filter(({ host }) => host === 'storage').length).toBeGreaterThan(0);
    expect([...seen('storage')]).toEqual([undefined]);
    await rm(cacheDir, { recursive: true });
    const message = await messageOf(locate(REPO, { token: 'hf_wrong' }));
    expect(message).toContain('the token that was sent is wrong or may not read it');
    expect(message).not.toContain('hf_wrong');
  });

  it('and the rest come from the environment, as in Python', async () => {
    const home = join(cacheDir, 'home');
    await mkdir(home, { recursive: true });
    await writeFile(join(home, 'token'), 'hf_file\n');
    expect(await hubSettings({}, { HF_HOME: home })).toMatchObject({
      endpoint: 'https://huggingface.co',
      cacheDir: join(home, 'hub'),
      token: 'hf_file',
      offline: false,
    });
    expect(
      await hubSettings(
        {},
        {
          HF_HOME: home,
          HF_TOKEN: 'hf_env',
          HF_ENDPOINT: 'https://mirror.example/',
          HF_HUB_CACHE: '/somewhere',
          HF_HUB_OFFLINE: '1',
        },
      ),
    ).toMatchObject({ endpoint: 'https://mirror.example', cacheDir: '/somewhere', token: 'hf_env', offline: true });
    expect(await hubSettings({}, { HF_HOME: home, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' })).toMatchObject({
      token: undefined,
    });
    expect((await hubSettings({}, { XDG_CACHE_HOME: '/x' })).cacheDir).toBe('/x/huggingface/hub');
    await expect(hubSettings({}, { HF_ENDPOINT: 'nonsense' })).rejects.toThrow(
      'HF_ENDPOINT: "nonsense" is not an http address',
    );
    await expect(hubSettings({ token: 'a\nb' }, {})).rejects.toThrow('HF_TOKEN: holds characters that no token has');
  });
});

describe('offline', () => {
  it('a model is taken from the cache without a request, and a missing part is named', async () => {
    expect(await messageOf(locate(REPO, { offline: true }))).toBe(
      `hub ${REPO}@main: offline (HF_HUB_OFFLINE), and the cache has no revision "main" of it in CACHE/models--openai-community--gpt2; download it once while online.`,
    );
    const folder = await locate();
    hub.asked.length = 0;
    expect(await locate(REPO, { offline: true })).toBe(folder);
    expect(await locate(`${REPO}@${COMMIT}`, { offline: true })).toBe(folder);
    await rm(join(repoFolder(), 'blobs', sha256(files['model.safetensors'])));
    expect(await messageOf(locate(REPO, { offline: true }))).toContain(
      'looked for model.safetensors, pytorch_model.bin',
    );
    expect(hub.asked).toEqual([]);
  });
});

describe('what is neither a folder nor a hub id', () => {
  it('is told what would be', async () => {
    expect(await messageOf(locateModel('no-such-folder'))).toBe(
      'model no-such-folder: there is no such folder; pass a folder with config.json and weights, a .gguf file, a hub id such as openai-community/gpt2, or a bundled model (induction-2l-h1, induction-2l-h2, induction-2l-h2-spare, induction-2l-h4, ioi-tiny, planted-rules).',
    );
    expect(await messageOf(locateModel('./no/such'))).toContain('there is no such folder');
    expect(await messageOf(locateModel('models/ioi-tinny', { endpoint: hub.endpoint }))).toBe(
      'model models/ioi-tinny: there is no such folder in models; did you mean models/ioi-tiny? Else for a hub id of that name write models/ioi-tinny@main.',
    );
    expect(await messageOf(locateModel('org/model.gguf', { endpoint: hub.endpoint }))).toBe(
      'model org/model.gguf: there is no such file; for a hub id of that name write org/model.gguf@main.',
    );
    expect(await messageOf(locateModel('model.gguf'))).toBe('model model.gguf: there is no such file.');
    expect(hub.asked).toEqual([]);
    expect((await locateModel(IOI)).name).toBe('ioi-tiny');
  });
});

describe('links that someone else put into the cache', () => {
  const victim = (): string => join(cacheDir, '..', 'cache', 'victim');
  beforeEach(async () => {
    await mkdir(cacheDir, { recursive: true });
    await writeFile(victim(), 'untouched');
  });
  const untouched = async (): Promise<void> => expect(await readFile(victim(), 'utf8')).toBe('untouched');

  it('under the name of a left partial file are removed, and nothing is written through them', async () => {
    await mkdir(join(repoFolder(), 'blobs'), { recursive: true });
    for (const bytes of Object.values(files)) {
      for (const etag of [
        sha256(bytes),
        createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex'),
      ])
        await symlink(victim(), join(repoFolder(), 'blobs', `${etag}.spexlens-incomplete`));
    }
    const folder = await locate();
    expect(await readFile(join(folder, 'config.json'))).toEqual(files['config.json']);
    await untouched();
  });

  it('as the snapshot’s folder, blobs or the model’s own are refused', async () => {
    for (const part of ['', 'blobs', 'snapshots', `snapshots/${COMMIT}`]) {
      const elsewhere = join(cacheDir, 'elsewhere');
      await mkdir(elsewhere, { recursive: true });
      await mkdir(dirname(join(repoFolder(), part)), { recursive: true });
      await symlink(elsewhere, join(repoFolder(), part));
      expect(await messageOf(locate())).toContain('is a link or a file; nothing is written through it. Remove it.');
      expect(await readdir(elsewhere)).toEqual([]);
      await rm(repoFolder(), { recursive: true });
    }
  });

  it('to a file outside it are not used as the model’s', async () => {
    const folder = await locate();
    await rm(join(folder, 'config.json'));
    await symlink(victim(), join(folder, 'config.json'));
    await locate();
    expect(await readFile(join(folder, 'config.json'))).toEqual(files['config.json']);
    await untouched();
  });

  it('and a blob of the right size and wrong bytes is downloaded again', async () => {
    const folder = await locate();
    const blob = await realpath(join(folder, 'config.json'));
    const bytes = Buffer.from(files['config.json']);
    bytes[3] ^= 1;
    await writeFile(blob, bytes);
    await locate();
    expect(await readFile(join(folder, 'config.json'))).toEqual(files['config.json']);
  });
});
