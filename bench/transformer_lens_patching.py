"""The TransformerLens side of bench/patching.ts: its own patching functions, as a user would call them.

    python bench/transformer_lens_patching.py FOLDER THREADS

Needs: pip install torch transformers "transformer-lens<4". FOLDER holds config.json and model.safetensors of a GPT-2. Prints
{"versions", "threads"} and then answers each line {"sweep": "resid_pre" or "z", "clean", "corrupted", "correct", "incorrect", "places":
[[layer, position or head]]} on stdin with {"seconds", "cpuSeconds", "values"} of those places. The clean run's cache is made before the
clock starts; cpuSeconds are those of all threads, waiting ones included.
"""
import importlib.metadata
import json
import logging
import os
import sys
import time
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["TQDM_DISABLE"] = "1"
warnings.filterwarnings("ignore")

import pandas
import torch
import transformers
from transformer_lens import HookedTransformer, HookedTransformerConfig, patching
from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights

SWEEPS = {"resid_pre": (patching.get_act_patch_resid_pre, ["layer", "pos"]), "z": (patching.get_act_patch_attn_head_out_all_pos, ["layer", "head"])}


def load(folder):
    hf = transformers.GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    c = hf.config
    cfg = HookedTransformerConfig(n_layers=c.n_layer, d_model=c.n_embd, n_heads=c.n_head, d_head=c.n_embd // c.n_head, d_mlp=4 * c.n_embd, n_ctx=c.n_positions,
                                  d_vocab=c.vocab_size, act_fn="gelu_new", normalization_type="LN", eps=c.layer_norm_epsilon, device="cpu")
    model = HookedTransformer(cfg)
    model.load_state_dict(convert_gpt2_weights(hf, cfg), strict=False)
    return model


def main(folder, threads):
    logging.disable(logging.WARNING)
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    model = load(folder)
    versions = {name: importlib.metadata.version(name) for name in ("torch", "transformers", "transformer-lens")}
    print(json.dumps({"versions": versions, "threads": torch.get_num_threads()}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        clean, corrupted = torch.tensor([asked["clean"]]), torch.tensor([asked["corrupted"]])
        metric = lambda logits: logits[0, -1, asked["correct"]] - logits[0, -1, asked["incorrect"]]
        _, cache = model.run_with_cache(clean)
        sweep, axes = SWEEPS[asked["sweep"]]
        places = pandas.DataFrame(asked["places"], columns=axes)
        start, cpu = time.perf_counter(), time.process_time()
        values = sweep(model, corrupted, cache, metric, index_axis_names=None, index_df=places)
        print(json.dumps({"seconds": time.perf_counter() - start, "cpuSeconds": time.process_time() - cpu, "values": values.tolist()}), flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: transformer_lens_patching.py FOLDER THREADS")
    main(sys.argv[1], int(sys.argv[2]))
