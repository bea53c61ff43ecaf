import { describe, expect, it } from 'vitest';
import { describeModel } from '../../src/model/describe.ts';
import { hookPoints } from '../../src/model/hook-points.ts';
import { CONFIGS } from '../tensors.ts';

const rowsOf = (name: string): Record<string, string> =>
  Object.fromEntries(
    describeModel({ config: CONFIGS[name] }).hooks.map(({ hook, shape, formula }) => [hook, `${shape} ${formula}`]),
  );

describe('describeModel', () => {
  it.each(Object.keys(CONFIGS))(
    'has one row with a shape and a formula for every hook of the model, in forward order: %s',
    (name) => {
      const { hooks, text } = describeModel({ config: CONFIGS[name] });
      const kinds = new Set(
        hookPoints(CONFIGS[name]).map((point) => point.name.replace(/^blocks\.\d+\./, 'blocks.{l}.')),
      );
      expect(hooks.map((row) => row.hook)).toEqual([...kinds]);
      for (const row of hooks) {
        expect(row.shape, row.hook).toMatch(/^\[batch, .+\]$/);
        expect(row.formula, row.hook).toMatch(/\w/);
        expect(text).toContain(row.formula);
      }
      expect(text).not.toMatch(/undefined|NaN|\[object/);
    },
  );

  it('says of a model without norms that it has none', () => {
    const { facts } = describeModel({ config: CONFIGS['attention-only, no norm, no bias'] });
    expect(facts.join('\n')).toMatch(/; causal; no norms$/m);
    expect(facts.join('\n')).not.toContain('norms before');
  });

  it("says this model's own formulas", () => {
    expect(rowsOf('gpt2')).toMatchObject({
      'blocks.{l}.attn.hook_q': '[batch, pos, head 3, d_head 8] ln1(resid_pre)·W_Q + b_Q',
      'blocks.{l}.mlp.hook_post': '[batch, pos, d_mlp 64] gelu_tanh(pre)',
      'blocks.{l}.ln1.hook_normalized': '[batch, pos, d_model 24] (x - mean(x)) / scale, before ·w + b',
    });
    expect(rowsOf('llama: rotary, gated, grouped heads')).toMatchObject({
      'blocks.{l}.attn.hook_k': '[batch, pos, kv_head 2, d_head 6] ln1(resid_pre)·W_K',
      'blocks.{l}.attn.hook_attn_scores': '[batch, head 4, q_pos, k_pos] rot_q·rot_k · 0.35, -1e30 where hidden',
      'blocks.{l}.mlp.hook_post': '[batch, pos, d_mlp 64] silu(pre) · pre_linear',
    });
    expect(rowsOf('four norms, caps, windows, query and key norms, scaled embedding')).toMatchObject({
      'blocks.{l}.attn.hook_rot_q': '[batch, pos, head 4, d_head 6] q_norm(q) turned by its position',
      'blocks.{l}.attn.hook_attn_scores':
        '[batch, head 4, q_pos, k_pos] 2·tanh(rot_q·rot_k · scale of the layer / 2), -1e30 where hidden',
      'blocks.{l}.hook_attn_out': '[batch, pos, d_model 24] ln1_post(z·W_O)',
    });
    expect(rowsOf('parallel, one norm, layer norm over queries and keys')['blocks.{l}.hook_resid_post']).toContain(
      'resid_pre + attn_out + mlp_out',
    );
  });

  it('says what differs between layers, and how logits come about', () => {
    expect(
      describeModel({ config: CONFIGS['four norms, caps, windows, query and key norms, scaled embedding'] }).facts,
    ).toEqual([
      'llama: 3 layers, 4 heads on 1 key/value heads of 6, d_model 24, d_mlp 64, vocabulary 17, context 12',
      '19308 parameters; causal; norms before and after each part',
      'rotary positions: 6 dimensions, theta 100',
      'a query at i sees in layer 0: keys i - 3 < j <= i',
      'a query at i sees in layer 1: every key',
      'a query at i sees in layer 2: keys i - 2 < j <= i',
      'logits = 5·tanh((ln_final(resid_post)·W_U) / 5)',
    ]);
    const windows = [4, 4, 4, null, 4, 4, null];
    const deep = { ...CONFIGS['gpt2'], nLayers: 7, attention: { scales: windows.map(() => 1), causal: true, windows } };
    expect(describeModel({ config: deep }).facts.slice(2, 4)).toEqual([
      'a query at i sees in layers 0-2, 4, 5: keys i - 4 < j <= i',
      'a query at i sees in layers 3, 6: every key',
    ]);
    expect(
      describeModel({ config: CONFIGS['post-norm, bidirectional, token types, masked-LM head'] }).facts.at(-1),
    ).toBe('logits = mlm_head.ln(gelu(normalized_resid_post·W + b))·W_U + b_U');
  });
});
