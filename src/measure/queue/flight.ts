/** What is on its way: requests of this asker, its jobs, and those of others that it waits for. */
import type { Wanted } from '../mask-threads.ts';
import type { AskedMasks, Piece } from './asked-masks.ts';
import type { Watched } from './job-sweep.ts';

/** What one call of a game asks. */
export interface Request {
  readonly masks: AskedMasks;
  readonly settle: (error?: Error) => void;
}
/** A job in flight. */
export interface Flight extends Watched {
  readonly request: Request;
  readonly piece: Piece;
  /** When, by performance.now(); Infinity until the server has it. */
  sent: number;
}
/** A job of somebody else's, and what here waits for it. */
export interface Other extends Watched {
  readonly wanted: Wanted;
  readonly count: number;
  readonly pieces: readonly { readonly request: Request; readonly piece: Piece }[];
}
