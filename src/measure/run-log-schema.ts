/**
 * The lines of `run-log.jsonl` as a schema, for readers that are not this program.
 *
 * Our own reader is stricter (run-log-line.ts): it wants these fields in this order, numbers as they are written, and the checksum.
 */
import { z } from 'zod';

/** CRC-32 of the line before `,"crc"`, eight hex digits. */
const crc = z.string().regex(/^[0-9a-f]{8}$/);

/** Line 1. */
export const runLogHeader = z.strictObject({
  spexlens: z.literal('run-log/2'),
  /** SHA-256 of the study as canonical JSON. */
  hash: z.string(),
  /** What was asked; see study.ts. */
  study: z.record(z.string(), z.unknown()),
  crc,
});

/** Every further line. */
export const runLogEntry = z.strictObject({
  /** Byte k holds players 8k..8k+7, lowest bit first; 1 = kept. */
  mask: z.string().regex(/^(?:[0-9a-f]{2})*$/),
  /** f(mask), in the metric's units. */
  value: z.number(),
  /** ∂f/∂m by player: base64 of little-endian float32, where it was measured. */
  gradient: z.exactOptional(z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/)),
  crc,
});

/** A line of the file. */
export const runLogLine = z.union([runLogHeader, runLogEntry]);
