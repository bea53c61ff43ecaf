"""Writes test/golden/gguf: small GGUF files, and what Python reads from them.

    python test/golden/make-gguf.py

types.gguf        one tensor of every number format that is read, of random blocks; values in types.safetensors
                  (gguf.dequantize)
bpe-*.gguf        byte-level BPE tokenizers of 400 tokens by the names of their pre-tokenizers, and spm-*.gguf,
                  SentencePiece's kind; ids of TEXTS in tokenizers.json (Python's tokenizers, built by hand as the models'
                  own tokenizer.json files are)
merges.json       a vocabulary with scores, some equal, and its merges (transformers' generate_merges)

Written with gguf 0.19.0, tokenizers 0.23.3, transformers 5.24.0, numpy 2.4.6. Nothing here is trained on anything but
the texts below.
"""
import json
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from safetensors import safe_open
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers.tokenization_utils_base import generate_merges

out = Path(__file__).parent / "gguf"
out.mkdir(exist_ok=True)
random = np.random.default_rng(0)

# Number formats. A block is random bytes but for its float16 scales, whose places depend on the format.
SCALES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2],
    "Q5_K": [0, 2], "Q6_K": [208],
}
ROWS, COLS = 2, 512


def blocks(kind):
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    count = ROWS * COLS // elements
    raw = random.integers(0, 256, (count, size), dtype=np.uint8)
    for at in SCALES[kind.name]:
        scales = (random.normal(size=count) * 0.1).astype(np.float16)
        scales[0] = -0.0  # the sign of zero is kept
        scales[1 % count] = 6e-8  # subnormal
        raw[:, at : at + 2] = scales.view(np.uint8).reshape(count, 2)
    return raw.reshape(ROWS, -1)


writer = gguf.GGUFWriter(out / "types.gguf", "llama")
values = {}
plain = (random.normal(size=(ROWS, COLS)) * 3).astype(np.float32)
for kind in (Type.F32, Type.F16, Type.BF16, *(Type[name] for name in SCALES)):
    if kind == Type.F32:
        raw = plain
    elif kind == Type.F16:
        raw = plain.astype(np.float16)
    elif kind == Type.BF16:
        raw = gguf.quantize(plain, kind)
    else:
        raw = blocks(kind)
    writer.add_tensor(kind.name, raw, raw_dtype=kind)
    values[kind.name] = np.ascontiguousarray(gguf.dequantize(raw if kind != Type.F16 else raw, kind).reshape(ROWS, COLS))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
save_file(values, out / "types.safetensors")

# Tokenizers.
CORPUS = [
    "When Mary and John went to the store, John gave a drink to Mary.", "the cat sat on the mat and the dog sat on the log",
    "I'm sure they're 1234567 of 89, it's 2024!", "def f(x):\n    return x + 1\n\n\tprint('hello')", "naïve café, déjà vu", "  two  spaces   three",
]
TEXTS = [
    "When Mary went to the store", " the cat", "the  cat   sat", "it's 12345 I'M THEY'RE", "a\n\n b\t\tc\r\n", "naïve café e\u0301", "漢字 🙂 !?", "",
    "<|end|>when<|end|> <|tool|>x", "  ", "x1y22z333", "\u00a0\u2028odd",
]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


PRE = {
    "gpt-2": (None, pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "smollm": (None, pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])),
    "llama-bpe": (None, split(LLAMA3)),
    "qwen2": (normalizers.NFC(), split(QWEN2)),
}
SPECIAL = ["<|begin|>", "<|end|>"]
ids = {}


def write(name, model, pre, tokens, types, merges=None, scores=None, **flags):
    writer = gguf.GGUFWriter(out / f"{name}.gguf", flags.pop("architecture", "llama"))
    writer.add_tokenizer_model(model)
    if pre is not None:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    if merges is not None:
        writer.add_token_merges(merges)
    if scores is not None:
        writer.add_token_scores(scores)
    for key, value in flags.items():
        getattr(writer, f"add_{key}")(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def encode(name, tokenizer):
    ids[name] = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]


