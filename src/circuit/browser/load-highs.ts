/** HiGHS in a page: left out, as it is 3.5 MB and looks for its module beside a script that bundlers move. */
import type { Highs } from 'highs';
import { fail } from '../../errors.ts';

/** @throws 'input' always. */
export async function loadHighs(): Promise<Highs> {
  throw fail(
    'input',
    'integer program',
    'needs HiGHS, which is not for pages; choose enumeration or greedy, or run in Node.',
  );
}
