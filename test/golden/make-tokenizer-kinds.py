"""Golden tokenizers of every kind the format has, before hostile texts: ids, offsets, decoding, patterns, chats.

    python test/golden/make-tokenizer-kinds.py test/golden/tokenizer-kinds.json.gz

Needs `tokenizers`, `transformers` and `sentencepiece` (versions are recorded in the output). Vocabularies are tiny and
trained here; a model is stored once and kinds name it. Every kind is also loaded by transformers, which must agree.
"""
import gzip
import itertools
import json
import random
import sys
import tempfile

import sentencepiece
import tokenizers
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = [
    "When Mary and John went to the store, John gave a drink to Mary.",
    "Then, Mary and John had a long argument, and John said goodbye to Mary!",
    "It isn't what they're used to; we'll see that he's here, I'd say.",
    "the theory of the third thing that these three brothers gathered together in 1999 and 2024",
    "na\u00efve caf\u00e9 \u4e2d\u6587 \u0440\u0443\u0441\u0441\u043a\u0438\u0439 <user> def f(x): return x**2",
]
TEXTS = [
    "", " ", "  ", "\n", "\t", "Mary", " Mary", CORPUS[0], "  two  spaces\tand a tab\nand lines\n\n", "trailing space ",
    "trailing spaces   ", "\t\tindent\n\t\t\tmore\n\n\n\nend", "a\r\nb\r\n\r\nc", "a\n\n\nb", "x \n y", "\n \n", "a\t \tb",
    "   lead", "numbers 1234567890 and 3.14, 1,000,000 \u00bd \u00b2 \u0663 \u096a \u2167",
    "DON'T it's IT'S we'll they're I'd 'tis o'clock", "na\u00efve caf\u00e9", "nai\u0308ve cafe\u0301", "A\u030a \u212b \u00c5",
    "e\u0301\u0323 q\u0307\u0323 \u1e69 s\u0323\u0307", "\ufb01 \ufb03 \u2460 \u00bd \u3392 \uff21\uff22", "\u4e2d\u6587\u5b57\u7b26",
    "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3002", "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab", "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd", "\u0928\u092e\u0938\u094d\u0924\u0947", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u041f\u0440\u0438\u0432\u0435\u0442 \u041c\u0418\u0420",
    "\u0391\u03a3 \u03a3 \u03c2", "\u0130stanbul \u0131 \u1e9e \u00df", "\U0001f600", "hi \U0001f600!", "\U0001f468\u200d\U0001f469\u200d\U0001f467 family",
    "\U0001f44d\U0001f3fd\U0001f1eb\U0001f1f7", "\u2764\ufe0f", "z\u0351\u036b\u0343a\u0320\u0321l\u0338g\u0334o", "\u200b\u200c\u200d\u2060\ufeff",
    "a\u00a0b\u2003c\u3000d\u1680e", "\u2028line\u2029para\u0085next", "\x00\x01\x02\x1f\x7f", "a\x00b", "\ufffd\ufffe", "\U00020000\U0002a6d6",
    "\U0010ffff", "<s>hello</s>", "<|im_start|>user\nhi<|im_end|>\n", "<start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\n",
    "[INST] hi [/INST]", "<bos><eos><pad><unk>", "<|endoftext|>one<|endoftext|>", "[CLS] a [SEP] [MASK] [UNK]", "<0x0A><0xE2>",
    "\u2581under\u2581score", "\u0120G\u010a", "##piece ##", "</w>", "$%^&*()_+{}|:\"<>?~`-=[]\\;',./", "!!!???...",
    "\u2014\u2013\u2026\u201cquoted\u201d\u2018x\u2019\u00ab\u00bb", "http://example.com/a?b=c&d=e#f", "user@example.com",
    "def f(x):\n    return x**2  # comment\n", "{\"a\": [1, 2.5e-3, null]}", "snake_case camelCase SCREAMING_CASE", "a" * 40, "ab" * 8,
    "a" * 130, "the the the the", "THE The tHe", "\u00e9" * 7, "a b c d e f g", ". , ! ? ' n't 'm do not 's 've 're", "\u2160\u2075\u2082 x\u00b2",
    "tokenTOKEN added  NEW new  tok", "xnewx new newer anew new", "\u30fc\u3000\u30a2\u30fc", "\u0301leading mark", "1\u20e3 \u00a9\u00ae\u2122",
    "\U0001d400\U0001d7ce \U0001f1e6",
]
ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN = GPT4.replace(r"\p{N}{1,3}", r"\p{N}")
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+",
])
DEEPSEEK = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
BYTES = [f"<0x{i:02X}>" for i in range(256)]


