/**
 * One measurement in a process of its own, printed as JSON: time and peak memory of one way to load a folder.
 *
 *     once.ts read FOLDER            read every tensor's bytes and widen them to float32, with Node's fs alone
 *     once.ts convert FOLDER         the same, and lay the numbers out as the products want them (transposed, split)
 *     once.ts load FOLDER BACKEND    loadModel
 */
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openBackend } from '../../src/open-backend.ts';
import { familyOf } from '../../src/model/families/families.ts';
import type { Source } from '../../src/model/families/family.ts';
import { loadModel } from '../../src/model/model.ts';

export interface Measurement {
  readonly ms: number;
  /** Processor time of the process and the kernel on its behalf, which other programs disturb less. */
  readonly cpuMs: number;
  /** Resident memory right before, and the most it ever was; bytes. */
  readonly before: number;
  readonly peak: number;
  /** float32 values made. */
  readonly values: number;
}

/** Every tensor of the folder, widened; and, when asked, laid out. The arrays are kept, as a model keeps them. */
async function plain(folder: string, laidOut: boolean): Promise<number> {
  const file = await open(join(folder, 'model.safetensors'));
  const prefix = Buffer.alloc(8);
  await file.read(prefix, 0, 8, 0);
  const json = Buffer.alloc(Number(prefix.readBigUInt64LE()));
  await file.read(json, 0, json.length, 8);
  const header = JSON.parse(json.toString()) as Record<string, { dtype: string; data_offsets: [number, number] }>;
  const layouts = laidOut ? await layoutsOf(folder, Object.keys(header)) : new Map<string, Source['gives']>();
  const kept: Float32Array[] = [];
  for (const [name, { dtype, data_offsets }] of Object.entries(header)) {
    const bytes = new Uint8Array(data_offsets[1] - data_offsets[0]);
    await file.read(bytes, 0, bytes.length, 8 + json.length + data_offsets[0]);
    const values = widened(bytes, dtype);
    const takes = Object.values(layouts.get(name) ?? {});
    if (takes.length === 0) kept.push(values);
    else for (const take of takes) kept.push(take(values));
  }
  await file.close();
  return kept.reduce((sum, { length }) => sum + length, 0);
}

function widened(bytes: Uint8Array<ArrayBuffer>, dtype: string): Float32Array {
  if (dtype === 'F32') return new Float32Array(bytes.buffer);
  const halves = new Uint16Array(bytes.buffer);
  const values = new Float32Array(halves.length);
  const bits = new Uint32Array(values.buffer);
  if (dtype === 'BF16') for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
  else for (let i = 0; i < halves.length; i++) values[i] = halfTable[halves[i]];
  return values;
}

/** What the family makes of each tensor. */
async function layoutsOf(folder: string, names: readonly string[]): Promise<ReadonlyMap<string, Source['gives']>> {
  const raw = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;
  const family = familyOf(raw);
  const known = new Set(names);
  return new Map(family.sources(family.readConfig(raw, known), known, raw).map(({ tensor, gives }) => [tensor, gives]));
}

/** Values by half-precision pattern; the checkpoints here hold no infinities. */
const halfTable = Float32Array.from({ length: 65536 }, (_, half) => {
  const exponent = (half >>> 10) & 31;
  const magnitude = exponent === 0 ? (half & 1023) * 2 ** -24 : (1024 + (half & 1023)) * 2 ** (exponent - 25);
  return half & 0x8000 ? -magnitude : magnitude;
});

const [way, folder, backendName] = process.argv.slice(2);
const backend = way === 'load' ? await openBackend(backendName) : undefined;
const before = process.memoryUsage().rss;
const cpuBefore = process.cpuUsage();
const started = performance.now();
let values: number;
if (way === 'load') {
  const model = await loadModel(folder);
  values = model.parameterCount;
} else {
  values = await plain(folder, way === 'convert');
}
const ms = performance.now() - started;
const cpu = process.cpuUsage(cpuBefore);
const measurement: Measurement = {
  ms,
  cpuMs: (cpu.user + cpu.system) / 1000,
  before,
  peak: process.resourceUsage().maxRSS * 1024,
  values,
};
process.stdout.write(JSON.stringify(measurement));
backend?.close();
