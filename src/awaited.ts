/** Promises that say so when somebody forgot to await them. */
import { fail } from './errors.ts';

/**
 * `promise` itself, on which reading one of the `fields` of what it resolves to throws: whatever function is given it instead of the
 * value reads one of them, and says what is missing.
 */
export function awaited<T extends object>(
  who: string,
  fields: readonly (keyof T & string)[],
  promise: Promise<T>,
): Promise<T> {
  for (const field of fields)
    Reflect.defineProperty(promise, field, {
      get: (): never => {
        throw fail('input', who, `is not done yet: ${field} was read from its promise; write "await ${who}(...)".`);
      },
    });
  return promise;
}
