/**
 * Pages of runs over HTTP, for this machine alone.
 *
 * It listens on 127.0.0.1 and answers only requests that name that host, so that no web page can reach it by a name of its own
 * (DNS rebinding). A request names a run as the list does; no part of a request ever becomes a path.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fail } from '../../src/errors.ts';
import { compareRuns } from '../../src/report/compare-runs.ts';
import { PAGE_POLICY } from '../../src/report/page.ts';
import { jsonOf, pageOf } from '../report/records.ts';
import { runList } from './run-list.ts';
import { findRunsIn, type FoundRun } from './runs.ts';

export interface Serving {
  readonly url: string;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: 'text/html' | 'application/json' | 'text/plain';
  readonly text: string;
}

const HEADERS = {
  'Content-Security-Policy': `${PAGE_POLICY}; frame-ancestors 'none'`,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};

/** Serves the runs below `folder`; port 0 takes a free one. @throws 'input' where the folder cannot be read or the port is taken. */
export async function serveRuns(folder: string, port: number): Promise<Serving> {
  const runs = findRunsIn(folder);
  runs(); // refuses a folder that is not there before anybody asks
  const server = createServer((request, response) => {
    const { status, type, text } = safely(() => answer(request, folder, runs));
    response.writeHead(status, { ...HEADERS, 'Content-Type': `${type}; charset=utf-8` });
    response.end(request.method === 'HEAD' ? undefined : text);
  });
  const at = await listening(server, port);
  return {
    url: `http://127.0.0.1:${at}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        fail('input', '--port', `${port} cannot be listened on (${error.code}); give another, or 0 for a free one.`),
      ),
    );
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

function safely(run: () => Answer): Answer {
  try {
    return run();
  } catch (error) {
    return plain(500, error instanceof Error ? error.message : String(error));
  }
}

function answer(
  { method, headers, url = '/', socket }: IncomingMessage,
  folder: string,
  runs: () => FoundRun[],
): Answer {
  const own = [`127.0.0.1:${socket.localPort}`, `localhost:${socket.localPort}`];
  if (!own.includes(headers.host ?? '')) return plain(421, `This server answers to ${own.join(' and ')} alone.`);
  if (method !== 'GET' && method !== 'HEAD') return plain(405, 'Only GET and HEAD are answered.');
  const [pathname, query = ''] = url.split('?', 2);
  const asked = new URLSearchParams(query);
  const all = runs();
  const named = (key: string): FoundRun | undefined => all.find(({ id }) => id === asked.get(key));
  switch (pathname) {
    case '/':
      return html(runList(folder, all));
    case '/run': {
      const run = named('record');
      if (run === undefined || run.record.kind === 'broken') return missing(asked.get('record'));
      return html(pageOf(run.record, run.path));
    }
    case '/json': {
      const record = named('record')?.record;
      if (record === undefined || record.kind === 'broken') return missing(asked.get('record'));
      return { status: 200, type: 'application/json', text: jsonOf(record) };
    }
    case '/compare': {
      const [a, b] = [named('a'), named('b')];
      if (a?.record.kind !== 'result') return missing(asked.get('a'));
      if (!asked.has('b')) return html(runList(folder, all, a));
      if (b?.record.kind !== 'result') return missing(asked.get('b'));
      return html(compareRuns(a.record.result, b.record.result));
    }
    default:
      return plain(404, 'There is no such page; / lists the runs.');
  }
}

function html(text: string): Answer {
  return { status: 200, type: 'text/html', text };
}

function plain(status: number, text: string): Answer {
  return { status, type: 'text/plain', text: `${text}\n` };
}

function missing(id: string | null): Answer {
  return plain(404, id === null ? 'No run is named.' : 'There is no such run that can be read; / lists them.');
}
