"""Gradients at every hook point of every family, by PyTorch autograd in float64.

    npx tsx test/golden/write-canonical.ts <canonical> test/golden/families/*
    python test/golden/make-gradients.py <canonical>      (needs torch and safetensors; writes test/golden/gradients.json)

The pass below is written from the configuration record alone, hook points included; its logits are held to transformers' (golden.safetensors of each
family, made by make-families.py) within 2e-5 before a gradient is taken. What is differentiated is the sum of all logits,
each with a sign; of a gradient g the file keeps its norm and its sums with three vectors of signs. Signs are the top bits of
x -> 1664525 x + 1013904223 mod 2^32 begun at 1 + the vector's number (the metric's is number 0); test/hooks/family-gradients.test.ts
makes the same. Points that a model has both before and after the inputs of heads are split are taken in a pass each.

    python test/golden/make-gradients.py <canonical> --real <tokens as JSON> <name> [float32]   prints the same for one model
"""

import json
import math
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

HERE = Path(__file__).resolve().parent
torch.set_num_threads(2)


@lru_cache(maxsize=64)
def signs(count, number):
    x, out = 1 + number, np.empty(count)
    for i in range(count):
        x = (1664525 * x + 1013904223) % 2**32
        out[i] = 1.0 if x >= 2**31 else -1.0
    return torch.from_numpy(out)