for pre, (normalizer, cut) in PRE.items():
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = cut
    trained.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=398, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    state = json.loads(trained.to_str())["model"]
    tokens = sorted(state["vocab"], key=state["vocab"].get) + ["<|tool|>"]
    merges = [" ".join(pair) for pair in state["merges"]]
    types = [3 if token in SPECIAL else 4 if token == "<|tool|>" else 1 for token in tokens]
    write(f"bpe-{pre}", "gpt2", pre, tokens, types, merges, bos_token_id=0, eos_token_id=1)
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[tuple(pair) for pair in state["merges"]], ignore_merges=pre == "llama-bpe"))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = cut
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL])
    tokenizer.add_tokens([AddedToken("<|tool|>", normalized=False)])
    encode(f"bpe-{pre}", tokenizer)

for name, gemma in (("spm-llama", False), ("spm-gemma", True)):
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Replace(" ", "\u2581")
    trained.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
    trained.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=140))
    state = json.loads(trained.to_str())["model"]["vocab"]
    special = ["<unk>", "<s>", "</s>", "<|end|>"]
    byte_tokens = [f"<0x{b:02X}>" for b in range(256)]
    pieces = sorted(state, key=state.get)
    long = [piece for piece in pieces if len(piece) > 1] + (["\u2581\u2581", "\u2581\u2581\u2581"] if gemma else ["\u2581\u2581"])
    tokens = special + byte_tokens + ["<|tool|>"] + long + sorted({char for piece in pieces for char in piece} | {"\u2581"})
    types = [2, 3, 3, 3] + [6] * 256 + [4] + [1] * (len(tokens) - 261)
    # As SentencePiece's trainer: merged pieces count down, single characters come last.
    scores = [0.0] * 261 + [-float(i) for i in range(len(tokens) - 261)]
    stored = [" " * len(token) if gemma and set(token) == {"\u2581"} and len(token) > 1 else token for token in tokens]
    flags = {"bos_token_id": 1, "eos_token_id": 2, "unk_token_id": 0, "add_bos_token": True}
    if gemma:
        flags |= {"architecture": "gemma3", "add_space_prefix": False}
    write(name, "llama", None, stored, types, scores=[-1000.0] * len(tokens) if gemma else scores, **flags)
    vocabulary = {token: i for i, token in enumerate(tokens)}
    best = {token: -i for token, i in vocabulary.items()} if gemma else dict(zip(tokens, scores))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=generate_merges(vocabulary, best), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if gemma:
        tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="first", split=False)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    tokenizer.add_tokens([AddedToken("<|tool|>", normalized=False)])
    encode(name, tokenizer)

(out / "tokenizers.json").write_text(json.dumps({"texts": TEXTS, "ids": ids}, separators=(",", ":")) + "\n")

pieces = ["a", "b", "ab", "ba", "aba", "abab", "bab", "c", "abc", "cab", "🙂", "a🙂", "🙂b", "a🙂b", "aa", "aaa", "aaaa"]
scores = dict(zip(pieces, [-9, -9, -1, -2, -2, -3, -2, -9, -4, -4, -9, -5, -5, -5, -6, -6, -6]))
merges = generate_merges({piece: i for i, piece in enumerate(pieces)}, scores)
(out / "merges.json").write_text(json.dumps({"scores": scores, "merges": merges}) + "\n")

# llama.cpp's names of the tensors of the families' golden models.
FAMILIES = {
    "llama-smol": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "gemma": "gemma", "gemma2": "gemma2", "gemma3": "gemma3", "gpt2": "gpt2", "phi": "phi2", "phi3": "phi3", "phi3-longrope": "phi3",
}
names = {}
for family, architecture in FAMILIES.items():
    arch = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == architecture)
    table = gguf.get_tensor_name_map(arch, 16)
    with safe_open(out.parent / "families" / family / "model.safetensors", "numpy") as file:
        keys = list(file.keys())
    names[family] = {"architecture": architecture, "names": {key: table.get_name(key, try_suffixes=(".weight", ".bias")) for key in keys}}
(out / "names.json").write_text(json.dumps(names, indent=1) + "\n")
