"""Tiny random models in TransformerLens's own format and what TransformerLens 3 computes with them at every hook.

    python test/golden/make-transformer-lens.py      (needs transformer-lens < 4; writes test/golden/transformer-lens/<case>/)

A case is a folder: config.json (HookedTransformerConfig.to_dict) and model.safetensors (the state dict), and golden.safetensors with
tokens, logits and one tensor for every hook that fires, under its name. The case bert has no model of its own: it is
../families/bert through HookedEncoder.
"""

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformer_lens import HookedEncoder, HookedTransformer, HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions import convert_bert_weights
from transformers import BertForPreTraining

OUT = Path(__file__).resolve().parent / "transformer-lens"
BASE = dict(n_layers=2, d_model=12, n_heads=4, d_head=4, d_mlp=20, n_ctx=12, d_vocab=13, act_fn="gelu", normalization_type="LN",
            use_attn_result=True, use_split_qkv_input=True, use_hook_mlp_in=True, device="cpu", seed=0)
CASES = {
    "plain": dict(),
    "rotary": dict(positional_embedding_type="rotary", rotary_dim=2, rotary_base=100, rotary_adjacent_pairs=True, act_fn="gelu_fast", parallel_attn_mlp=True),
    "rotary-halves": dict(positional_embedding_type="rotary", rotary_base=50, rotary_scaling_factor=2.0, normalization_type="LNPre", act_fn="solu"),
    "rms-gated-grouped": dict(positional_embedding_type="rotary", n_key_value_heads=2, normalization_type="RMS", gated_mlp=True, act_fn="silu", final_rms=True, clip_qkv=1.5),
    "four-norms-capped": dict(positional_embedding_type="rotary", n_key_value_heads=1, normalization_type="RMS", gated_mlp=True, act_fn="gelu_pytorch_tanh", use_normalization_before_and_after=True, use_qk_norm=True,
                              attn_scores_soft_cap=2.0, output_logits_soft_cap=1.5, use_local_attn=True, window_size=3, attn_types=["local", "global"], rotary_base_local=20),
    "rms-pre": dict(normalization_type="RMSPre", act_fn="relu2", attn_scale=1.7),
    "alibi": dict(positional_embedding_type="alibi", post_embedding_ln=True, act_fn="gelu_new"),
    "shortformer": dict(positional_embedding_type="shortformer", attn_only=True, normalization_type=None, scale_attn_by_inverse_layer_idx=True),
    "solu": dict(act_fn="solu_ln", attention_dir="bidirectional", use_attn_scale=False, d_vocab_out=7),
}
TOKENS = [[3, 1, 4, 11, 5, 9, 2]]
MADE = f"python test/golden/make-transformer-lens.py; torch {torch.__version__.split('+')[0]}, transformer-lens {version('transformer-lens')}, float32"


def randomise(model):
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            gated_bias = name.endswith("mlp.b_in") and model.cfg.gated_mlp
            p.copy_(0 * noise if gated_bias else 1 + 0.3 * noise if name.endswith(".w") else 0.3 * noise)


def save(folder, tokens, logits, cache):
    tensors = {name: value.detach().contiguous().clone().float() for name, value in cache.items()}
    tensors |= {"tokens": torch.tensor(tokens, dtype=torch.int32), "logits": logits.detach().contiguous().clone()}
    save_file(tensors, folder / "golden.safetensors", metadata={"made": MADE})
    print(f"{folder.name:20} {len(cache)} hooks, logits up to {logits.abs().max().item():.1f}")


shutil.rmtree(OUT, ignore_errors=True)
for case, settings in CASES.items():
    folder = OUT / case
    folder.mkdir(parents=True)
    config = HookedTransformerConfig(**{**BASE, **settings})
    model = HookedTransformer(config)
    randomise(model)
    written = {name: str(value).removeprefix("torch.") if isinstance(value, torch.dtype) else value for name, value in config.to_dict().items()}
    (folder / "config.json").write_text(json.dumps({**written, "model_type": "transformer-lens"}, indent=1, default=float) + "\n")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors")
    logits, cache = model.run_with_cache(torch.tensor(TOKENS))
    model.cfg.use_split_qkv_input = False  # split, ln1 sees a copy of the residual for every head
    _, shared = model.run_with_cache(torch.tensor(TOKENS))
    save(folder, TOKENS, logits, {**cache, **{name: value for name, value in shared.items() if ".ln1." in name}})

folder = OUT / "bert"
folder.mkdir()
source = BertForPreTraining.from_pretrained(OUT.parent / "families" / "bert", dtype=torch.float32, attn_implementation="eager").eval()
c = source.config
config = HookedTransformerConfig(
    n_layers=c.num_hidden_layers, d_model=c.hidden_size, n_heads=c.num_attention_heads, d_head=c.hidden_size // c.num_attention_heads, d_mlp=c.intermediate_size,
    n_ctx=c.max_position_embeddings, d_vocab=c.vocab_size, act_fn="gelu", eps=c.layer_norm_eps, attention_dir="bidirectional", device="cpu",
    original_architecture="BertForMaskedLM", use_attn_result=True, use_split_qkv_input=True, use_hook_mlp_in=True,
)
model = HookedEncoder(config)
missing = model.load_state_dict(convert_bert_weights(source, config), strict=False)
print("bert without", [name for name in missing.missing_keys if "pooler" not in name and "nsp" not in name])
logits, cache = model.run_with_cache(torch.tensor(TOKENS), return_type="logits")
save(folder, TOKENS, logits, dict(cache))
print(f"{sum(f.stat().st_size for f in OUT.rglob('*') if f.is_file()) / 1e6:.2f} MB; {MADE}")
