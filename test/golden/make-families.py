"""Tiny random checkpoints of every family and their numbers in Hugging Face transformers, float32, eager attention.

    python test/golden/make-families.py [case ...]    (needs torch and transformers; writes test/golden/families/<case>/;
                                                       all cases when none is named)

A case is a folder: config.json and model.safetensors (bfloat16) from save_pretrained, and golden.safetensors with,
for rows r = 0, 1 of different lengths, tokens.r, logits.r [S, V] and residuals.r [layers + 1, S, d]: what enters
every block, then what leaves the last one (before a final norm). BERT rows also have types.r.

Made sure of here, so that a test can fail and the reference is what it says:
  attention is far from uniform; float32 is within 8e-6 of float64 (a larger error would be the reference's own); a padded batch, left and right, with positions counted by the mask, gives the same
  numbers (not where rotary frequencies depend on the longest row: there transformers has no answer for a row alone in a
batch); a config.json rewritten in the spelling of transformers 4 gives the same numbers.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

OUT = Path(__file__).resolve().parent / "families"
VOCAB = 29
LENGTHS = (11, 6)
torch.set_num_threads(1)

DECODER = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=32)
GPT2 = dict(vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4, n_positions=16)
GPT_NEO = dict(vocab_size=VOCAB, hidden_size=32, num_heads=4, max_position_embeddings=16)
OPT = dict(vocab_size=VOCAB, hidden_size=32, ffn_dim=52, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=16)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16, rope_theta=1000.0)
SLIDE = "sliding_attention"
FULL = "full_attention"

CASES = {
    "gpt2": ("gpt2", GPT2),
    "gpt2-scaled": ("gpt2", dict(GPT2, n_inner=36, scale_attn_by_inverse_layer_idx=True, activation_function="gelu", n_head=2)),
    "gpt_neo": ("gpt_neo", dict(GPT_NEO, num_layers=3, attention_types=[[["global", "local"], 1], [["local"], 1]], window_size=4)),
    "gpt_neo-inner": ("gpt_neo", dict(GPT_NEO, num_layers=2, attention_types=[[["global"], 2]], intermediate_size=40, activation_function="silu")),
    "gpt_neox": ("gpt_neox", dict(DECODER, rope_parameters=dict(rope_type="default", rope_theta=100.0, partial_rotary_factor=0.25))),
    "gpt_neox-sequential": ("gpt_neox", dict(DECODER, num_attention_heads=2, use_parallel_residual=False, attention_bias=False, hidden_act="gelu_new", rope_parameters=dict(rope_type="linear", factor=3.0, rope_theta=100.0, partial_rotary_factor=1.0))),
    "llama": ("llama", dict(DECODER, num_key_value_heads=2, rope_parameters=LLAMA3)),
    "llama-biased": ("llama", dict(DECODER, num_key_value_heads=1, head_dim=10, attention_bias=True, mlp_bias=True, hidden_act="gelu", rope_parameters=dict(rope_type="linear", factor=2.5, rope_theta=500.0))),
    "llama-smol": ("llama", dict(DECODER, hidden_size=36, num_attention_heads=9, num_key_value_heads=3, tie_word_embeddings=True, rms_norm_eps=1e-5, rope_parameters=dict(rope_type="default", rope_theta=100000.0))),
    "mistral": ("mistral", dict(DECODER, num_key_value_heads=2, sliding_window=4, rope_parameters=dict(rope_type="default", rope_theta=100.0))),
    "mistral-full": ("mistral", dict(DECODER, num_key_value_heads=4, head_dim=6, sliding_window=None)),
    "qwen2": ("qwen2", dict(DECODER, num_key_value_heads=2, tie_word_embeddings=True, rope_parameters=dict(rope_type="default", rope_theta=1e6))),
    "qwen2-sliding": ("qwen2", dict(DECODER, num_hidden_layers=3, num_key_value_heads=1, use_sliding_window=True, sliding_window=3, max_window_layers=1)),
    "qwen3": ("qwen3", dict(DECODER, num_key_value_heads=2, head_dim=12, tie_word_embeddings=True)),
    "qwen3-sliding": ("qwen3", dict(DECODER, num_hidden_layers=3, num_key_value_heads=4, head_dim=8, attention_bias=True, use_sliding_window=True, sliding_window=3, layer_types=[SLIDE, FULL, SLIDE])),
    "gemma": ("gemma", dict(DECODER, num_key_value_heads=1, head_dim=12)),
    "gemma2": ("gemma2", dict(DECODER, num_hidden_layers=3, num_key_value_heads=2, head_dim=10, query_pre_attn_scalar=6, sliding_window=4, attn_logit_softcapping=2.0, final_logit_softcapping=3.0)),
    "gemma2-uncapped": ("gemma2", dict(DECODER, num_key_value_heads=4, head_dim=8, query_pre_attn_scalar=8, layer_types=[FULL, SLIDE], sliding_window=3, attn_logit_softcapping=None, final_logit_softcapping=None, attention_bias=True)),
    "gemma3": ("gemma3_text", dict(DECODER, num_hidden_layers=4, num_key_value_heads=2, head_dim=10, query_pre_attn_scalar=5, sliding_window=4, sliding_window_pattern=2, rope_parameters={FULL: dict(rope_type="linear", factor=8.0, rope_theta=5000.0), SLIDE: dict(rope_type="default", rope_theta=50.0)})),
    "gemma3-capped": ("gemma3_text", dict(DECODER, num_key_value_heads=1, head_dim=8, query_pre_attn_scalar=8, layer_types=[SLIDE, FULL], sliding_window=3, final_logit_softcapping=2.5)),
    "phi": ("phi", dict(DECODER, rope_parameters=dict(rope_type="default", rope_theta=100.0, partial_rotary_factor=0.5))),
    "phi-normed": ("phi", dict(DECODER, num_key_value_heads=2, qk_layernorm=True, hidden_act="gelu", rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.8))),
    "opt": ("opt", OPT),
    "opt-350m": ("opt", dict(OPT, do_layer_norm_before=False, word_embed_proj_dim=20)),
    "opt-bare": ("opt", dict(OPT, enable_bias=False, layer_norm_elementwise_affine=False, _remove_final_layer_norm=True)),
    "bert": ("bert", dict(DECODER, type_vocab_size=2, max_position_embeddings=16)),
    "bert-tanh": ("bert", dict(DECODER, num_attention_heads=2, type_vocab_size=3, hidden_act="gelu_new", layer_norm_eps=1e-5, max_position_embeddings=16, tie_word_embeddings=False)),
    "olmo": ("olmo", dict(DECODER, num_key_value_heads=2, clip_qkv=1.2, rope_parameters=dict(rope_type="default", rope_theta=500.0))),
    "olmo2": ("olmo2", dict(DECODER, num_key_value_heads=2, rope_parameters=dict(rope_type="default", rope_theta=500.0))),
    "phi3": ("phi3", dict(DECODER, num_key_value_heads=2, sliding_window=4, pad_token_id=0, rope_parameters=dict(rope_type="default", rope_theta=100.0, partial_rotary_factor=0.75), head_dim=8)),
    "phi3-longrope": ("phi3", dict(DECODER, pad_token_id=0, original_max_position_embeddings=8, rope_parameters=dict(rope_type="longrope", rope_theta=100.0, short_factor=[1.0, 1.1, 1.3, 2.0], long_factor=[1.2, 2.0, 3.5, 5.0]))),
    "gptj": ("gptj", dict(GPT2, rotary_dim=4)),
    "gptj-tied": ("gptj", dict(GPT2, n_inner=40, n_head=2, rotary_dim=16, activation_function="quick_gelu", tie_word_embeddings=True)),
    "stablelm": ("stablelm", dict(DECODER, num_key_value_heads=2, use_qkv_bias=True, rope_parameters=dict(rope_type="default", rope_theta=100.0, partial_rotary_factor=0.25))),
    "stablelm-parallel": ("stablelm", dict(DECODER, num_key_value_heads=4, use_parallel_residual=True, hidden_act="relu2", rope_parameters=dict(rope_type="linear", factor=2.0, rope_theta=100.0, partial_rotary_factor=0.5))),
    "bloom": ("bloom", dict(vocab_size=VOCAB, hidden_size=32, n_layer=2, n_head=4, seq_length=16)),
    "bloom-six": ("bloom", dict(vocab_size=VOCAB, hidden_size=36, n_layer=2, n_head=6, seq_length=16)),
    "roberta": ("roberta", dict(DECODER, type_vocab_size=2, max_position_embeddings=18, pad_token_id=1, hidden_act="relu", layer_norm_eps=1e-5)),
    "distilbert": ("distilbert", dict(vocab_size=VOCAB, dim=32, hidden_dim=44, n_layers=2, n_heads=4, max_position_embeddings=16)),
    "llama-yarn": ("llama", dict(DECODER, num_key_value_heads=2, rope_parameters=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=8, beta_fast=4.0, beta_slow=1.0, rope_theta=100.0))),
    "qwen2-yarn": ("qwen2", dict(DECODER, num_key_value_heads=2, hidden_act="quick_gelu", rope_parameters=dict(rope_type="yarn", factor=4.0, attention_factor=1.3, truncate=False, original_max_position_embeddings=8, beta_fast=3.0, rope_theta=100.0))),
    "llama-dynamic": ("llama", dict(DECODER, num_key_value_heads=2, hidden_act="relu2", max_position_embeddings=8, rope_parameters=dict(rope_type="dynamic", factor=4.0, rope_theta=100.0))),
    "mixtral": ("mixtral", dict(DECODER, num_key_value_heads=2, intermediate_size=20, num_local_experts=4, num_experts_per_tok=2, sliding_window=4, rope_parameters=dict(rope_type="default", rope_theta=100.0))),
    "qwen3_moe": ("qwen3_moe", dict(DECODER, num_key_value_heads=2, head_dim=12, num_experts=5, num_experts_per_tok=2, moe_intermediate_size=12, norm_topk_prob=False)),
    "qwen3_moe-normed": ("qwen3_moe", dict(DECODER, num_key_value_heads=4, head_dim=8, num_experts=3, num_experts_per_tok=3, moe_intermediate_size=16, norm_topk_prob=True, tie_word_embeddings=True, use_sliding_window=True, sliding_window=3, max_window_layers=1)),
}
# Here transformers turns every row of a batch by the frequencies of the longest.
BY_LONGEST_ROW = ("phi3-longrope", "llama-dynamic")
MASKED = ("bert", "roberta", "distilbert")
MIXTURES = ("mixtral", "qwen3_moe")


def rope_to_v4(config):
    """rope_theta, rope_scaling and the families' own names, as files of transformers 4 have them."""
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    factor = rope.pop("partial_rotary_factor", None)
    if factor is not None:
        config["partial_rotary_factor"] = factor
    config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    if config["model_type"] == "llama":
        del config["head_dim"]  # as files from before 2024 do


