/** In which order examples are met, and how fast is learned: the same for every model of a seed. */
import { fail } from '../errors.ts';
import { createRandom } from '../random.ts';
import { stepperOf, type Optimiser } from './optimiser.ts';

export interface Training {
  readonly optimiser: Optimiser;
  readonly epochs: number;
  /** Examples a step, those that are left out among them; default all. */
  readonly batchSize?: number | undefined;
  /** Of the learning rate: constant (default), or to 0 along a half cosine. */
  readonly schedule?: 'constant' | 'cosine' | undefined;
}

export interface Step {
  /** Numbers of examples. */
  readonly rows: Int32Array;
  /** Share of the learning rate. */
  readonly rate: number;
}

/** All steps of training on `count` examples: each epoch in a fresh order, drawn from `seed`. @throws 'input' on sizes that are none. */
export function stepsOf(
  { epochs, batchSize, schedule = 'constant', optimiser }: Training,
  count: number,
  seed: number,
): Step[] {
  stepperOf(optimiser);
  if (!Number.isInteger(epochs) || epochs < 1)
    throw fail('input', 'epochs', `${epochs}; a whole number >= 1 is needed.`);
  const size = Math.min(batchSize ?? count, count);
  if (!Number.isInteger(size) || size < 1)
    throw fail('input', 'batchSize', `${batchSize} examples a step; a whole number >= 1 is needed.`);
  const random = createRandom(seed, 'train/order');
  const total = epochs * Math.ceil(count / size);
  const steps: Step[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = Int32Array.from({ length: count }, (_, row) => row);
    if (size < count) random.shuffle(order);
    for (let at = 0; at < count; at += size)
      steps.push({
        rows: order.slice(at, at + size),
        rate: schedule === 'constant' ? 1 : (1 + Math.cos((Math.PI * steps.length) / total)) / 2,
      });
  }
  return steps;
}
