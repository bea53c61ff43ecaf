"""A perceptron trained by PyTorch: parameters after each of some steps, for the optimisers that spexlens has.

    python test/golden/make-training.py     # writes test/golden/training/perceptron.json

One batch of all examples a step, weights 1 or 0: the loss is the mean over those with weight 1.
"""
import json
import platform
from pathlib import Path

import torch

torch.manual_seed(0)
N, D, H, C, STEPS = 12, 4, 5, 3, 8
x = torch.randn(N, D)
y = torch.randint(0, C, (N,))
kept = torch.tensor([1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1])


def flat(model):
    parts = []
    for name, p in model.named_parameters():
        parts.append((p.t() if name.endswith("weight") else p).detach().reshape(-1))
    return torch.cat(parts).tolist()


def run(make):
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(D, H), torch.nn.SiLU(), torch.nn.Linear(H, C))
    start = flat(model)
    optimiser = make(model.parameters())
    losses = []
    for _ in range(STEPS):
        each = torch.nn.functional.cross_entropy(model(x), y, reduction="none")
        loss = (each * kept).sum() / kept.sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return {"start": start, "end": flat(model), "losses": losses}


cases = {
    "sgd": run(lambda p: torch.optim.SGD(p, lr=0.3, weight_decay=0.01)),
    "momentum": run(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01)),
    "adamw": run(lambda p: torch.optim.AdamW(p, lr=0.02, betas=(0.9, 0.98), eps=1e-4, weight_decay=0.1)),
}
out = Path(__file__).parent / "training" / "perceptron.json"
out.parent.mkdir(exist_ok=True)
out.write_text(
    json.dumps(
        {
            "made": f"torch {torch.__version__}, Python {platform.python_version()}, test/golden/make-training.py",
            "shape": {"inputs": D, "hidden": [H], "classes": C},
            "steps": STEPS,
            "x": x.reshape(-1).tolist(),
            "y": y.tolist(),
            "kept": kept.tolist(),
            "cases": cases,
        }
    )
    + "\n"
)
