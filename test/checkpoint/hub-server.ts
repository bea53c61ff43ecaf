/** A hub on this machine for tests: serves a repository tree as the real one does, and misbehaves on request. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly host: 'hub' | 'storage';
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly authorization: string | undefined;
}

/** Answers the request itself and returns true, or leaves it to the hub. */
export type Misbehaviour = (asked: Asked, request: IncomingMessage, response: ServerResponse) => boolean;

export interface TestHub {
  readonly endpoint: string;
  readonly storage: string;
  readonly asked: Asked[];
  misbehave: Misbehaviour | undefined;
  /** Requests of a file's bytes since the beginning: [path, range]. */
  gets(file: string): (string | undefined)[];
  close(): Promise<void>;
}

export const COMMIT = '0123456789abcdef0123456789abcdef01234567';

/**
 * Files of at most `largeFrom` bytes come from the hub itself with git's SHA-1 as ETag; larger ones are
 * redirected to a second host, with their SHA-256 in X-Linked-Etag, as the real hub does with LFS files.
 */
export async function startHub(
  repo: string,
  files: Readonly<Record<string, Buffer>>,
  { largeFrom = 2000, token = '', revisions = ['main'] } = {},
): Promise<TestHub> {
  const asked: Asked[] = [];
  const hub: { misbehave: Misbehaviour | undefined } = { misbehave: undefined };
  const listen = async (
    host: Asked['host'],
    handle: (asked: Asked, response: ServerResponse, request: IncomingMessage) => void,
  ): Promise<Server> => {
    const server = createServer((request, response) => {
      const { method = '', url = '', headers } = request;
      const one: Asked = {
        method,
        path: url,
        host,
        range: headers.range,
        ifRange: headers['if-range'] as string | undefined,
        authorization: headers.authorization,
      };
      asked.push(one);
      if (hub.misbehave?.(one, request, response) !== true) handle(one, response, request);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server;
  };
  const send = ({ method, range, ifRange }: Asked, response: ServerResponse, bytes: Buffer, etag: string): void => {
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const partial = range !== undefined && (ifRange === undefined || ifRange === etag);
    if (partial && from >= bytes.length) {
      response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
      return;
    }
    const body = partial ? bytes.subarray(from) : bytes;
    response.writeHead(partial ? 206 : 200, {
      'content-length': body.length,
      etag,
      'x-repo-commit': COMMIT,
      ...(partial ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    response.end(method === 'HEAD' ? undefined : body);
  };
  const refuse = (response: ServerResponse, status: number, code: string): void =>
    void response.writeHead(status, { 'x-error-code': code }).end('no');

  const storage = await listen('storage', (one, response) => {
    const bytes = files[decodeURIComponent(one.path.slice('/lfs/'.length))];
    if (bytes === undefined) refuse(response, 404, 'none');
    else send(one, response, bytes, `"storage-${bytes.length}"`);
  });
  const storageAt = `http://127.0.0.1:${(storage.address() as AddressInfo).port}`;
  const server = await listen('hub', (one, response) => {
    if (token !== '' && one.authorization !== `Bearer ${token}`) return refuse(response, 401, 'RepoNotFound');
    const api = /^\/api\/models\/(.+)\/revision\/([^/]+)$/.exec(one.path);
    if (api !== null) {
      if (api[1] !== repo) return refuse(response, 401, 'RepoNotFound');
      if (![...revisions, COMMIT].includes(decodeURIComponent(api[2])))
        return refuse(response, 404, 'RevisionNotFound');
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(
          JSON.stringify({ id: repo, sha: COMMIT, siblings: Object.keys(files).map((rfilename) => ({ rfilename })) }),
        );
      return;
    }
    const file = decodeURIComponent(
      new RegExp(`^/${repo}/resolve/(?:${[...revisions, COMMIT].join('|')})/(.+)$`).exec(one.path)?.[1] ?? '',
    );
    const bytes = files[file];
    if (bytes === undefined) return refuse(response, 404, 'EntryNotFound');
    if (bytes.length <= largeFrom)
      return send(
        one,
        response,
        bytes,
        `"${createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')}"`,
      );
    const etag = createHash('sha256').update(bytes).digest('hex');
    response
      .writeHead(302, {
        location: `${storageAt}/lfs/${encodeURIComponent(file)}`,
        'x-linked-etag': `"${etag}"`,
        'x-linked-size': bytes.length,
        'x-repo-commit': COMMIT,
      })
      .end();
  });

  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    storage: storageAt,
    asked,
    get misbehave() {
      return hub.misbehave;
    },
    set misbehave(value) {
      hub.misbehave = value;
    },
    gets: (file) =>
      asked
        .filter(
          ({ method, host, path }) =>
            method === 'GET' &&
            path.endsWith(`/${encodeURIComponent(file)}`) &&
            (host === 'storage' || (files[file]?.length ?? 0) <= largeFrom),
        )
        .map(({ range }) => range),
    async close() {
      for (const one of [server, storage]) {
        one.closeAllConnections();
        await new Promise((resolve) => one.close(resolve));
      }
    },
  };
}