def neox_to_v4(config):
    rope_to_v4(config)
    config["rotary_emb_base"] = config.pop("rope_theta")
    config["rotary_pct"] = config.pop("partial_rotary_factor")


def gemma3_to_v4(config):
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope[FULL].pop("rope_theta")
    config["rope_local_base_freq"] = rope[SLIDE]["rope_theta"]
    config["rope_scaling"] = rope[FULL]
    del config["layer_types"]
    config["sliding_window_pattern"] = config.pop("_sliding_window_pattern")


def gemma_to_v4(config):
    rope_to_v4(config)
    config["hidden_act"] = "gelu"


def gemma2_to_v4(config):
    rope_to_v4(config)
    del config["layer_types"]


V4 = {"olmo": rope_to_v4, "stablelm": rope_to_v4, "phi3-longrope": rope_to_v4, "qwen2-yarn": rope_to_v4, "llama": rope_to_v4, "llama-smol": rope_to_v4, "gpt_neox": neox_to_v4, "gemma3": gemma3_to_v4, "gemma": gemma_to_v4, "gemma2": gemma2_to_v4, "phi": rope_to_v4, "qwen2-sliding": rope_to_v4}


def randomise(model, seed):
    """Weights wide enough that heads attend to few tokens; norms near 1 (near 0 where the family adds 1)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            is_norm = p.dim() == 1 and name.endswith("weight")
            if is_norm:
                centre = 0.0 if "Gemma" in type(model).__name__ else 1.0
                p.copy_(centre + 0.3 * noise)
            elif p.dim() == 1:
                p.copy_(0.3 * noise)
            elif "embed" in name or "wte" in name or "wpe" in name:
                p.copy_(0.5 * noise)
            else:
                sharp = 0.8 if model.config.model_type == "gpt_neo" else 1.6 if any(part in name for part in ("q_proj", "k_proj", "query", "key", "c_attn", "q_lin", "k_lin", "qkv_proj")) else 1.0
                p.copy_(noise * sharp / p.shape[-1] ** 0.5)
            p.copy_(p.to(torch.bfloat16).float())


def blocks_of(model):
    for path in ("transformer.h", "gpt_neox.layers", "model.layers", "model.decoder.layers", "bert.encoder.layer", "roberta.encoder.layer", "distilbert.transformer.layer"):
        try:
            return model.get_submodule(path)
        except AttributeError:
            continue
    raise SystemExit("no blocks")


def run(model, **inputs):
    """logits, residuals [layers + 1, batch, S, d] and the attention patterns."""
    residuals = []
    handles = []

    def before(_module, args, kwargs):
        residuals.append((args[0] if args else kwargs["hidden_states"]).detach().clone())

    def after(_module, _args, output):
        residuals.append((output[0] if isinstance(output, tuple) else output).detach().clone())

    blocks = blocks_of(model)
    for block in blocks:
        handles.append(block.register_forward_pre_hook(before, with_kwargs=True))
    handles.append(blocks[-1].register_forward_hook(after))
    with torch.no_grad():
        out = model(**inputs, output_attentions=True, **({} if "token_type_ids" in inputs else {"use_cache": False}))
    for handle in handles:
        handle.remove()
    shape = inputs["input_ids"].shape
    return out.logits, torch.stack([r.reshape(*shape, -1) for r in residuals]), out.attentions


def close(a, b):
    return ((a - b).abs() / b.abs().clamp(min=1)).max().item()


def check_padding(model, rows, types, results):
    """The padded batch gives each row's own numbers, so that a padded run may be compared with them."""
    longest = max(map(len, rows))
    worst = 0.0
    for side in ("right",) if types else ("left", "right"):
        ids, mask, kinds = [], [], []
        for r, row in enumerate(rows):
            pad = [getattr(model.config, "pad_token_id", 0) or 0] * (longest - len(row))
            ids.append(pad + row if side == "left" else row + pad)
            mask.append([0] * len(pad) + [1] * len(row) if side == "left" else [1] * len(row) + [0] * len(pad))
            kinds.append(types[r] + [0] * len(pad) if types else [])
        mask = torch.tensor(mask)
        inputs = dict(input_ids=torch.tensor(ids), attention_mask=mask)
        if types:
            inputs["token_type_ids"] = torch.tensor(kinds)
        elif model.config.model_type != "bloom":
            inputs["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)
        logits, _, _ = run(model, **inputs)
        for r in range(len(rows)):
            worst = max(worst, close(logits[r][mask[r] == 1], results[r][0]))
    return worst


made = f"python test/golden/make-families.py; torch {torch.__version__.split('+')[0]}, transformers {transformers.__version__}, float32, eager"
wanted = sys.argv[1:] or list(CASES)
for seed, (case, (model_type, settings)) in enumerate(CASES.items()):
    if case not in wanted:
        continue
    folder = OUT / case
    shutil.rmtree(folder, ignore_errors=True)
    auto = AutoModelForMaskedLM if model_type in MASKED else AutoModelForCausalLM
    eager = dict(attn_implementation="eager", **(dict(experts_implementation="eager") if model_type in MIXTURES else {}))
    config = transformers.AutoConfig.for_model(model_type, **settings, **eager)
    model = auto.from_config(config, **eager)
    randomise(model, seed)
    model.tie_weights()
    model.to(torch.bfloat16).save_pretrained(folder)
    for extra in folder.glob("generation_config.json"):
        extra.unlink()
    if case in V4:
        rewritten = json.loads((folder / "config.json").read_text())
        V4[case](rewritten)
        (folder / "config.json").write_text(json.dumps(rewritten, indent=1) + "\n")
    reference = auto.from_config(config, **eager, dtype=torch.float32).eval()
    reference.load_state_dict(model.float().state_dict())
    model = auto.from_pretrained(folder, dtype=torch.float32, **eager).eval()

    generator = torch.Generator().manual_seed(1000 + seed)
    rows = [torch.randint(0, VOCAB, (n,), generator=generator).tolist() for n in LENGTHS]
    if model_type == "roberta":  # a pad token in a text would have no position of its own
        rows = [[token if token != config.pad_token_id else VOCAB - 1 for token in row] for row in rows]
    types = [torch.randint(0, settings["type_vocab_size"], (n,), generator=generator).tolist() for n in LENGTHS] if "type_vocab_size" in settings else None
    double = auto.from_pretrained(folder, dtype=torch.float64, **eager).eval()
    tensors, results, sharp, own = {}, [], [], 0.0
    for r, row in enumerate(rows):
        inputs = dict(input_ids=torch.tensor([row]))
        if types:
            inputs["token_type_ids"] = torch.tensor([types[r]])
            tensors[f"types.{r}"] = torch.tensor(types[r], dtype=torch.int32)
        logits, residuals, patterns = run(model, **inputs)
        difference = close(run(reference, **inputs)[0], logits)
        assert difference == 0.0, f"{case}: config.json says something else, by {difference}"
        results.append((logits[0], residuals[:, 0]))
        exact = run(double, **inputs)
        own = max(own, close(logits, exact[0]), close(residuals, exact[1]))
        tensors[f"tokens.{r}"] = torch.tensor(row, dtype=torch.int32)
        tensors[f"logits.{r}"] = logits[0].contiguous()
        tensors[f"residuals.{r}"] = residuals[:, 0].contiguous()
        sharp += [p[0, :, -1].max(-1).values.mean().item() * len(row) for p in patterns]
    padded = 0.0 if case in BY_LONGEST_ROW else check_padding(model, rows, types, results)
    assert padded <= 1e-5, f"{case}: padding changes the reference by {padded}"
    assert own <= 8e-6, f"{case}: float32 itself is off by {own}"
    assert min(sharp) > 1.5, f"{case}: attention is nearly uniform"
    save_file(tensors, folder / "golden.safetensors", metadata={"made": made})
    size = max(r[1].abs().max().item() for r in results)
    print(f"{case:22} attention {min(sharp):.1f}-{max(sharp):.1f} x uniform, padded within {padded:.0e}, float64 within {own:.0e}, residuals up to {size:.1f}, logits up to {max(r[0].abs().max().item() for r in results):.1f}")
print(f"{sum(f.stat().st_size for f in OUT.rglob('*') if f.is_file()) / 1e6:.2f} MB; {made}")
