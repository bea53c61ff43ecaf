/**
 * What tfjs-backend-webgpu 4.22 does not look after: errors of the device, and buffers that nobody uses any more.
 *
 * A shader that does not compile, or a buffer that there was no memory for, is an error that WebGPU reports on the side; the
 * computation goes on and returns zeros. Here the next read throws it instead. And the backend keeps every buffer it has let
 * go for one of exactly its size; where sizes change from batch to batch (rows that share a prefix are not always as many)
 * that grew to 60 GB on an H200 in twenty seconds. Here what is kept unused stays below the most that was ever in use at once.
 */
import { fail } from '../../errors.ts';

/** The part of the backend's buffer manager that is used here. */
export interface BufferManager {
  readonly freeBuffers: Map<string, GPUBuffer[]>;
  numFreeBuffers: number;
  readonly numBytesUsed: number;
  numBytesAllocated: number;
  acquireBuffer(size: number, usage: number, mappedAtCreation?: boolean, reuse?: boolean): GPUBuffer;
  releaseBuffer(buffer: GPUBuffer, reuse?: boolean): void;
}

export interface GuardedBackend {
  readonly bufferManager: BufferManager;
  read(dataId: object): Promise<unknown>;
}

/** A few buffers more or less are not worth a call to the driver. */
const LEAST_KEPT = 2 ** 26;

/** Keeps the unused buffers below the most that were in use at once; those that were wanted longest ago go first. */
export function boundBuffers(manager: BufferManager): void {
  const acquire = manager.acquireBuffer.bind(manager);
  const release = manager.releaseBuffer.bind(manager);
  const wanted = new Map<string, number>();
  let [clock, most] = [0, 0];
  const trim = (): void => {
    const limit = Math.max(most, LEAST_KEPT);
    if (manager.numBytesAllocated - manager.numBytesUsed <= limit) return;
    const oldest = [...manager.freeBuffers]
      .filter(([, buffers]) => buffers.length > 0)
      .sort(([a], [b]) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0));
    for (const [key, buffers] of oldest) {
      while (buffers.length > 0) {
        if (manager.numBytesAllocated - manager.numBytesUsed <= limit) return;
        const buffer = buffers.pop() as GPUBuffer;
        manager.numFreeBuffers--;
        manager.numBytesAllocated -= buffer.size;
        buffer.destroy(); // what was submitted with it still runs
      }
      manager.freeBuffers.delete(key);
      wanted.delete(key);
    }
  };
  manager.acquireBuffer = (size, usage, mappedAtCreation = false, reuse = true) => {
    wanted.set(`${size}_${usage}`, clock++);
    const buffer = acquire(size, usage, mappedAtCreation, reuse);
    most = Math.max(most, manager.numBytesUsed);
    return buffer;
  };
  manager.releaseBuffer = (buffer, reuse = true) => {
    const key = `${buffer.size}_${buffer.usage}`;
    if (!manager.freeBuffers.has(key)) manager.freeBuffers.set(key, []);
    release(buffer, reuse);
    trim();
  };
}

/** From now on a read throws what the device refused since the last one. */
export function throwDeviceErrors(backend: GuardedBackend, device: GPUDevice): void {
  let refused: string | undefined;
  device.addEventListener('uncapturederror', (event) => {
    refused ??= event.error.message.split('\n')[0];
  });
  const read = backend.read.bind(backend);
  backend.read = async (dataId) => {
    const values = await read(dataId);
    if (refused === undefined) return values;
    const why = refused;
    refused = undefined;
    throw fail('backend', 'webgpu', `the device refused a command, and what came of it is not to be used: ${why}`);
  };
}
