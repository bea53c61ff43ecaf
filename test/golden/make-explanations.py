"""What TransformerLens's ActivationCache, head detector and factored matrices say of the models of make-transformer-lens.py.

    python test/golden/make-explanations.py      (needs transformer-lens 3.9; writes test/golden/explain/<case>.safetensors)

Logit attributions are those of the model with its norms folded, since TransformerLens leaves their weights out of them.
"""

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.head_detector import (
    compute_head_attention_similarity_score,
    get_duplicate_token_head_detection_pattern,
    get_induction_head_detection_pattern,
    get_previous_token_head_detection_pattern,
)

HERE = Path(__file__).resolve().parent
OUT = HERE / "explain"
CASES = ["plain", "rotary", "rotary-halves", "rms-gated-grouped", "rms-pre", "alibi", "shortformer", "solu", "four-norms-capped"]
TOKENS = torch.tensor([[3, 1, 4, 11, 5, 9, 2], [7, 2, 8, 7, 2, 8, 7]])
TOKEN, INCORRECT = 5, 2
PATTERNS = {"previous": get_previous_token_head_detection_pattern, "duplicate": get_duplicate_token_head_detection_pattern, "induction": get_induction_head_detection_pattern}
MADE = f"python test/golden/make-explanations.py; torch {torch.__version__.split('+')[0]}, transformer-lens {version('transformer-lens')}, float32"


def load(case):
    settings = json.loads((HERE / "transformer-lens" / case / "config.json").read_text())
    settings.pop("model_type")
    settings["dtype"] = getattr(torch, settings["dtype"])
    model = HookedTransformer(HookedTransformerConfig(**settings))
    model.load_state_dict(load_file(HERE / "transformer-lens" / case / "model.safetensors"))
    return model


def detected(cache, tokens, cfg):
    """[3 patterns, 3 ways, layers, heads]: products; without BOS and the current token; absolute differences."""
    ways = [dict(exclude_bos=False, exclude_current_token=False, error_measure="mul"), dict(exclude_bos=True, exclude_current_token=True, error_measure="mul"),
            dict(exclude_bos=False, exclude_current_token=False, error_measure="abs")]
    score = lambda make, way, layer, head: compute_head_attention_similarity_score(cache["pattern", layer][0, head].clone(), detection_pattern=make(tokens[0]).clone(), **way)
    return torch.tensor([[[[score(make, way, layer, head) for head in range(cfg.n_heads)] for layer in range(cfg.n_layers)] for way in ways] for make in PATTERNS.values()])


shutil.rmtree(OUT, ignore_errors=True)
OUT.mkdir()
for case in CASES:
    model = load(case)
    cfg = model.cfg
    cfg.use_split_qkv_input = False  # split, ln1 has a scale for every head
    _, cache = model.run_with_cache(TOKENS)
    out = {"tokens": TOKENS.int()}
    out["accumulated"] = cache.accumulated_resid()
    if not cfg.parallel_attn_mlp and not cfg.attn_only:
        out["accumulated.mid"] = cache.accumulated_resid(incl_mid=True)
    out["accumulated.ln"] = cache.accumulated_resid(apply_ln=True)
    out["decomposed"] = cache.decompose_resid()
    out["decomposed.ln"] = cache.decompose_resid(apply_ln=True)
    out["decomposed.1.mlp.ln"] = cache.decompose_resid(layer=1, mode="mlp", apply_ln=True) if not cfg.attn_only else torch.zeros(0)
    out["heads"] = cache.stack_head_results(incl_remainder=True)
    out["heads.1.ln"] = cache.stack_head_results(layer=1, apply_ln=True)
    if not cfg.attn_only:
        out["neurons"] = cache.stack_neuron_results(cfg.n_layers, neuron_slice=(0, 3), incl_remainder=True)
        out["full.neurons.ln.last"] = cache.get_full_resid_decomposition(apply_ln=True, pos_slice=(6, 7))
    out["full"] = cache.get_full_resid_decomposition(expand_neurons=False)
    if cfg.attention_dir == "causal":
        _, repeated = model.run_with_cache(TOKENS[1:])
        out["detected"] = detected(repeated, TOKENS[1:], cfg)
    for mode in "QKV":
        out[f"composition.{mode}"] = model.all_composition_scores(mode)
    for name, matrix in {"OV": model.OV, "QK": model.QK}.items():
        out[f"{name}.S"] = matrix.S
        eigenvalues = torch.linalg.eigvals((matrix.B @ matrix.A).double())
        out[f"{name}.eigenvalues"] = torch.stack([eigenvalues.real, eigenvalues.imag], -1).float()
    if cfg.normalization_type is not None:
        model.load_and_process_state_dict(model.state_dict(), fold_ln=True, center_writing_weights=False, center_unembed=False, fold_value_biases=False)
    _, folded = model.run_with_cache(TOKENS)
    out["attributed"] = folded.logit_attrs(folded.decompose_resid(), TOKEN, INCORRECT)
    out = {name: value.detach().contiguous().clone() for name, value in out.items()}
    save_file({name: value if value.dtype == torch.int32 else value.float() for name, value in out.items()}, OUT / f"{case}.safetensors", metadata={"made": MADE})
    print(f"{case:20} {sum(value.numel() for value in out.values())} numbers")
print(f"{sum(f.stat().st_size for f in OUT.iterdir()) / 1e6:.2f} MB; {MADE}")
