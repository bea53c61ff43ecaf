/**
 * The layouts of a transformer block, as data: where norms stand, what each part reads and writes, and in which order.
 *
 * The forward pass, its Float64 twin, the parameters, the hook points and the descriptions all read this table and
 * compare no names, so a new layout is one entry here. A part is the attention or the MLP.
 */

/** The norms of a block, with the hooks `blocks.{l}.{name}.hook_scale` and `.hook_normalized`. */
export type BlockNorm = 'ln1' | 'ln1_post' | 'ln2' | 'ln2_post';

export interface PartNorms {
  /** Over what the part reads; it reads the residual as it is when absent. */
  readonly input?: BlockNorm;
  /** The norm whose weights `input` has, where it has none of its own. */
  readonly inputWeights?: BlockNorm;
  /** Over what the part writes, before hook_attn_out or hook_mlp_out: those hooks show what is added. */
  readonly output?: BlockNorm;
  /** Over the residual stream itself, once the part is added. */
  readonly stream?: BlockNorm;
}

/** Where norms stand in a block, and whether its two parts read the same input. */
export interface Layout {
  /** For descriptions. */
  readonly text: string;
  /** Both parts read the block's input, and both are added to it: there is no hook_resid_mid. */
  readonly parallel: boolean;
  readonly attn: PartNorms;
  readonly mlp: PartNorms;
}

/** How blocks are built, by name. */
export const LAYOUTS = {
  /** x + attn(ln1 x), then + mlp(ln2 ·). The default. */
  pre: {
    text: 'norms before each part',
    parallel: false,
    attn: { input: 'ln1' },
    mlp: { input: 'ln2' },
  },
  /** As pre, and what each part writes is normed first (Gemma 2 and 3). */
  sandwich: {
    text: 'norms before and after each part',
    parallel: false,
    attn: { input: 'ln1', output: 'ln1_post' },
    mlp: { input: 'ln2', output: 'ln2_post' },
  },
  /** x + ln1(attn x), then + ln2(mlp ·) (OLMo 2): the parts read the residual as it is. */
  output: {
    text: 'norms over what each part writes',
    parallel: false,
    attn: { output: 'ln1' },
    mlp: { output: 'ln2' },
  },
  /** ln1(x + attn x), then ln2(· + mlp ·); no ln_final (BERT, OPT-350m). */
  post: {
    text: 'norms after each part',
    parallel: false,
    attn: { stream: 'ln1' },
    mlp: { stream: 'ln2' },
  },
  /** x + attn(ln1 x) + mlp(ln2 x) (GPT-NeoX). */
  parallel: {
    text: 'attention and MLP in parallel',
    parallel: true,
    attn: { input: 'ln1' },
    mlp: { input: 'ln2' },
  },
  /** As parallel, with ln1's weights in ln2 (Phi, GPT-J). */
  'parallel-shared': {
    text: 'attention and MLP in parallel behind one norm',
    parallel: true,
    attn: { input: 'ln1' },
    mlp: { input: 'ln2', inputWeights: 'ln1' },
  },
} as const satisfies Readonly<Record<string, Layout>>;

/** One of LAYOUTS. */
export type LayoutName = keyof typeof LAYOUTS;

/** The layout of a model's blocks. */
export function layoutOf({ layout = 'pre' }: { readonly layout?: LayoutName }): Layout {
  return LAYOUTS[layout];
}

/** Where a residual stands when its block is done. */
export function handedOn(layout: Layout): 'hook_resid_post' | 'hook_normalized_resid_post' {
  return layout.mlp.stream === undefined ? 'hook_resid_post' : 'hook_normalized_resid_post';
}
