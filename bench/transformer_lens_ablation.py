"""The PyTorch side of the ablation benchmark: the same masks on the same prompt through TransformerLens, as a user would
write it, and through plain transformers with hooks. Never a dependency of the package.

    python bench/transformer_lens_ablation.py FOLDER JOB.json [--serve]

Needs: pip install torch transformers "transformer-lens>=3". FOLDER holds config.json and model.safetensors of a GPT-2. A
player is a head, in the order L0H0, L0H1, ..; a mask multiplies each head's z by 1 (kept) or 0; the value is logit[correct] -
logit[incorrect] at the last position. JOB.json (the first four are needed):
{"tokens": [int], "masks": [hex as in run logs, or rows of 0/1], "correct": id, "incorrect": id,
 "variants": names below, "batchSizes": [32], "repeats": 3, "warmup": 1, "threads": all, "dtype": "float32", "tf32": false,
 "device": "cpu" or "cuda"}

Variants: "lens": run_with_hooks with one hook a layer on blocks.L.attn.hook_z, whole logits, the last position read;
"lens-last": the same, asked for the last position's logits only; "loop": "lens" with one mask a run; "torch": no
TransformerLens: transformers with its fused attention, hooks before c_proj, the two vocabulary rows at the last position.
Weights are the checkpoint's own: nothing is folded or centred.

Prints one JSON line: {"versions", "threads", "device", "results": [{"variant", "batchSize", "rowsPerSecond", "lowest",
"highest", "seconds", "cpuSeconds", "peakBytes", "values"}], "spread": the largest difference between the variants' values}. A repeat runs all masks;
rowsPerSecond is the median repeat's; cpuSeconds are those of all threads, waiting ones included; peakBytes are the most
that the process ever held. With --serve it first
prints {"versions", "threads", "device"} and then answers each line {"variant", "batchSize"} on stdin with one result, so
that two programs can take turns. Exit code 3: a package is missing, in one line on stderr.
"""
import functools
import importlib.metadata
import json
import logging
import os
import resource
import statistics
import sys
import time
import warnings

NEEDED = ("torch", "transformers", "transformer_lens")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
warnings.filterwarnings("ignore")


def packages():
    try:
        import torch
        import transformers
        from transformer_lens.model_bridge import TransformerBridge
    except ImportError as error:
        print(f'transformer_lens_ablation: {sys.executable} lacks a package ({str(error).splitlines()[0]}); pip install torch transformers "transformer-lens>=3"', file=sys.stderr)
        sys.exit(3)
    logging.disable(logging.WARNING)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return torch, transformers, TransformerBridge


def bits(mask, players):
    """A row of 0/1 from itself or from hex: byte k holds players 8k..8k+7, lowest bit first."""
    if not isinstance(mask, str):
        row = [int(bit) for bit in mask]
    else:
        packed = bytes.fromhex(mask)
        row = [packed[i >> 3] >> (i & 7) & 1 for i in range(players)] if len(packed) == (players + 7) // 8 else []
    if len(row) != players:
        raise SystemExit(f"transformer_lens_ablation: a mask does not fit the model's {players} heads.")
    return row


