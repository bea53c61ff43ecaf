/** A record whose MLPs are mixtures. */
import { fail } from '../../errors.ts';
import type { ModelConfig } from '../config.ts';

/** `config` with `experts` of `width` hidden units each. @throws 'checkpoint' when more are active than there are. */
export function withExperts(
  config: ModelConfig,
  experts: NonNullable<ModelConfig['experts']>,
  width: number,
): ModelConfig {
  const { count, active } = experts;
  if (active > count)
    throw fail(
      'checkpoint',
      'config.json',
      `${active} experts are active of ${count} in this ${config.family} model; at most all of them can be.`,
    );
  return { ...config, dMlp: count * width, experts };
}
