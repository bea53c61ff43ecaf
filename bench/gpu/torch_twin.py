"""The PyTorch side of bench/gpu.ts: masked forward passes on the same card, the same weights, prompts and masks. Never a
dependency of the package.

    python3 bench/gpu/torch_twin.py JOB.json     (bench/gpu/torch.ts writes it)

Needs: torch, transformers, numpy. Prints one JSON line a measurement, as soon as it has it, and ends by itself when its
seconds are over.

Ways:
  "hooks"      transformers with its fused attention (sdpa); a hook before each c_proj / o_proj / down_proj multiplies what the
               parts of a row write by 0 or 1, a batch of masks at a time; the body's last position and two rows of the
               vocabulary. What a careful user writes.
  "lens"       the arithmetic of TransformerLens's run_with_hooks on its bridge (not TransformerLens itself): eager attention, a
               hook a layer on z [B, S, H, e], the logits of every position and the whole vocabulary.
  "lens-last"  the same, logits of the last position only.
Each in float32 and, where asked for, with TF32 products.
"""
import json
import sys
import time

import numpy as np
import torch
import transformers


def build(job, attention):
    """The model on the device, its numbers by the recipe of bench/gpu/random-model.ts."""
    config = dict(job["recipe"]["config"])
    kind = config.pop("model_type")
    classes = {"gpt2": (transformers.GPT2Config, transformers.GPT2LMHeadModel), "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM)}
    Config, Model = classes[kind]
    with torch.device(job["device"]):
        model = Model._from_config(Config(**config), attn_implementation=attention)
    model = model.to(torch.float32).eval()
    table = torch.from_numpy(np.fromfile(job["table"], dtype=np.float32)).to(job["device"])
    ours = {}
    for entry in job["recipe"]["parameters"]:
        size = int(np.prod(entry["shape"]))
        at = torch.arange(entry["from"], entry["from"] + size, device=job["device"]) % len(table)
        ours[entry["name"]] = (lambda at=at, entry=entry: (table[at] + entry["centre"]).reshape(entry["shape"]))
    state = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in (gpt2 if kind == "gpt2" else llama)(ours, config):
            state.pop(name).copy_(value)
    if state:
        raise SystemExit(f"torch_twin: no number for {sorted(state)}")
    return model


def gpt2(ours, config):
    yield "transformer.wte.weight", ours["embed.W_E"]()
    yield "transformer.wpe.weight", ours["pos_embed.W_pos"]()
    for layer in range(config["n_layer"]):
        h, b = f"transformer.h.{layer}", f"blocks.{layer}"
        for theirs, norm in (("ln_1", "ln1"), ("ln_2", "ln2")):
            yield f"{h}.{theirs}.weight", ours[f"{b}.{norm}.w"]()
            yield f"{h}.{theirs}.bias", ours[f"{b}.{norm}.b"]()
        yield f"{h}.attn.c_attn.weight", torch.cat([ours[f"{b}.attn.W_{x}"]() for x in "QKV"], 1)
        yield f"{h}.attn.c_attn.bias", torch.cat([ours[f"{b}.attn.b_{x}"]() for x in "QKV"])
        for theirs, name in (("attn.c_proj", "attn.{}_O"), ("mlp.c_fc", "mlp.{}_in"), ("mlp.c_proj", "mlp.{}_out")):
            yield f"{h}.{theirs}.weight", ours[f"{b}.{name.format('W')}"]()
            yield f"{h}.{theirs}.bias", ours[f"{b}.{name.format('b')}"]()
    yield "transformer.ln_f.weight", ours["ln_final.w"]()
    yield "transformer.ln_f.bias", ours["ln_final.b"]()
    yield "lm_head.weight", ours["unembed.W_U"]().T


def llama(ours, config):
    yield "model.embed_tokens.weight", ours["embed.W_E"]()
    for layer in range(config["num_hidden_layers"]):
        h, b = f"model.layers.{layer}", f"blocks.{layer}"
        yield f"{h}.input_layernorm.weight", ours[f"{b}.ln1.w"]()
        yield f"{h}.post_attention_layernorm.weight", ours[f"{b}.ln2.w"]()
        for theirs, name in (("self_attn.q_proj", "attn.W_Q"), ("self_attn.k_proj", "attn.W_K"), ("self_attn.v_proj", "attn.W_V"), ("self_attn.o_proj", "attn.W_O"),
                             ("mlp.gate_proj", "mlp.W_gate"), ("mlp.up_proj", "mlp.W_in"), ("mlp.down_proj", "mlp.W_out")):
            yield f"{h}.{theirs}.weight", ours[f"{b}.{name}"]().T
    yield "model.norm.weight", ours["ln_final.w"]()
    yield "lm_head.weight", ours["unembed.W_U"]().T


class Twin:
    def __init__(self, job, attention):
        self.model = build(job, attention)
        self.body = getattr(self.model, "transformer", None) or self.model.model
        gpt = hasattr(self.model, "transformer")
        self.blocks = self.body.h if gpt else self.body.layers
        self.writers = {"heads": [block.attn.c_proj if gpt else block.self_attn.o_proj for block in self.blocks],
                        "neurons": [block.mlp.c_proj if gpt else block.mlp.down_proj for block in self.blocks]}

    def values(self, way, task, masks):
        """masks [B, layers, elements] -> logit differences [B]."""
        elements = masks.shape[2]

        def multiply(layer):
            mask = masks[:, layer, None, :, None]  # [B, 1, H, 1]

            def hook(module, inputs):
                x = inputs[0]
                return ((x.reshape(*x.shape[:2], elements, -1) * mask).reshape(x.shape),)
            return hook
        handles = [writer.register_forward_pre_hook(multiply(layer)) for layer, writer in enumerate(self.writers[task["players"]])]
        tokens = torch.tensor([task["tokens"]], device=masks.device).expand(len(masks), -1)
        answers = [task["correct"], task["incorrect"]]
        try:
            if way == "hooks":
                last = self.body(tokens, use_cache=False).last_hidden_state[:, -1]
                logits = last @ self.model.lm_head.weight[answers].T
                return logits[:, 0] - logits[:, 1]
            keep = {} if way == "lens" else {"logits_to_keep": 1}
            last = self.model(tokens, use_cache=False, **keep).logits[:, -1]
            return last[:, answers[0]] - last[:, answers[1]]
        finally:
            for handle in handles:
                handle.remove()


def wait(device):
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def measure(job, twin, way, task, batch):
    device = job["device"]
    layers = len(twin.blocks)
    if task.get("masks") is not None:
        rows = torch.tensor(task["masks"], dtype=torch.float32, device=device).reshape(len(task["masks"]), layers, -1)
    else:
        generator = torch.Generator(device=device).manual_seed(0)
        rows = (torch.rand([batch, layers, task["elements"]], device=device, generator=generator) < 0.5).float()
    values = None
    if task.get("masks") is not None:
        values = torch.cat([twin.values(way, task, part) for part in rows.split(batch)]).double().cpu().tolist()
    full = rows[torch.arange(batch, device=device) % len(rows)]
    twin.values(way, task, full)
    wait(device)
    runs, started = 0, time.perf_counter()
    while True:
        result = twin.values(way, task, full).double().cpu()  # each batch's values come here, as ours do
        runs += 1
        seconds = time.perf_counter() - started
        if seconds >= job["each"] or not torch.isfinite(result).all():
            break
    return {"rowsPerSecond": runs * batch / seconds, "values": values}


def products(job, precision, card):
    for rows, inner, width in job["products"]:
        x, w = torch.randn(rows, inner, device=job["device"]), torch.randn(inner, width, device=job["device"])
        for _ in range(3):
            x @ w
        wait(job["device"])
        times = max(2, min(50, int(2e12 / (rows * inner * width))))
        started = time.perf_counter()
        for _ in range(times):
            x @ w
        wait(job["device"])
        gflops = times * 2 * rows * inner * width / (time.perf_counter() - started) / 1e9
        say({"product": [rows, inner, width], "precision": precision, "gflops": gflops, "card": card})


def say(entry):
    print(json.dumps(entry), flush=True)


def main(path):
    with open(path, encoding="utf8") as file:
        job = json.load(file)
    end = time.monotonic() + job["seconds"]
    if job["device"] == "cuda" and not torch.cuda.is_available():
        print("torch_twin: torch sees no CUDA device", file=sys.stderr)
        sys.exit(3)
    card = torch.cuda.get_device_name() if job["device"] == "cuda" else "CPU"
    say({"versions": {"python": sys.version.split()[0], "torch": torch.__version__, "transformers": transformers.__version__}, "card": card})
    twins = {}
    with torch.inference_mode():
        for plan in job["plan"]:
            if time.monotonic() + 2 * job["each"] + 1 > end:
                say({"cut": True})
                return
            tf32 = plan["precision"] == "tf32"
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
            if plan["way"] == "products":
                products(job, plan["precision"], card)
                continue
            attention = "sdpa" if plan["way"] == "hooks" else "eager"
            if attention not in twins:
                twins = {attention: Twin(job, attention)}  # one at a time
            task = job["tasks"][plan["task"]]
            try:
                say({**plan, "card": card, **measure(job, twins[attention], plan["way"], task, plan["batch"])})
            except torch.OutOfMemoryError as error:
                say({**plan, "card": card, "failed": str(error).splitlines()[0]})
                torch.cuda.empty_cache()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: torch_twin.py JOB.json")
    main(sys.argv[1])
