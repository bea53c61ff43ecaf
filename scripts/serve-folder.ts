/** Static files over HTTP, for this machine alone: what a web server does for a page of modules, which file: addresses do not load. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.wasm': 'application/wasm',
};

export interface Served {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves `folder`; port 0 takes a free one. @throws where the port is taken. */
export async function serveFolder(folder: string, port: number): Promise<Served> {
  const server = createServer((request, response) => {
    fileOf(folder, request.url ?? '/').then(
      ({ type, bytes }) => {
        response.writeHead(200, { 'Content-Type': type });
        response.end(bytes);
      },
      () => {
        response.writeHead(404, { 'Content-Type': 'text/plain' });
        response.end('There is no such file.\n');
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function fileOf(folder: string, url: string): Promise<{ readonly type: string; readonly bytes: Buffer }> {
  const { pathname } = new URL(url, 'http://localhost');
  const path = normalize(decodeURIComponent(pathname)); // absolute, so that no .. leads out
  const file = join(folder, path.endsWith('/') ? `${path}index.html` : path);
  return { type: TYPES[extname(file)] ?? 'application/octet-stream', bytes: await readFile(file) };
}
