"""Rankings of heads and MLPs by gradients, by PyTorch autograd in float64 from the papers' recipes, and f between masks.

    npx tsx test/golden/write-canonical.ts <canonical> test/golden/families/gpt2 test/golden/families/llama-smol
    python test/golden/make-rankings.py <canonical>      (needs torch and safetensors; writes test/golden/rankings.json)

The pass is make-gradients.py's. Attribution patching (Nanda 2023): (clean - corrupted activation) · gradient of the logit difference at the
clean run, summed over positions and width. Integrated gradients: every head and MLP at m·z + (1 - m)·corrupted, the mean gradient
with respect to the m's where all of them are (k + 1/2) / 8.
"""

import importlib.util
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

HERE = Path(__file__).resolve().parent
spec = importlib.util.spec_from_file_location("make_gradients", HERE / "make-gradients.py")
pass_ = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pass_)
STEPS, CORRECT, INCORRECT = 8, 5, 2


def rankings(folder, tokens, corrupted):
    config = json.loads((folder / "config.json").read_text())
    parameters = {name: tensor.double() for name, tensor in load_file(folder / "model.safetensors").items()}
    site = lambda name: name.endswith((".attn.hook_z", ".hook_mlp_out"))

    def value(row, tap):
        logits = pass_.forward(config, parameters, torch.tensor(row), None, tap, False)
        return logits[-1, CORRECT] - logits[-1, INCORRECT]

    def kept(into):
        def tap(name, x):
            if site(name):
                into[name] = x = (x if x.requires_grad else x.clone().requires_grad_())
                x.retain_grad()
            return x

        return tap

    clean, base = {}, {}
    value(tokens, kept(clean)).backward()
    value(corrupted, kept(base))
    over = lambda name, x: x.sum((0, 2)) if name.endswith("hook_z") else x.sum().reshape(1)
    patching = {name: over(name, (x - base[name]) * x.grad).tolist() for name, x in clean.items()}
    paths = {name: 0 for name in clean}
    for k in range(STEPS):
        m = {name: torch.full((x.shape[1] if name.endswith("hook_z") else 1,), (k + 0.5) / STEPS, dtype=torch.float64, requires_grad=True) for name, x in clean.items()}

        def blend(name, x):
            if not site(name):
                return x
            wide = m[name][None, :, None] if name.endswith("hook_z") else m[name]
            return wide * x + (1 - wide) * base[name].detach()

        value(tokens, blend).backward()
        paths = {name: paths[name] + m[name].grad / STEPS for name in m}
    flat = lambda scores: {
        f"L{layer}H{i}" if part == "attn" else f"MLP{layer}": float(f"{score:.9g}")
        for name, values in scores.items()
        for layer, part in [(name.split(".")[1], name.split(".")[2])]
        for i, score in enumerate(values if isinstance(values, list) else values.tolist())
    }
    return {"attribution patching": flat(patching), "integrated gradients": flat(paths)}


out = {"tokens": [3, 1, 4, 1, 5, 9, 2, 6], "corrupted": [3, 1, 8, 1, 7, 9, 11, 6], "correct": CORRECT, "incorrect": INCORRECT, "steps": STEPS}
out["scores"] = {name: rankings(Path(sys.argv[1]) / name, out["tokens"], out["corrupted"]) for name in ("gpt2", "llama-smol")}
(HERE / "rankings.json").write_text(json.dumps(out, indent=1) + "\n")
