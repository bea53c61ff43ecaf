/**
 * The better of the stack and ProxySPEX, by their errors on rows that neither fitted.
 */
import type { Masks } from '../masks.ts';
import type { FourierSpectrum } from '../spectrum/spectrum.ts';
import { fitProxySpex, type ProxySpexOptions } from './fit.ts';
import { MOST_MASKS, MOST_PLAYERS } from './process/gaussian-process.ts';
import { MOST_INFLUENCE_MASKS } from './process/influence-process.ts';
import { fitStack } from './stack.ts';

/** Players x masks of a stack beyond its processes: above, growing parities takes minutes. */
const MOST_CELLS = 2e6;

export interface BestFit {
  /** 'stack', or 'proxyspex' where that is no worse or a stack would take too long. */
  readonly solver: 'stack' | 'proxyspex';
  readonly spectrum: FourierSpectrum;
  readonly kind: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** The out-of-sample scores that decided. */
  readonly why: string;
}

/** The better of the stack and ProxySPEX by their errors on rows that were not fitted. @throws as `fitProxySpex`. */
export async function fitBest(
  masks: Masks,
  values: ArrayLike<number>,
  options: ProxySpexOptions = {},
): Promise<BestFit> {
  const small = masks.players <= MOST_PLAYERS && masks.count <= MOST_MASKS;
  if (!small && (masks.players * masks.count > MOST_CELLS || masks.count > MOST_INFLUENCE_MASKS)) {
    const { spectrum, kind, ...details } = await fitProxySpex(masks, values, options);
    return {
      solver: 'proxyspex',
      spectrum,
      kind,
      details,
      why: `a stack of ${masks.players} players x ${masks.count} masks would take minutes`,
    };
  }
  const { spectrum, kind, ...details } = await fitStack(masks, values, options);
  const trees = details.members.find(({ name }) => name === 'trees');
  if (trees === undefined) return { solver: 'proxyspex', spectrum, kind, details, why: 'no fit was needed' };
  const why = `out-of-sample R² of the stack ${details.r2.toFixed(4)}, of proxyspex ${trees.r2.toFixed(4)}`;
  return { solver: kind === 'stack' ? 'stack' : 'proxyspex', spectrum, kind, details, why };
}
