"""Golden tokenizers: tiny ones of every kind the model families use, with the ids Python gives.

    python test/golden/make-tokenizers.py > test/golden/tokenizers.json

Needs `tokenizers` and `transformers` (versions are recorded in the output). Trained on the few
sentences below, so the files stay small; newer `tokenizers` write merges as pairs, older ones as
strings, and one tokenizer is rewritten to the old form to hold both.
"""
import json
import tempfile

import tokenizers
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = [
    "When Mary and John went to the store, John gave a drink to Mary.",
    "Then, Mary and John had a long argument, and John said goodbye to Mary!",
    "It isn't what they're used to; we'll see that he's here, I'd say.",
    "the theory of the third thing that these three brothers gathered together",
]
TEXTS = CORPUS[:3] + [
    "",
    " ",
    "Mary",
    " Mary",
    "  two  spaces\tand a tab\nand lines\n\n",
    "numbers 1234567890 and 3.14",
    "na\u00efve caf\u00e9 \u4e2d\u6587 \U0001f600!",
    "DON'T it's IT'S",
]
ALPHABET = pre_tokenizers.ByteLevel.alphabet()
GPT4_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def gpt2():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=320, special_tokens=["<|endoftext|>"], initial_alphabet=ALPHABET, show_progress=False))
    end = "<|endoftext|>"
    return t, {"tokenizer_class": "GPT2Tokenizer", "bos_token": end, "eos_token": end, "unk_token": end, "add_prefix_space": False}, [f"one{end}two"]


def llama3():
    t = Tokenizer(models.BPE(ignore_merges=True))
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(GPT4_SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=300, initial_alphabet=ALPHABET, show_progress=False))
    t.add_special_tokens([AddedToken("<|begin_of_text|>", special=True, normalized=False)])
    bos = t.token_to_id("<|begin_of_text|>")
    template = processors.TemplateProcessing(single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", bos)])
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), template])
    return t, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin_of_text|>"}, []


def llama():
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
    words = [w for s in CORPUS for w in s.split()]
    t.train_from_iterator(words, trainers.BpeTrainer(vocab_size=340, special_tokens=special, show_progress=False))
    model = json.loads(t.to_str())
    model["added_tokens"] = [a for a in model["added_tokens"] if not a["content"].startswith("<0x")]
    t = Tokenizer.from_str(json.dumps(model))
    t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return t, {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True}, []


def bert():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece(prefix="##")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    alphabet = list("abcdefghijklmnopqrstuvwxyz0123456789.,!?;'")
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=160, special_tokens=special, initial_alphabet=alphabet, show_progress=False))
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]"}
    return t, {"tokenizer_class": "BertTokenizer", "do_lower_case": True, **names}, []


def words():
    list_ = ["When", "Mary", "and", "John", "went", "to", "the", "store", ",", "gave", "a", "drink", ".", "it", "?", "1999"]
    bos, unk = "<|bos|>", "<|unk|>"
    t = Tokenizer(models.WordLevel({w: i for i, w in enumerate([bos, unk] + list_)}, unk_token=unk))
    t.add_special_tokens([AddedToken(bos, special=True, normalized=False), AddedToken(unk, special=True, normalized=False)])
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    t.decoder = decoders.WordPiece(prefix="<|glue|>", cleanup=True)
    t.post_processor = processors.TemplateProcessing(single=f"{bos} $A", pair=f"{bos} $A $B:0", special_tokens=[(bos, 0)])
    texts = [CORPUS[0], "Mary", " Mary", "", "Mary went to the store. John went , to  the store ?", "it gave John a drink. 1999"]
    return t, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": bos, "unk_token": unk, "add_bos_token": True}, texts


def golden(name, made, only=None):
    tokenizer, config, texts = made
    texts = texts if only else TEXTS + texts
    cases = []
    for text in texts:
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        full = tokenizer.encode(text).ids
        cases.append({"text": text, "plain": plain, "full": full, "decoded": tokenizer.decode(full, skip_special_tokens=True)})
    # transformers must load the two files and agree.
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(f"{folder}/tokenizer.json")
        json.dump({**config, "tokenizer_class": "PreTrainedTokenizerFast"}, open(f"{folder}/tokenizer_config.json", "w"))
        loaded = transformers.AutoTokenizer.from_pretrained(folder)
        assert all(loaded(c["text"]).input_ids == c["full"] for c in cases), name
    file = json.loads(tokenizer.to_str())
    if name == "llama":
        file["model"]["merges"] = [" ".join(pair) for pair in file["model"]["merges"]]
    return {"name": name, "tokenizer": file, "config": config, "cases": cases}


print(json.dumps({
    "versions": {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__},
    "tokenizers": [golden("gpt2", gpt2()), golden("llama3", llama3()), golden("llama", llama()), golden("bert", bert()), golden("words", words(), only=True)],
}, ensure_ascii=True))