def train(model, trainer, pre=None, norm=None, corpus=CORPUS):
    t = Tokenizer(model)
    if pre is not None:
        t.pre_tokenizer = pre
    if norm is not None:
        t.normalizer = norm
    t.train_from_iterator(corpus, trainer)
    return json.loads(t.to_str())["model"]


def bpe(pre, size, special=(), alphabet=(), model=None, norm=None, **more):
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(special), initial_alphabet=list(alphabet), show_progress=False, **more)
    return train(model or models.BPE(), trainer, pre, norm)


def metaspaced(size, fields, special, drop_bytes=0):
    """BPE over words that begin with the metaspace, with the fields changed afterwards."""
    words = [w for line in CORPUS for w in line.replace(" ", "\u2581").replace("\u2581", " \u2581").split(" ")]
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    t.train_from_iterator(words, trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False))
    model = json.loads(t.to_str())["model"]
    kept = {token: i for i, token in enumerate(token for token in model["vocab"] if not (drop_bytes and token in BYTES[0x80 + drop_bytes:]))}
    return {**model, "vocab": kept, **fields}


def unigram(size, unk="<unk>", special=("<s>", "</s>", "<unk>"), pre=None, norm=None, **fields):
    trainer = trainers.UnigramTrainer(vocab_size=size, unk_token=unk, special_tokens=list(special), show_progress=False)
    model = train(models.Unigram(), trainer, pre or pre_tokenizers.Metaspace(), norm)
    return {**model, **fields}


def sentencepiece_unigram():
    """A tiny SentencePiece model with its own compiled character map."""
    rules = [("\uff21", "A"), ("\uff22", "B"), ("\ufb01", "fi"), ("\u00bd", "1/2"), ("\u3392", "MHz"), ("\u0065\u0301", "\u00e9"), ("\t", " "),
             ("\u3000", " "), ("\n", " "), ("\u200b", ""), ("\u2460", "1"), ("\u0041\u030a", "\u00c5"), ("\ufeff", ""), ("\u1112\u1161\u11ab", "\ud55c")]
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="utf-8") as tsv:
        for source, target in rules:
            tsv.write(" ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target) + "\n")
        tsv.flush()
        with tempfile.TemporaryDirectory() as folder:
            sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS * 20), model_prefix=f"{folder}/m", vocab_size=80, normalization_rule_tsv=tsv.name, minloglevel=9)
            from sentencepiece import sentencepiece_model_pb2 as pb
            proto = pb.ModelProto()
            proto.ParseFromString(open(f"{folder}/m.model", "rb").read())
    import base64
    vocab = [[p.piece, p.score] for p in proto.pieces]
    charsmap = base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()
    return {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": False}, {"type": "Precompiled", "precompiled_charsmap": charsmap}


def part(made):
    return json.loads(made.__getstate__()) if made is not None else None


def kind(name, model, pre=None, norm=None, post=None, decoder=None, added=(), config=None):
    as_json = lambda p: p if p is None or isinstance(p, dict) else part(p)
    return dict(name=name, model=model, config=config or {}, tokenizer={
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": list(added), "normalizer": as_json(norm),
        "pre_tokenizer": as_json(pre), "post_processor": as_json(post), "decoder": as_json(decoder),
    })


def added(content, id, **flags):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **flags}


def with_ids(model, rows):
    """Added tokens with the ids that the library gives them: the vocabulary's own, else the next free one."""
    made, next_id = [], len(model["vocab"])
    for content, flags in rows:
        id = model["vocab"].get(content)
        if id is None:
            id, next_id = next_id, next_id + 1
        made.append(added(content, id, **flags))
    return made