def frequencies(rotary, length):
    f, dims, scaling = np.float32, rotary["dims"], rotary.get("scaling") or {"kind": None}
    kind, theta, rates = scaling["kind"], rotary["theta"], []
    if kind == "dynamic":
        theta *= (scaling["factor"] * max(length, scaling["originalContext"]) / scaling["originalContext"] - (scaling["factor"] - 1)) ** (dims / (dims - 2))
    for i in range(dims // 2):
        power = float(f(theta ** float(f(2 * i / dims))))
        rate = float(f(1 / power))
        if kind == "longrope":
            factors = scaling["long"] if length > scaling["originalContext"] else scaling["short"]
            rate = 1 / float(f(float(f(factors[i])) * power))
        elif kind == "linear":
            rate /= scaling["factor"]
        elif kind == "llama3":
            waves = scaling["originalContext"] * rate / (2 * math.pi)
            if waves < scaling["lowFrequency"]:
                rate /= scaling["factor"]
            elif waves <= scaling["highFrequency"]:
                kept = (waves - scaling["lowFrequency"]) / (scaling["highFrequency"] - scaling["lowFrequency"])
                rate = (1 - kept) * rate / scaling["factor"] + kept * rate
        elif kind == "yarn":
            low, high = scaling["low"], scaling["high"]
            divided = min(1, max(0, (i - low) / (0.001 if low == high else high - low)))
            rate = float(f(rate / scaling["factor"])) * divided + rate * (1 - divided)
        rates.append(float(f(rate)))
    return rates


def slopes(heads):
    """ALiBi's, one a head: 2^(-8i/n) for a power of two n; other counts take every second of the next power for the rest."""
    whole = 2 ** int(math.log2(heads))
    of = lambda count: [2 ** (-8 * (i + 1) / count) for i in range(count)]
    return torch.tensor([*of(whole), *of(2 * whole)[::2]][:heads], dtype=torch.float64)


def activate(x, kind):
    if kind == "relu":
        return torch.relu(x)
    if kind == "relu2":
        return torch.relu(x).square()
    if kind == "quick_gelu":
        return x * torch.sigmoid(1.702 * x)
    if kind == "silu":
        return torch.nn.functional.silu(x)
    return torch.nn.functional.gelu(x, approximate="tanh" if kind == "gelu_new" else "none")


def forward(c, p, tokens, types, tap, split):
    """Logits [S, V] of one row; tap(name, activation) sees every hook point."""
    layout, S, d, H, e = c.get("layout", "pre"), len(tokens), c["dModel"], c["nHeads"], c["dHead"]
    K = c.get("nKvHeads", H)
    embedding, attention = c.get("embedding", {}), c["attention"]

    def linear(x, name, letter):
        y = x @ p[f"{name}.W_{letter}"]
        b = p.get(f"{name}.b_{letter}")
        return y if b is None else y + b

    def norm(name, x, kind=None, silent=False, parameters=None):
        kind, see = kind or c["norm"], (lambda _, y: y) if silent else tap
        if kind["kind"] == "none":
            return x
        centred = x if kind["kind"] == "rms" else x - x.mean(-1, keepdim=True)
        scale = see(f"{name}.hook_scale", (centred.square().mean(-1, keepdim=True) + kind["eps"]).sqrt())
        y, w, b = centred / scale, p.get(f"{parameters or name}.w"), p.get(f"{parameters or name}.b")
        if kind["kind"] == "rms":
            y = see(f"{name}.hook_normalized", y)
            return y if w is None else y * (w + kind["offset"])
        normalized = see(f"{name}.hook_normalized", y)
        return normalized * w + b if kind["affine"] else normalized

    def turned(x, rotary):
        rates, half, scale = frequencies(rotary, S), rotary["dims"] // 2, float(np.float32(rotary.get("amplitude") or 1))
        angles = np.float32(np.arange(S, dtype=np.float64)[:, None] * np.array(rates)[None, :]).astype(np.float64)
        cos, sin = (torch.from_numpy((scale * f(angles)).astype(np.float32)).to(x.dtype)[:, None, :] for f in (np.cos, np.sin))
        head, rest = x[..., : 2 * half], x[..., 2 * half :]
        adjacent = rotary.get("pairs") == "adjacent"
        a, b = (head[..., 0::2], head[..., 1::2]) if adjacent else (head[..., :half], head[..., half:])
        c, d = a * cos - b * sin, b * cos + a * sin
        return torch.cat([torch.stack([c, d], -1).flatten(-2) if adjacent else torch.cat([c, d], -1), rest], -1)

    def attend(b, layer, x):
        grouped = K < H
        before = (lambda y, silent: y) if layout in ("post", "output") else (lambda y, silent: norm(f"{b}.ln1", y, silent=silent))
        normed = None if split else before(x, False)
        per_head = lambda heads: x[:, None, :].expand(S, heads, d)
        shared = tap(f"{b}.hook_attn_in", per_head(H)) if split and not grouped else None
        qkv = {}
        for letter, heads in (("q", H), ("k", K), ("v", K)):
            if split:
                read = before(tap(f"{b}.hook_{letter}_input", per_head(heads) if shared is None else shared), True)
                W = p[f"{b}.attn.W_{letter.upper()}"].reshape(d, heads, e)
                y = torch.einsum("shd,dhe->she", read, W)
                bias = p.get(f"{b}.attn.b_{letter.upper()}")
                y = y if bias is None else y + bias.reshape(heads, e)
            else:
                y = linear(normed, f"{b}.attn", letter.upper()).reshape(S, heads, e)
            y = tap(f"{b}.attn.hook_{letter}", y)
            if letter != "v":
                if attention.get("qkNormAcrossHeads"):
                    y = norm(f"{b}.attn.{letter}_norm", y.flatten(-2), attention["qkNorm"]).reshape(S, heads, e)
                elif attention.get("qkNorm") is not None:
                    y = norm(f"{b}.attn.{letter}_norm", y, attention["qkNorm"])
            if attention.get("clip") is not None:
                y = y.clamp(-attention["clip"], attention["clip"])
            if letter != "v":
                if c["positions"] == "rotary":
                    y = tap(f"{b}.attn.hook_rot_{letter}", turned(y, c["rotary"][layer]))
            qkv[letter] = y
        k, v = (qkv[letter].repeat_interleave(H // K, 1) for letter in "kv")
        scores = torch.einsum("qhe,khe->hqk", qkv["q"], k) * attention["scales"][layer]
        cap = attention.get("softcap")
        if cap is not None:
            scores = cap * torch.tanh(scores / cap)
        i, j = torch.arange(S)[:, None], torch.arange(S)[None, :]
        if c["positions"] == "alibi":
            scores = scores + slopes(H)[:, None, None] * (j - i)
        window = (attention.get("windows") or [None] * c["nLayers"])[layer]
        hidden = torch.zeros(S, S, dtype=torch.bool)
        if attention["causal"]:
            hidden |= j > i
        if window is not None:
            hidden |= j <= i - window
        scores = tap(f"{b}.attn.hook_attn_scores", scores + torch.where(hidden, -1e30, 0.0))
        pattern = tap(f"{b}.attn.hook_pattern", torch.softmax(scores, -1))
        z = tap(f"{b}.attn.hook_z", torch.einsum("hqk,khe->qhe", pattern, v))
        result = tap(f"{b}.attn.hook_result", torch.einsum("she,hed->shd", z, p[f"{b}.attn.W_O"].reshape(H, e, d)))
        bias = p.get(f"{b}.attn.b_O")
        return result.sum(1) if bias is None else result.sum(1) + bias

    def mlp(b, x):
        name = f"{b}.mlp"
        pre = tap(f"{name}.hook_pre", linear(x, name, "gate" if c.get("gated") else "in"))
        post = activate(pre, c["activation"])
        if c.get("gated"):
            post = post * tap(f"{name}.hook_pre_linear", linear(x, name, "in"))
        return linear(tap(f"{name}.hook_post", post), name, "out")

    x = p["embed.W_E"][tokens]
    if "embed.W_in" in p:
        x = x @ p["embed.W_in"]
    inside = "embed." if embedding.get("norm") == "sum" else ""
    x = x * embedding.get("scale", 1)
    x = tap(f"{inside}hook_embed", norm("embed.ln", x) if embedding.get("norm") == "token" else x)
    if c["positions"] == "learned":
        x = x + tap(f"{inside}hook_pos_embed", p["pos_embed.W_pos"][:S])
    if "tokenTypes" in embedding:
        x = x + tap(f"{inside}hook_token_type_embed", p["token_type_embed.W_token_type"][types])
    if inside:
        x = tap("hook_full_embed", norm("embed.ln", x))
    for layer in range(c["nLayers"]):
        b = f"blocks.{layer}"
        x = tap(f"{b}.hook_resid_pre", x)
        out = attend(b, layer, x)
        out = tap(f"{b}.hook_attn_out", norm(f"{b}.ln1_post", out) if layout == "sandwich" else norm(f"{b}.ln1", out) if layout == "output" else out)
        after = x + out
        if layout == "post":
            mid = norm(f"{b}.ln1", tap(f"{b}.hook_resid_mid", after))
            post = tap(f"{b}.hook_resid_post", mid + tap(f"{b}.hook_mlp_out", mlp(b, tap(f"{b}.hook_mlp_in", mid))))
            x = tap(f"{b}.hook_normalized_resid_post", norm(f"{b}.ln2", post))
            continue
        parallel = layout.startswith("parallel")
        mid = after if parallel else tap(f"{b}.hook_resid_mid", after)
        read = tap(f"{b}.hook_mlp_in", x if parallel else mid)
        written = mlp(b, read if layout == "output" else norm(f"{b}.ln2", read, parameters=f"{b}.ln1" if layout == "parallel-shared" else None))
        x = tap(f"{b}.hook_resid_post", mid + tap(f"{b}.hook_mlp_out", norm(f"{b}.ln2_post", written) if layout == "sandwich" else norm(f"{b}.ln2", written) if layout == "output" else written))
    if layout != "post" and c.get("finalNorm", True):
        x = norm("ln_final", x)
    if c.get("mlmHead"):
        x = norm("mlm_head.ln", activate(x @ p["mlm_head.W"] + p["mlm_head.b"], c.get("mlmActivation") or c["activation"]))
    x = tap("unembed.hook_in", x)
    if "unembed.W_in" in p:
        x = x @ p["unembed.W_in"]
    logits = tap("unembed.hook_out", linear(x, "unembed", "U"))
    cap = c.get("logitSoftcap")
    return logits if cap is None else cap * torch.tanh(logits / cap)


FAMILIES = [folder.name for folder in (HERE / "families").iterdir() if (folder / "golden.safetensors").exists()]

SPLIT = ("hook_attn_in", "hook_q_input", "hook_k_input", "hook_v_input")


def gradients(folder, tokens, types, expected=None, dtype=torch.float64):
    config = json.loads((folder / "config.json").read_text())
    parameters = {name: tensor.to(dtype) for name, tensor in load_file(folder / "model.safetensors").items()}
    found = {}
    for split in (False, True):
        seen = {}

        def tap(name, x):
            x = x.clone() if x.requires_grad else x.clone().requires_grad_()
            x.retain_grad()
            assert name not in seen, name
            seen[name] = x
            return x

        logits = forward(config, parameters, tokens, types, tap, split)
        if expected is not None:
            error = ((logits - expected).abs() / expected.abs().clamp(min=1)).max().item()
            assert error < 2e-5, (folder.name, split, error)
        (logits.flatten() * signs(logits.numel(), 0)).sum().backward()
        for name, x in seen.items():
            if name.endswith(SPLIT) == split and x.numel() > 0:
                g = x.grad.flatten().double()
                found[name] = [float(f"{v:.9g}") for v in [g.norm().item(), *((g * signs(g.numel(), k)).sum().item() for k in (1, 2, 3))]]
    return found


def main():
    canonical = Path(sys.argv[1])
    if len(sys.argv) > 2:
        tokens = torch.tensor(json.loads(sys.argv[3]))
        dtype = torch.float32 if sys.argv[5:] == ["float32"] else torch.float64
        print(json.dumps({sys.argv[4]: gradients(canonical / sys.argv[4], tokens, None, dtype=dtype)}))
        return
    all_of_them = {}
    for folder in (HERE / "families" / name for name in sorted(FAMILIES)):
        golden = load_file(folder / "golden.safetensors")
        types = golden["types.0"].long() if "types.0" in golden else None
        all_of_them[folder.name] = gradients(canonical / folder.name, golden["tokens.0"].long(), types, golden["logits.0"].double())
        print(folder.name, len(all_of_them[folder.name]), "hook points")
    lines = ",\n".join(f' "{case}": {{\n' + ",\n".join(f'  "{name}": {json.dumps(numbers)}' for name, numbers in points.items()) + "\n }" for case, points in all_of_them.items())
    (HERE / "gradients.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
