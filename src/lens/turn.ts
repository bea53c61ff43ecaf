/** Pauses of work on tensors, in which signals, timers and progress bars get their turn. */
import { throwIfAborted } from '../errors.ts';
import { breathe } from '../platform/breathe.ts';

/** @throws 'aborted' naming `who`, once `signal` has fired. */
export async function turn(signal: AbortSignal | undefined, who: string): Promise<void> {
  await breathe();
  throwIfAborted(signal, who);
}
