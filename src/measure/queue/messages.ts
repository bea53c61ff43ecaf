/**
 * What goes over the queue, as plain JSON with every size bounded: jobs of packed masks, answers to them, and the failures of a job.
 *
 * A mask of n players is ceil(n / 8) bytes, player 0 in the lowest bit of the first; values are Float64 and gradients Float32, little
 * endian; all in base64, so that numbers arrive to the last bit. Who reads a message checks it: it is data from elsewhere.
 */
import { z } from 'zod';
import { fail, SpexlensError, type ErrorKind } from '../../errors.ts';
import { emptyMasks, type Masks } from '../../masks.ts';
import type { Wanted } from '../mask-threads.ts';

/** The form of everything on the queue; both ends have to be of one. */
export const PROTOCOL = 'queue/1';
/** Masks of a job, at most. */
export const MOST_MASKS = 65_536;
/** Bytes of a job's masks, or of its answers, at most. */
export const MOST_BYTES = 2 ** 21;

/** Values of masks, and their gradients [values.length · players] where those were asked for. */
export interface Answers {
  readonly values: Float64Array;
  readonly gradients?: Float32Array | undefined;
}

/** What a worker says of a job that it did. */
export interface Result extends Answers {
  /** Who measured: `gpu-3/12345`. */
  readonly worker: string;
  readonly milliseconds: number;
}

const base64 = z
  .string()
  .max(Math.ceil((MOST_BYTES * 4) / 3) + 4)
  .regex(/^[A-Za-z0-9+/]*={0,2}$/);
const jobSchema = z.strictObject({
  spexlens: z.literal(PROTOCOL),
  wanted: z.enum(['values', 'gradients']),
  players: z.int().min(1),
  count: z.int().min(1).max(MOST_MASKS),
  masks: base64,
});
const resultSchema = z.strictObject({
  spexlens: z.literal(PROTOCOL),
  worker: z.string().min(1).max(200),
  milliseconds: z.number().min(0),
  values: base64,
  gradients: base64.optional(),
});
const failureSchema = z.strictObject({
  kind: z.enum(['input', 'checkpoint', 'backend', 'budget', 'log', 'aborted']),
  message: z.string().max(2000),
  worker: z.string().max(200),
});

export type JobMessage = z.infer<typeof jobSchema>;
export type ResultMessage = z.infer<typeof resultSchema>;

/** The job that asks for `wanted` of `masks`. */
export function jobOf(masks: Masks, wanted: Wanted): JobMessage {
  return { spexlens: PROTOCOL, wanted, players: masks.players, count: masks.count, masks: packMasks(masks) };
}

/** The masks of a job of a study over `players` players. @throws 'input' for what is no such job. */
export function readJob(message: unknown, players: number): { readonly masks: Masks; readonly wanted: Wanted } {
  const job = parsed(jobSchema, message, 'job');
  if (job.players !== players)
    throw fail('input', 'job', `has masks over ${job.players} players; its study has ${players}.`);
  return { masks: unpackMasks(job.masks, job.count, players), wanted: job.wanted };
}

export function resultOf({ worker, milliseconds, values, gradients }: Result): ResultMessage {
  return {
    spexlens: PROTOCOL,
    worker,
    milliseconds,
    values: bytesOf(values).toString('base64'),
    ...(gradients === undefined ? {} : { gradients: bytesOf(gradients).toString('base64') }),
  };
}

/** The answers to `count` masks over `players` players. @throws 'backend' for another form or other sizes. */
export function readResult(message: unknown, wanted: Wanted, count: number, players: number): Result {
  const result = parsed(resultSchema, message, 'answer of a worker', 'backend');
  const who = `worker ${result.worker}`;
  const values = new Float64Array(bufferOf(result.values, 8 * count, who));
  if (wanted === 'values') return { ...result, values, gradients: undefined };
  return { ...result, values, gradients: new Float32Array(bufferOf(result.gradients ?? '', 4 * count * players, who)) };
}

/** A failure as the text that a failed job keeps. */
export function failureText(error: unknown, worker: string): string {
  const kind = error instanceof SpexlensError ? error.kind : 'backend';
  const message = error instanceof Error ? error.message : String(error);
  return JSON.stringify({ kind, message: message.slice(0, 2000), worker });
}

/** The error that a failed job tells of. */
export function failureOf(text: string, who: string): SpexlensError {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const known = failureSchema.safeParse(json);
  if (!known.success) return fail('backend', who, `a job failed: ${text}.`);
  const { kind, message, worker } = known.data;
  const [source, ...what] = message.split(': ');
  return fail(kind satisfies ErrorKind, source, `${what.join(': ')} (measured by ${worker})`);
}

function packMasks({ players, count, stride, words }: Masks): string {
  const width = Math.ceil(players / 8);
  const bytes = Buffer.alloc(width * count);
  for (let row = 0, at = 0; row < count; row++)
    for (let k = 0; k < width; k++) bytes[at++] = words[row * stride + (k >>> 2)] >>> ((k & 3) * 8);
  return bytes.toString('base64');
}

function unpackMasks(text: string, count: number, players: number): Masks {
  const width = Math.ceil(players / 8);
  const bytes = new Uint8Array(bufferOf(text, width * count, 'job', 'input'));
  const masks = emptyMasks(players, count);
  const spare = 8 * width - players;
  for (let row = 0, at = 0; row < count; row++) {
    for (let k = 0; k < width; k++) masks.words[row * masks.stride + (k >>> 2)] |= bytes[at++] << ((k & 3) * 8);
    if (bytes[at - 1] >>> (8 - spare) !== 0)
      throw fail('input', 'job', `mask ${row} keeps a player beyond the last of ${players}.`);
  }
  return masks;
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array | Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** The bytes of a text, which have to be so many. */
function bufferOf(text: string, length: number, who: string, kind: ErrorKind = 'backend'): ArrayBuffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== length) throw fail(kind, who, `sent ${bytes.length} bytes; ${length} belong to this job.`);
  const own = new ArrayBuffer(length); // aligned, which a pooled buffer need not be
  bytes.copy(new Uint8Array(own));
  return own;
}

function parsed<T>(schema: z.ZodType<T>, message: unknown, who: string, kind: ErrorKind = 'input'): T {
  const result = schema.safeParse(message);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw fail(kind, who, `${issue.path.map(String).join('.') || 'it'}: ${issue.message}.`);
}