class Bench:
    def __init__(self, folder, job):
        self.torch, transformers, bridge = packages()
        torch = self.torch
        self.threads = job.get("threads", os.cpu_count())
        torch.set_num_threads(self.threads)
        self.device = job.get("device", "cpu")
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = bool(job.get("tf32", False))
        self.job = job
        dtype = getattr(torch, job.get("dtype", "float32"))
        load = lambda kind: transformers.GPT2LMHeadModel.from_pretrained(folder, dtype=dtype, attn_implementation=kind).to(self.device).eval()
        # Each model when it is first asked for: the most memory that the process held is then that of its ways alone.
        self.plain = functools.cache(lambda: load("sdpa"))
        self.lens = functools.cache(lambda: bridge.boot_transformers("gpt2", hf_model=load("eager"), tokenizer=stand_in(), device=self.device, dtype=dtype))
        config = transformers.AutoConfig.from_pretrained(folder)
        self.layers, self.heads, self.width = config.n_layer, config.n_head, config.n_embd // config.n_head
        self.players = self.layers * self.heads
        rows = [bits(mask, self.players) for mask in job["masks"]]
        self.masks = torch.tensor(rows, dtype=dtype, device=self.device).reshape(-1, self.layers, self.heads)
        self.tokens = torch.tensor([job["tokens"]], device=self.device)
        self.answers = [job["correct"], job["incorrect"]]

    def about(self):
        device = self.torch.cuda.get_device_name() if self.device.startswith("cuda") else "CPU"
        versions = {name: importlib.metadata.version(name.replace("_", "-")) for name in NEEDED}
        return {"versions": {"python": sys.version.split()[0], **versions}, "threads": self.threads, "device": device}

    def measure(self, variant, batch_size):
        if variant == "loop":
            batch_size = 1
        run = {"lens": self.run_lens, "loop": self.run_lens, "lens-last": self.run_lens_last, "torch": self.run_torch}[variant]
        with self.torch.inference_mode():
            for _ in range(self.job.get("warmup", 1)):
                run(self.masks[:batch_size])
            seconds, processor = [], []
            for _ in range(max(1, self.job.get("repeats", 3))):
                self.wait()
                start, cpu = time.perf_counter(), time.process_time()
                values = [run(masks) for masks in self.masks.split(batch_size)]
                values = self.torch.cat(values).double().cpu()
                seconds.append(time.perf_counter() - start)
                processor.append(time.process_time() - cpu)
        count = len(self.masks)
        speeds = [count / each for each in seconds]
        return {"variant": variant, "batchSize": batch_size, "rowsPerSecond": statistics.median(speeds), "lowest": min(speeds),
                "highest": max(speeds), "seconds": seconds, "cpuSeconds": processor, "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "values": values.tolist()}

    def wait(self):
        if self.device.startswith("cuda"):
            self.torch.cuda.synchronize()

    def hooks(self, masks):
        def multiply(layer):
            mask = masks[:, layer][:, None, :, None]  # [B, 1, H, 1]
            return lambda z, hook: z * mask  # z [B, S, H, e]
        return [(f"blocks.{layer}.attn.hook_z", multiply(layer)) for layer in range(self.layers)]

    def difference(self, last):
        return last[:, self.answers[0]] - last[:, self.answers[1]]

    def run_lens(self, masks):
        logits = self.lens().run_with_hooks(self.tokens.expand(len(masks), -1), fwd_hooks=self.hooks(masks))
        return self.difference(logits[:, -1])

    def run_lens_last(self, masks):
        logits = self.lens().run_with_hooks(self.tokens.expand(len(masks), -1), fwd_hooks=self.hooks(masks), logits_to_keep=1, use_cache=False)
        return self.difference(logits[:, -1])

    def run_torch(self, masks):
        def multiply(layer):
            columns = masks[:, layer].repeat_interleave(self.width, 1)[:, None]  # [B, 1, H·e]
            return lambda module, inputs: (inputs[0] * columns,)
        body = self.plain().transformer
        handles = [block.attn.c_proj.register_forward_pre_hook(multiply(layer)) for layer, block in enumerate(body.h)]
        try:
            hidden = body(self.tokens.expand(len(masks), -1), use_cache=False).last_hidden_state[:, -1]
        finally:
            for handle in handles:
                handle.remove()
        logits = hidden @ self.plain().lm_head.weight[self.answers].T
        return logits[:, 0] - logits[:, 1]


def stand_in():
    """TransformerLens wants a tokenizer to start with; tokens are numbers here, so any will do. (Given a BOS it would load it anew.)"""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast
    word = "<|endoftext|>"
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({word: 0}, unk_token=word)), unk_token=word, eos_token=word)


def main(folder, job_file, serve):
    with open(job_file, encoding="utf8") as file:
        job = json.load(file)
    bench = Bench(folder, job)
    if serve:
        print(json.dumps(bench.about()), flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            print(json.dumps(bench.measure(asked["variant"], asked.get("batchSize", 1))), flush=True)
        return
    results = []
    for variant in job.get("variants", ["lens", "lens-last", "torch"]):
        for batch_size in [1] if variant == "loop" else job.get("batchSizes", [32]):
            results.append(bench.measure(variant, batch_size))
    spread = max(max(column) - min(column) for column in zip(*(result["values"] for result in results)))
    print(json.dumps({**bench.about(), "results": results, "spread": spread}))


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--serve"]
    if len(arguments) != 2:
        raise SystemExit("usage: transformer_lens_ablation.py FOLDER JOB.json [--serve]")
    main(*arguments, "--serve" in sys.argv)
