/** A test example that is trained on answers itself. */
import { fail } from '../../errors.ts';
import type { Example } from './data-set.ts';

/** @throws 'input' where a test example stands in the training set, input and label. */
export function requireApart(train: readonly Example[], test: readonly Example[]): void {
  const key = ({ text, vector, label }: Example): string => JSON.stringify([text ?? vector, label]);
  const known = new Map(train.map((example, row) => [key(example), row]));
  test.forEach((example, m) => {
    const row = known.get(key(example));
    if (row !== undefined)
      throw fail(
        'input',
        'test',
        `example ${m} is training example ${row}: it would be explained by itself. Take it out of one of them.`,
      );
  });
}
