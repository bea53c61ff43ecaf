"""The PyTorch side of bench/gradients-cost.ts: forward passes under masks of heads, and those with the masks' gradients, by autograd.

    python bench/gradients/torch_gradients.py FOLDER JOB.json

Needs: pip install torch transformers. FOLDER holds config.json and model.safetensors. A hook before the attention's output projection
multiplies each head's z by its mask (zero ablation); parameters want no gradient; the value is logit[correct] - logit[incorrect] at
the last position, the only one that is unembedded. JOB.json: {"tokens", "masks": rows of 0/1 over layers x heads, "correct", "incorrect",
"rows": masks in a pass, "threads"}. Prints {"versions"}, then answers each line of stdin, "forward" or "gradients", with {"seconds",
"values", "gradients": those of the first mask}.
"""
import json
import sys
import time

import torch
import transformers

folder, job = sys.argv[1], json.load(open(sys.argv[2]))
torch.set_num_threads(job["threads"])
model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").eval().requires_grad_(False)
config = model.config
layers, heads = config.num_hidden_layers, config.num_attention_heads
outputs = [block.attn.c_proj for block in model.transformer.h] if hasattr(model, "transformer") else [block.self_attn.o_proj for block in model.model.layers]
now = None


def hook(layer):
    def scale(_, inputs):
        z = inputs[0]
        return (z.unflatten(-1, (heads, -1)) * now[:, None, layer, :, None]).flatten(-2)

    return scale


for layer, module in enumerate(outputs):
    module.register_forward_pre_hook(hook(layer))
tokens = torch.tensor(job["tokens"])
masks = torch.tensor(job["masks"], dtype=torch.float32).reshape(-1, layers, heads)


def run(way):
    global now
    values, gradients = [], []
    with torch.set_grad_enabled(way == "gradients"):
        for start in range(0, len(masks), job["rows"]):
            now = masks[start : start + job["rows"]].clone().requires_grad_(way == "gradients")
            logits = model(tokens[None].expand(len(now), -1), use_cache=False, logits_to_keep=1).logits[:, -1]
            value = logits[:, job["correct"]] - logits[:, job["incorrect"]]
            if way == "gradients":
                value.sum().backward()
                gradients.append(now.grad)
            values += value.tolist()
    return values, gradients


print(json.dumps({"versions": {"torch": torch.__version__, "transformers": transformers.__version__}}), flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    values, gradients = run(line.strip())
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "values": values, "gradients": gradients[0][0].flatten().tolist() if gradients else []}), flush=True)
