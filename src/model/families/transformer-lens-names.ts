/** The tensors of a TransformerLens checkpoint: the canonical names, with a head axis of their own. */
import { parameterShapes, type ModelConfig } from '../config.ts';
import { fail } from '../../errors.ts';
import { same, swapLeading, type Source, type Take } from './family.ts';

/**
 * Canonical names are TransformerLens's, but for grouped keys and values (_W_K, _W_V) and for W_Q, W_K, W_V and W_O,
 * which have an axis of heads there.
 */
export function lensSources(config: ModelConfig): readonly Source[] {
  const { dModel: d, dHead: e, nHeads } = config;
  const kv = config.nKvHeads ?? nHeads;
  return Object.entries(parameterShapes(config)).flatMap(([name, shape]): Source | Source[] => {
    // A gate has no bias there, and b_in is added behind the product, which only a bias of zeros does not tell apart.
    if (name.endsWith('.mlp.b_gate')) return [];
    if (config.gated === true && name.endsWith('.mlp.b_in'))
      return { tensor: name, shape, gives: { [name]: zeros(name), [name.replace('b_in', 'b_gate')]: zeros(name) } };
    const match = /^(blocks\.\d+\.attn)\.([Wb])_([QKVO])$/.exec(name);
    if (match === null) return { tensor: name, shape, gives: { [name]: same } };
    const [, attn, kind, letter] = match;
    const heads = letter === 'K' || letter === 'V' ? kv : nHeads;
    const tensor = heads === kv && kv < nHeads ? `${attn}._${kind}_${letter}` : name;
    if (letter === 'O') return { tensor: name, shape: kind === 'W' ? [nHeads, e, d] : [d], gives: { [name]: same } };
    if (kind === 'b') return { tensor, shape: [heads, e], gives: { [name]: same } };
    return { tensor, shape: [heads, d, e], gives: { [name]: swapLeading(heads, d, e) } };
  });
}

/** @throws for values other than 0. */
function zeros(name: string): Take {
  return (data) => {
    const other = data.find((value) => value !== 0);
    if (other === undefined) return data;
    throw fail(
      'checkpoint',
      'transformer-lens',
      `${name} holds ${other}; in a gated MLP of TransformerLens it is added behind the product, and only zeros are supported.`,
    );
  };
}
