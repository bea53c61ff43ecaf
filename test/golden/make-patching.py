"""What TransformerLens's patching functions say of the models of make-transformer-lens.py.

    python test/golden/make-patching.py      (needs transformer-lens 3.9; writes test/golden/patching.json)

The metric is logit[5] - logit[2] at the last position of the corrupted run, with activations of the clean run patched in.
"""

import json
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformer_lens import HookedTransformer, HookedTransformerConfig, patching

HERE = Path(__file__).resolve().parent
CASES = ["plain", "rotary", "rotary-halves", "rms-gated-grouped"]
CLEAN = torch.tensor([[3, 1, 4, 11, 5, 9, 2]])
CORRUPTED = torch.tensor([[3, 1, 8, 11, 5, 0, 2]])
STREAMS = {"resid_pre": patching.get_act_patch_resid_pre, "resid_mid": patching.get_act_patch_resid_mid, "attn_out": patching.get_act_patch_attn_out, "mlp_out": patching.get_act_patch_mlp_out}
HEADS = {"z": "out", "q": "q", "k": "k", "v": "v", "pattern": "pattern"}
MADE = f"python test/golden/make-patching.py; torch {torch.__version__.split('+')[0]}, transformer-lens {version('transformer-lens')}, float32"


def load(case):
    settings = json.loads((HERE / "transformer-lens" / case / "config.json").read_text())
    settings.pop("model_type")
    settings["dtype"] = getattr(torch, settings["dtype"])
    settings["use_split_qkv_input"] = False
    model = HookedTransformer(HookedTransformerConfig(**settings))
    model.load_state_dict(load_file(HERE / "transformer-lens" / case / "model.safetensors"))
    return model


def metric(logits):
    return logits[0, -1, 5] - logits[0, -1, 2]


found = {}
torch.set_grad_enabled(False)
for case in CASES:
    model = load(case)
    logits, cache = model.run_with_cache(CLEAN)
    of = {"source": metric(logits).item(), "base": metric(model(CORRUPTED)).item()}
    for name, sweep in STREAMS.items():
        if name == "resid_mid" and model.cfg.parallel_attn_mlp:
            continue
        of[name] = sweep(model, CORRUPTED, cache, metric).tolist()  # [layer, pos]
    for name, suffix in HEADS.items():
        of[name] = getattr(patching, f"get_act_patch_attn_head_{suffix}_all_pos")(model, CORRUPTED, cache, metric).tolist()  # [layer, head]
        by_pos = getattr(patching, f"get_act_patch_attn_head_{suffix}_by_pos")(model, CORRUPTED, cache, metric)  # [layer, pos, head], patterns [layer, head, pos]
        of[f"{name}, position by position"] = (by_pos.transpose(1, 2) if name == "pattern" else by_pos).tolist()
    found[case] = of
rounded = json.loads(json.dumps({"made": MADE, "clean": CLEAN[0].tolist(), "corrupted": CORRUPTED[0].tolist(), **found}), parse_float=lambda text: round(float(text), 7))
(HERE / "patching.json").write_text(json.dumps(rounded, separators=(",", ":")) + "\n")
print(MADE, (HERE / "patching.json").stat().st_size, "bytes")
