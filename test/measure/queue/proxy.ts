/** A way to a port of this machine that can be cut: by closing every connection, or by swallowing what is sent. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Proxy {
  readonly url: string;
  /** Connections are closed, and new ones too. */
  refuse(this: void): void;
  /** Nothing gets through any more on the connections that are there, nor on new ones; nobody is told. */
  swallow(this: void): void;
  /** New connections get through; swallowed ones stay dead. */
  pass(this: void): void;
  close(this: void): Promise<void>;
}

export async function startProxy(port: number): Promise<Proxy> {
  let state: 'pass' | 'refuse' | 'swallow' = 'pass';
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer((near) => {
    if (state === 'refuse') return near.destroy();
    const far = connect(port, '127.0.0.1');
    const pair = [near, far] as const;
    pairs.add(pair);
    const end = (): void => {
      near.destroy();
      far.destroy();
      pairs.delete(pair);
    };
    for (const each of pair) each.on('error', end).on('close', end);
    if (state === 'swallow') return;
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refuse() {
      state = 'refuse';
      for (const [near] of pairs) near.destroy();
    },
    swallow() {
      state = 'swallow';
      for (const [near, far] of pairs) {
        near.unpipe(far);
        far.unpipe(near);
        near.resume();
        far.resume();
      }
    },
    pass() {
      state = 'pass';
    },
    async close() {
      for (const [near] of pairs) near.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
