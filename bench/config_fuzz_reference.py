"""One-field edits of the golden configurations, and what transformers answers to each: the other half of config-fuzz.ts.

    python bench/config_fuzz_reference.py DIR [--seed 0] [--limit N]     (needs torch and transformers)

Every edit becomes a folder DIR/<n>: the edited config.json, a link to the golden weights (or, for edits of the head, weights with a
head more or less), and expected.json with the logits of one row, or with why there are none: transformers raises, or it would fill
weights in at random. Edits: every field changed by its type, taken away, and fields of other families set.
"""

import argparse
import json
import os
import random
import warnings
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

GOLDEN = Path(__file__).resolve().parent.parent / "test" / "golden" / "families"
MASKED = ("bert", "roberta", "distilbert")
ACTIVATIONS = ["relu", "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "silu", "quick_gelu", "relu2", "mish", "sigmoid", "gelu_10", "swish", "tanh"]
FIXED = ("architectures", "model_type", "transformers_version", "dtype", "torch_dtype", "use_cache")
FULL, SLIDE = "full_attention", "sliding_attention"
FOREIGN = {
    "rope_theta": [37.0],
    "partial_rotary_factor": [0.5],
    "rotary_pct": [0.5],
    "rotary_emb_base": [50],
    "rotary_dim": [4],
    "rope_local_base_freq": [30.0],
    "original_max_position_embeddings": [6],
    "rope_scaling": [
        {"rope_type": "linear", "factor": 2.0},
        {"type": "linear", "factor": 3.0},
        {"rope_type": "dynamic", "factor": 2.0},
        {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8},
        {"rope_type": "yarn", "factor": 4.0, "mscale": 0.8, "mscale_all_dim": 0.5, "beta_fast": 6, "original_max_position_embeddings": 8},
        {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16},
        {"rope_type": "longrope", "factor": 2.0, "short_factor": [1.0, 1.2, 1.5, 2.0], "long_factor": [1.5, 2.0, 3.0, 4.0], "original_max_position_embeddings": 8},
        {},
    ],
    "rope_parameters": [{"rope_type": "default", "rope_theta": 200.0}, {"rope_theta": 70.0}, {FULL: {"rope_type": "default", "rope_theta": 90.0}, SLIDE: {"rope_type": "default", "rope_theta": 20.0}}],
    "sliding_window": [3],
    "use_sliding_window": [True],
    "max_window_layers": [0],
    "sliding_window_pattern": [1, 2],
    "layer_types": [[SLIDE, FULL], [SLIDE, SLIDE], [FULL, FULL], [FULL]],
    "head_dim": [4, 16],
    "num_key_value_heads": [1, 2, 4],
    "attention_bias": [True, False],
    "mlp_bias": [True],
    "use_qkv_bias": [True],
    "tie_word_embeddings": [True, False],
    "clip_qkv": [0.5],
    "qk_layernorm": [True],
    "use_qk_norm": [True],
    "attn_logit_softcapping": [1.5],
    "final_logit_softcapping": [1.5],
    "query_pre_attn_scalar": [3],
    "scale_attn_weights": [False],
    "scale_attn_by_inverse_layer_idx": [True],
    "reorder_and_upcast_attn": [True],
    "use_parallel_residual": [True, False],
    "is_decoder": [True],
    "add_cross_attention": [True],
    "position_embedding_type": ["relative_key"],
    "use_bidirectional_attention": [True],
    "alibi": [True],
    "layer_norm_eps": [0.3],
    "layer_norm_epsilon": [0.3],
    "rms_norm_eps": [0.3],
    "hidden_act": ACTIVATIONS[:3],
    "hidden_activation": ["relu", "gelu_pytorch_tanh"],
    "activation_function": ["relu"],
    "activation": ["relu"],
    "do_layer_norm_before": [False],
    "_remove_final_layer_norm": [True],
    "layer_norm_elementwise_affine": [False],
    "apply_residual_connection_post_layernorm": [True],
    "sinusoidal_pos_embds": [True],
    "attention_multiplier": [0.3],
    "residual_multiplier": [0.3],
    "logits_scaling": [2.0],
    "logit_scale": [0.5],
    "embedding_multiplier": [3.0],
    "pad_token_id": [0, 5],
    "n_inner": [24],
    "pretraining_tp": [2],
    "slow_but_exact": [True],
    "hidden_dropout": [0.5],
}


def changed(name, value):
    """Other values that a field of this kind may have."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value * 2, max(1, value // 2), value + 1]
    if isinstance(value, float):
        return [value * 30, value / 3]
    if isinstance(value, str):
        return ACTIVATIONS if "act" in name else []
    if isinstance(value, dict):
        inner = [{**value, key: other} for key, old in value.items() for other in changed(key, old)]
        return inner + [{key: old for key, old in value.items() if key != gone} for gone in value]
    if isinstance(value, list):
        return [value[::-1], value[:-1]]
    return []


def edits_of(raw):
    """(what is edited, the edited configuration, the edit of the head) of one golden configuration."""
    seen = {json.dumps(raw, sort_keys=True)}
    out = []

    def add(label, config, head=None):
        key = json.dumps(config, sort_keys=True) + str(head)
        if key not in seen:
            seen.add(key)
            out.append((label, config, head))

    for name, value in raw.items():
        if name in FIXED:
            continue
        for other in changed(name, value):
            add(f"{name} = {json.dumps(other)}", {**raw, name: other})
        add(f"{name} taken away", {key: old for key, old in raw.items() if key != name})
        add(f"{name} = null", {**raw, name: None})
    for name, values in FOREIGN.items():
        for value in values:
            add(f"{name} = {json.dumps(value)}", {**raw, name: value})
    for tied in (True, False):
        for head in ("own", "none"):
            add(f"tie_word_embeddings = {tied}, head {head}", {**raw, "tie_word_embeddings": tied}, head)
    return out


def head_of(raw):
    return {"gpt_neox": "embed_out.weight", "bert": "cls.predictions.decoder.weight", "roberta": "lm_head.decoder.weight", "distilbert": "vocab_projector.weight"}.get(raw["model_type"], "lm_head.weight")


def answer(folder, model_type, tokens):
    auto = transformers.AutoModelForMaskedLM if model_type in MASKED else transformers.AutoModelForCausalLM
    try:
        model, info = auto.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
        if info["missing_keys"] or info["mismatched_keys"]:
            return {"refused": f"random weights: {sorted(map(str, [*info['missing_keys'], *info['mismatched_keys']]))[:2]}"}
        with torch.no_grad():
            logits = model.eval()(torch.tensor([tokens])).logits[0]
        if not torch.isfinite(logits).all():
            return {"refused": "logits are not finite"}
        return {"logits": logits.flatten().tolist()}
    except Exception as error:  # noqa: BLE001  whatever transformers raises is a refusal
        return {"refused": f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"}


parser = argparse.ArgumentParser()
parser.add_argument("out", type=Path)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--limit", type=int, default=None, help="so many edits, drawn evenly from all checkpoints")
args = parser.parse_args()
warnings.filterwarnings("ignore")
transformers.logging.set_verbosity(transformers.logging.CRITICAL)
transformers.logging.disable_progress_bar()
torch.set_num_threads(1)
args.out.mkdir(parents=True)

cases = []
for golden in sorted(GOLDEN.iterdir()):
    raw = json.loads((golden / "config.json").read_text())
    cases.append((golden, raw, edits_of(raw)))
draw = random.Random(args.seed)
if args.limit is not None:
    share = -(-args.limit // len(cases))
    cases = [(golden, raw, draw.sample(edits, min(share, len(edits)))) for golden, raw, edits in cases]

count = 0
for golden, raw, edits in cases:
    tokens = load_file(golden / "golden.safetensors")["tokens.0"].tolist()
    weights = load_file(golden / "model.safetensors")
    for label, config, head in edits:
        folder = args.out / str(count)
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        if head is None:
            os.symlink(golden / "model.safetensors", folder / "model.safetensors")
        else:
            name = head_of(raw)
            others = {key: value for key, value in weights.items() if key != name}
            embedding = next(value for key, value in weights.items() if value.dim() == 2 and value.shape[0] == raw["vocab_size"])
            own = {name: (embedding.flip(0) * 0.7).contiguous()} if head == "own" else {}
            save_file({**others, **own}, folder / "model.safetensors", metadata={"format": "pt"})
        # RoBERTa gives a pad token inside a text no position of its own; no row holds one.
        pad = config.get("pad_token_id", 1) if raw["model_type"] == "roberta" else None
        row = [token if token != pad else token + 1 for token in tokens]
        expected = answer(folder, raw["model_type"], row)
        (folder / "expected.json").write_text(json.dumps({"case": golden.name, "edit": label, "tokens": row, **expected}))
        count += 1
print(f"{count} edits of {len(cases)} checkpoints; torch {torch.__version__.split('+')[0]}, transformers {transformers.__version__}")