def everything():
    N, P, D, R = normalizers, pre_tokenizers, decoders, processors
    byte_level = P.ByteLevel(add_prefix_space=False)
    plain_bytes = P.ByteLevel(add_prefix_space=False, use_regex=False)
    split = lambda pattern, behavior="isolated", invert=False: P.Split(Regex(pattern), behavior, invert)
    pool = {}

    def model(name, made):
        pool[name] = made
        return name, made

    gpt2 = model("gpt2", bpe(byte_level, 330, ["<|endoftext|>"], ALPHABET))
    roberta = model("roberta", bpe(P.ByteLevel(add_prefix_space=True), 330, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"], ALPHABET))
    whole = model("whole words", {**gpt2[1], "ignore_merges": True, "vocab": {**gpt2[1]["vocab"], "\u0120brothers": len(gpt2[1]["vocab"])}})
    cased = model("clip", bpe(P.Sequence([split(r"'s|'t|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", "removed", True), plain_bytes]), 700, ["<|startoftext|>", "<|endoftext|>"], ALPHABET, models.BPE(end_of_word_suffix="</w>"), N.Lowercase(), end_of_word_suffix="</w>"))
    sp = ["<unk>", "<s>", "</s>"] + BYTES
    llama = model("llama", metaspaced(380, dict(unk_token="<unk>", fuse_unk=True, byte_fallback=True), sp))
    few_bytes = model("few bytes", metaspaced(380, dict(unk_token="<unk>", fuse_unk=False, byte_fallback=True), sp, 0x60))
    fused = model("fused", metaspaced(120, dict(unk_token="<unk>", fuse_unk=True), ["<unk>", "<s>", "</s>"]))
    unfused = model("unfused", metaspaced(120, dict(unk_token="<unk>", fuse_unk=False), ["<unk>", "<s>", "</s>"]))
    nothing = model("no unknown token", metaspaced(120, {}, ["<s>"]))
    pre_words = P.Whitespace()
    suffixed = model("suffix", bpe(pre_words, 160, ["<unk>"], (), models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"), end_of_word_suffix="</w>"))
    prefixed = model("prefix", bpe(pre_words, 160, ["[UNK]"], (), models.BPE(unk_token="[UNK]", continuing_subword_prefix="##"), continuing_subword_prefix="##"))
    wp_special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    bert = model("bert", train(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=200, special_tokens=wp_special, show_progress=False), P.BertPreTokenizer(), N.BertNormalizer()))
    bert_cased = model("bert cased", train(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=220, special_tokens=wp_special, show_progress=False), P.BertPreTokenizer(), N.BertNormalizer(lowercase=False)))
    short = model("short words", {**bert[1], "max_input_chars_per_word": 4})
    uni = model("unigram", unigram(150))
    uni_bytes = model("unigram bytes", {**uni[1], "byte_fallback": True, "vocab": uni[1]["vocab"] + [[b, -20.0] for b in BYTES]})
    t5_model, charsmap = sentencepiece_unigram()
    t5 = model("sentencepiece", t5_model)
    words = sorted({w for line in CORPUS for w in line.replace(",", " ,").replace(".", " .").split()})
    level = model("words", {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(["[UNK]", "[PAD]"] + words)}, "unk_token": "[UNK]"})
    letters = model("letters", {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(["[UNK]"] + sorted(set("".join(CORPUS))) + ["the", "Mary"])}, "unk_token": "[UNK]"})

    byte_decoder, llama_decoder = D.ByteLevel(), D.Sequence([D.Replace("\u2581", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
    prepends = N.Sequence([N.Prepend("\u2581"), N.Replace(" ", "\u2581")])
    end = added("<|endoftext|>", 0)
    sp_added = [added("<unk>", 0), added("<s>", 1), added("</s>", 2)]
    template = lambda single, tokens: R.TemplateProcessing(single=single, special_tokens=tokens)
    llama_post = template("<s> $A", [("<s>", 1)])
    wp_added = [added(t, i) for i, t in enumerate(wp_special)]
    bert_post = R.BertProcessing(("[SEP]", 3), ("[CLS]", 2))

    def on_bytes(name, norm=None, pre=None, **more):
        pres = [*(pre if isinstance(pre, list) else [pre] if pre is not None else []), plain_bytes if pre is not None else byte_level]
        return kind(name, gpt2[0], P.Sequence(pres) if len(pres) > 1 else pres[0], norm, None, byte_decoder, [end], **more)

    kinds = [
        # byte-level BPE, as the families have it
        kind("gpt2", gpt2[0], byte_level, None, R.ByteLevel(trim_offsets=False), byte_decoder, [end]),
        kind("roberta", roberta[0], P.ByteLevel(add_prefix_space=True), None, R.RobertaProcessing(("</s>", 2), ("<s>", 0), True, True), byte_decoder,
             [added("<s>", 0, normalized=True), added("<pad>", 1), added("</s>", 2), added("<unk>", 3), added("<mask>", 4, lstrip=True)]),
        kind("roberta untrimmed", roberta[0], P.ByteLevel(add_prefix_space=True, trim_offsets=False), None, R.RobertaProcessing(("</s>", 2), ("<s>", 0), False, False), byte_decoder),
        kind("byte-level trimmed", gpt2[0], P.ByteLevel(add_prefix_space=True), None, R.ByteLevel(trim_offsets=True), byte_decoder, [end]),
        kind("llama3", whole[0], P.Sequence([split(GPT4), plain_bytes]), None, R.Sequence([R.ByteLevel(trim_offsets=True), template("<|endoftext|> $A", [("<|endoftext|>", 0)])]), byte_decoder, [end]),
        kind("qwen2", gpt2[0], P.Sequence([split(QWEN), plain_bytes]), N.NFC(), R.ByteLevel(trim_offsets=False), byte_decoder, [end]),
        kind("o200k", gpt2[0], P.Sequence([split(O200K), plain_bytes]), None, None, byte_decoder, [end]),
        kind("deepseek", gpt2[0], P.Sequence([split(r"\p{N}{1,3}"), split("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"), split(DEEPSEEK), plain_bytes]), N.Sequence([]), None, byte_decoder, [end]),
        kind("smollm", gpt2[0], P.Sequence([P.Digits(True), byte_level]), None, None, byte_decoder, [end]),
        kind("falcon", gpt2[0], P.Sequence([P.Punctuation("contiguous"), byte_level, P.Digits(False), split("[0-9][0-9][0-9]")]), None, None, byte_decoder, [end]),
        kind("bloom", gpt2[0], P.Sequence([split(r" ?[^(\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+"), plain_bytes]), None, R.ByteLevel(trim_offsets=False), byte_decoder, [end]),
        kind("clip", cased[0], P.Sequence([split(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", "removed", True), plain_bytes]),
             N.Sequence([N.NFC(), N.Replace(Regex(r"\s+"), " "), N.Lowercase()]), R.RobertaProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0), False, False),
             D.Sequence([D.ByteLevel(), D.BPEDecoder("</w>")]), [added("<|startoftext|>", 0), added("<|endoftext|>", 1)]),
        kind("byte-level normalizer", gpt2[0], split("\u0120"), N.ByteLevel(), None, byte_decoder, [end]),
        # BPE on the metaspace
        kind("llama", llama[0], None, prepends, llama_post, llama_decoder, sp_added),
        kind("metaspace always", llama[0], P.Metaspace(prepend_scheme="always", split=True), None, llama_post, D.Sequence([D.ByteFallback(), D.Metaspace(prepend_scheme="always")]), sp_added),
        kind("metaspace first, whole", llama[0], P.Metaspace(prepend_scheme="first", split=False), None, llama_post, llama_decoder, sp_added),
        kind("metaspace first, split", llama[0], P.Metaspace(prepend_scheme="first", split=True), None, None, D.Metaspace(prepend_scheme="first"), sp_added),
        kind("metaspace never", llama[0], P.Metaspace(prepend_scheme="never", split=True), None, None, D.Metaspace(prepend_scheme="never"), sp_added),
        kind("gemma", llama[0], P.Split(" ", "merged_with_previous"), N.Replace(" ", "\u2581"), template("<s> $A </s>", [("<s>", 1), ("</s>", 2)]), D.Sequence([D.Replace("\u2581", " "), D.ByteFallback(), D.Fuse()]), sp_added),
        kind("few bytes", few_bytes[0], None, prepends, llama_post, llama_decoder, sp_added[:1]),
        kind("unknown fused", fused[0], P.Metaspace(), None, None, D.Metaspace(), sp_added),
        kind("unknown not fused", unfused[0], P.Metaspace(), None, None, D.Metaspace(), sp_added),
        kind("unknown dropped", nothing[0], P.Metaspace(), None, None, D.Metaspace(), [added("<s>", 0)]),
        kind("word suffix", suffixed[0], P.Whitespace(), N.Lowercase(), None, D.BPEDecoder("</w>"), [added("<unk>", 0)]),
        kind("word prefix", prefixed[0], P.BertPreTokenizer(), None, None, D.WordPiece("##"), [added("[UNK]", 0)]),
        # WordPiece
        kind("bert", bert[0], P.BertPreTokenizer(), N.BertNormalizer(), bert_post, D.WordPiece("##", True), wp_added),
        kind("bert cased", bert_cased[0], P.BertPreTokenizer(), N.BertNormalizer(lowercase=False), bert_post, D.WordPiece("##", False), wp_added),
        kind("bert with accents", bert[0], P.BertPreTokenizer(), N.BertNormalizer(strip_accents=False), bert_post, D.WordPiece("##", True), wp_added),
        kind("bert unclean", bert[0], P.BertPreTokenizer(), N.BertNormalizer(clean_text=False, handle_chinese_chars=False), bert_post, D.WordPiece(), wp_added),
        kind("short words", short[0], P.Whitespace(), N.BertNormalizer(), None, D.WordPiece(), wp_added),
        # Unigram
        kind("t5", t5[0], P.Sequence([P.WhitespaceSplit(), P.Metaspace()]), charsmap, template("$A </s>", [("</s>", 2)]), D.Metaspace(), sp_added),
        kind("sentencepiece", t5[0], P.Metaspace(), {"type": "Sequence", "normalizers": [charsmap, part(N.Replace(Regex(" {2,}"), " "))]}, None, D.Metaspace(), sp_added),
        kind("unigram", uni[0], P.Metaspace(), N.Sequence([N.Nmt(), N.NFKC()]), None, D.Metaspace(), [added("<s>", 0), added("</s>", 1), added("<unk>", 2)]),
        kind("unigram bytes", uni_bytes[0], P.Metaspace(prepend_scheme="never"), None, None, D.Sequence([D.ByteFallback(), D.Metaspace(prepend_scheme="never")])),
        kind("albert", uni[0], P.Metaspace(), N.Sequence([N.Replace("``", '"'), N.Replace("''", '"'), N.NFKD(), N.StripAccents(), N.Lowercase(), N.Strip()]), None, D.Metaspace(),
             [added("<s>", 0), added("</s>", 1), added("<unk>", 2)]),
        # WordLevel
        kind("words", level[0], P.Whitespace(), None, None, None, [added("[UNK]", 0), added("[PAD]", 1)]),
        kind("spaced words", level[0], P.WhitespaceSplit(), N.Strip(left=False), None, D.WordPiece("##", True), [added("[UNK]", 0)]),
        kind("delimited words", level[0], P.CharDelimiterSplit(" "), None, None, D.Fuse(), [added("[UNK]", 0)]),
        kind("letters", letters[0], P.FixedLength(1), None, None, D.Fuse(), [added("[UNK]", 0)]),
        kind("letters, connectionist", letters[0], P.FixedLength(1), None, None, D.CTC("a", "e", True), [added("[UNK]", 0)]),
        kind("four letters", letters[0], P.FixedLength(4), None, None, D.Strip("a", 1, 0), [added("[UNK]", 0)]),
        # every normalizer on bytes, where nothing is lost
        on_bytes("NFC", N.NFC()), on_bytes("NFD", N.NFD()), on_bytes("NFKC", N.NFKC()), on_bytes("NFKD", N.NFKD()),
        on_bytes("lowercase", N.Lowercase()), on_bytes("strip", N.Strip()), on_bytes("strip left", N.Strip(right=False)), on_bytes("strip right", N.Strip(left=False)),
        on_bytes("strip accents", N.StripAccents()), on_bytes("strip accents of NFD", N.Sequence([N.NFD(), N.StripAccents(), N.Lowercase()])),
        on_bytes("nmt", N.Nmt()), on_bytes("prepend", N.Prepend("ab ")), on_bytes("bert normalizer", N.BertNormalizer()),
        on_bytes("precompiled", charsmap),
        on_bytes("replace", N.Replace(Regex(r"\s+"), "_")), on_bytes("replace the start", N.Replace(Regex(r"^"), ">")), on_bytes("replace nothing", N.Replace(Regex(r"e*"), "-")),
        on_bytes("replace, then lowercase", N.Sequence([N.Replace(Regex(r"^|$"), "Q"), N.Lowercase()])), on_bytes("remove", N.Replace(Regex(r"[aeiou\u0301]"), "")),
        # every pre-tokenizer and behaviour on bytes
        *(on_bytes(f"split {behavior}{' inverted' if invert else ''}", None, split(r"\s|[a-e]+", behavior, invert))
          for behavior in ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"] for invert in [False, True]),
        *(on_bytes(f"punctuation {behavior}", None, P.Punctuation(behavior)) for behavior in ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]),
        on_bytes("split by text", None, P.Split("th", "merged_with_next")), on_bytes("digits", None, P.Digits(False)), on_bytes("each digit", None, P.Digits(True)),
        on_bytes("bert pre-tokenizer", None, P.BertPreTokenizer()), on_bytes("whitespace", None, P.Whitespace()), on_bytes("spaces", None, P.WhitespaceSplit()),
        on_bytes("fixed length", None, P.FixedLength(3)), on_bytes("metaspace on bytes", None, P.Metaspace()),
        # added tokens
        kind("added tokens", gpt2[0], byte_level, None, R.ByteLevel(trim_offsets=True), byte_decoder,
             [end] + with_ids(gpt2[1], [(content, dict(special=special, **flags)) for content, special, flags in [
                 ("new", False, dict(single_word=True)), ("<s>", True, dict(lstrip=True)), ("</s>", True, dict(rstrip=True)), ("<pad>", True, dict(lstrip=True, rstrip=True)),
                 ("tok", False, {}), ("token", False, {}), ("tokenTOKEN", False, {}), ("\n\n", False, {}), ("\n\n\n", False, {}), ("  ", False, {}), ("\t\t", False, {}),
                 ("<|im_start|>", True, {}), ("<|im_end|>", True, {}), ("\U0001f600", False, {}), ("\u00e9", False, dict(single_word=True)), ("user", False, dict(normalized=True))]])),
        kind("added tokens, normalized", gpt2[0], byte_level, N.Sequence([N.NFKC(), N.Lowercase()]), None, byte_decoder,
             [end] + with_ids(gpt2[1], [(content, dict(special=False, **flags)) for content, flags in [
                 ("NEW", dict(normalized=True, single_word=True)), ("The", dict(normalized=True)), ("MIP", dict(normalized=False)), ("\ufb01", dict(normalized=True)), ("[INST]", dict(normalized=True, rstrip=True))]])),
        kind("added tokens on the metaspace", llama[0], None, prepends, llama_post, llama_decoder,
             sp_added + with_ids(llama[1], [("<|im_start|>", dict(normalized=True)), ("<|im_end|>", dict(special=False)), ("hi", dict(normalized=True, special=False))])),
        kind("special tokens of the configuration", gpt2[0], byte_level, None, None, byte_decoder, [], config={
            "bos_token": "<s>", "eos_token": {"content": "<|endoftext|>", "lstrip": False, "rstrip": True, "single_word": False, "normalized": False, "__type": "AddedToken"}, "pad_token": "<pad>", "unk_token": "<unk>"}),
    ]
    return pool, kinds


def offsets_of(encoding):
    return [n for pair in encoding.offsets for n in pair]


def golden(pool, made, rng):
    file = {**made["tokenizer"], "model": pool[made["model"]]}
    tokenizer = Tokenizer.from_str(json.dumps(file))
    if made["config"]:
        with tempfile.TemporaryDirectory() as folder:
            json.dump(file, open(f"{folder}/tokenizer.json", "w"))
            json.dump({**made["config"], "tokenizer_class": "PreTrainedTokenizerFast"}, open(f"{folder}/tokenizer_config.json", "w"))
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder)._tokenizer
    loaded = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    cases = []
    for text in TEXTS:
        try:
            plain, full = tokenizer.encode(text, add_special_tokens=False), tokenizer.encode(text)
        except BaseException as error:  # a panic of the Rust library, which has no answer for this text
            print(made["name"], repr(text), error, file=sys.stderr)
            cases.append({"error": str(error)})
            continue
        theirs = loaded(text, return_offsets_mapping=True)
        assert theirs.input_ids == full.ids and [list(o) for o in theirs.offset_mapping] == [list(o) for o in full.offsets], made["name"]
        cases.append({"ids": plain.ids, "offsets": offsets_of(plain), "full": full.ids if full.ids != plain.ids else 0, "fullOffsets": offsets_of(full) if full.ids != plain.ids else 0,
                      "decoded": tokenizer.decode(full.ids), "special": tokenizer.decode(full.ids, skip_special_tokens=False)})
    size = max(tokenizer.get_vocab().values()) + 1
    lists = [[rng.randrange(size) for _ in range(rng.randrange(1, 16))] for _ in range(12)]
    return {**made, "cases": cases, "random": [[ids, tokenizer.decode(ids), tokenizer.decode(ids, skip_special_tokens=False)] for ids in lists]}


def random_pattern(rng, depth=0):
    atom = lambda: rng.choice(["a", "b", "c", " ", ".", r"\s", r"\S", r"\w", r"\W", r"\d", r"\p{L}", r"\p{Lu}", r"\P{N}", r"\h", "[ab]", "[^a]", r"[^\s\p{L}]", r"[a-c&&[^b]]", "[[:upper:]]", r"[\w&&[^a]]", "\u00e9", "A", r"\n", r"[^\W\d]"])
    if depth > 2 or rng.random() < 0.35:
        return atom()
    inner = lambda: random_pattern(rng, depth + 1)
    form = rng.randrange(9)
    if form == 0:
        return inner() + inner()
    if form == 1:
        return f"(?:{inner()}|{inner()})"
    if form == 2:
        return f"(?:{inner()}){rng.choice(['*', '+', '?', '{1,3}', '{2}', '{,2}', '{2,}', '*?', '+?', '??', '{1,3}?', '*+', '++', '?+', '{1,2}+'])}"
    if form == 3:
        return f"(?{rng.choice(['=', '!'])}{inner()}){inner()}"
    if form == 4:
        return f"(?{rng.choice(['<=', '<!'])}{atom()}){inner()}"
    if form == 5:
        return f"(?>{inner()})"
    if form == 6:
        return rng.choice(["^", "$", r"\b", r"\B", r"\A", r"\z", r"\Z"]) + inner()
    if form == 7:
        return f"(?i:{atom()})" if rng.random() < 0.7 else f"(?m:{inner()})"
    return f"({inner()}){inner()}"


PATTERN_TEXTS = ["aabbcc AB a\nb c\n", "caf\u00e9 CAF\u00c9 12\u00b2 \u4e2d\u6587 \U0001f600a", "  aaa\t\r\n bbb.ccc_d\n\n", "\u00a0a\u0085b\u200bc\ufeff"]


def patterns(rng):
    found, tried = [], set()
    while len(found) < 400:
        pattern = "|".join(random_pattern(rng) for _ in range(rng.randrange(1, 4)))
        if pattern in tried or len(pattern) > 80:
            continue
        tried.add(pattern)
        try:
            step = pre_tokenizers.Split(Regex(pattern), "isolated")
        except Exception:
            continue
        found.append([pattern, [[n for _, pair in step.pre_tokenize_str(text) for n in pair] for text in PATTERN_TEXTS]])
    return found


CHATS = [
    [{"role": "user", "content": "hi"}],
    [{"role": "system", "content": " You are terse. "}, {"role": "user", "content": "Say \"hi\"\n<b>&amp;"}, {"role": "assistant", "content": "hi"}, {"role": "user", "content": "\u4e2d\u6587 \U0001f600"}],
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
]
TEMPLATES = {
    "markers": "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are helpful<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "turns": "{{ bos_token }}\n{%- if messages[0]['role'] == 'system' -%}\n    {%- set prefix = messages[0]['content'] | trim + '\n\n' -%}\n    {%- set rest = messages[1:] -%}\n{%- else -%}\n    {%- set prefix = '' -%}\n    {%- set rest = messages -%}\n{%- endif -%}\n{%- for message in rest -%}\n    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}\n        {{ raise_exception('roles must alternate') }}\n    {%- endif -%}\n    {{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' + (prefix if loop.first else '') }}\n    {%- if message['content'] is string -%}\n        {{ message['content'] | trim }}\n    {%- endif -%}\n    {{ '<end_of_turn>\n' }}\n{%- endfor -%}\n{%- if add_generation_prompt -%}\n    {{ '<start_of_turn>model\n' }}\n{%- endif -%}\n",
    "blocks": "{% for m in messages %}\n    {% if m.role == 'user' %}\n[INST] {{ m.content | upper }} [/INST]\n    {% elif m['role'] == \"assistant\" %}\n {{ m.content }}{{ eos_token }}\n    {% else %}\n<<SYS>>{{ m.content.strip() }}<</SYS>>\n    {% endif %}\n{% endfor %}",
    "macros": "{%- macro show(m) %}{{ m.role | capitalize }}: {{ m.content | tojson }}{% endmacro -%}{%- set ns = namespace(count=0) -%}{% for m in messages %}{% set ns.count = ns.count + 1 %}{{ ns.count }}. {{ show(m) }}{{ ',' if not loop.last }}\n{% endfor %}{{ messages | length }} {{ messages | map(attribute='role') | join('/') }}{% if tools is defined and tools %}{{ tools | tojson }}{% endif %}",
    "loops": "{% for m in messages if m.role != 'system' %}{% if loop.index > 2 %}{% break %}{% endif %}{{ loop.index0 }}{{ loop.revindex if false else '' }}<s>{{ m['content'].split('\n')[0] }}</s>{% endfor %}{{ '\\n' }}{{ bos_token ~ eos_token }}",
}


def chats():
    tokenizer = Tokenizer(models.BPE(vocab={"<s>": 0, "</s>": 1}, merges=[]))
    loaded = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    rows = []
    for (name, template), messages, add in itertools.product(TEMPLATES.items(), CHATS, [False, True]):
        try:
            text = loaded.apply_chat_template(messages, chat_template=template, tokenize=False, add_generation_prompt=add)
        except Exception as error:
            rows.append([name, CHATS.index(messages), add, None, str(error)])
            continue
        rows.append([name, CHATS.index(messages), add, text])
    return {"templates": TEMPLATES, "messages": CHATS, "rows": rows}


if __name__ == "__main__":
    rng = random.Random(0)
    pool, made = everything()
    result = {
        "versions": {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__, "sentencepiece": sentencepiece.__version__},
        "texts": TEXTS, "models": pool, "kinds": [golden(pool, one, rng) for one in made],
        "patternTexts": PATTERN_TEXTS, "patterns": patterns(rng), "chats": chats(),
    }
    data = json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode()
    with open(sys.argv[1], "wb") as out:
        out.write(gzip.compress(data, 9, mtime=0))
    print(len(made), "kinds,", len(TEXTS), "texts,", len(data), "bytes of JSON", file=sys.stderr)
