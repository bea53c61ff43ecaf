"""The classes and normal forms of Python's tokenizers over all code points, as ranges and a hash.

    python test/golden/make-unicode.py > test/golden/unicode.json
"""
import hashlib
import json

import tokenizers
from tokenizers import normalizers as N
from tokenizers import pre_tokenizers as P

CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def ranges(codes):
    found = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return [n for pair in found for n in pair]


def emptied(normalizer):
    return ranges([code for code in CODES if normalizer.normalize_str(chr(code)) == ""])


def cut(step):
    return ranges([code for code in CODES if len(step.pre_tokenize_str(f"x{chr(code)}x")) > 1])


def forms(normalizer):
    lines = [f"{code}:{normalizer.normalize_str(chr(code))}" for code in CODES]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


bert = lambda **on: N.BertNormalizer(**{**dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False), **on})
print(json.dumps({
    "version": tokenizers.__version__,
    "punctuation": cut(P.Punctuation()),
    "numeric": cut(P.Digits()),
    "whitespace": cut(P.WhitespaceSplit()),
    "cleaned": emptied(bert(clean_text=True)),
    "nonspacing": emptied(bert(strip_accents=True)),
    "marks": emptied(N.StripAccents()),
    "forms": {"NFC": forms(N.NFC()), "NFD": forms(N.NFD()), "NFKC": forms(N.NFKC()), "NFKD": forms(N.NFKD()), "lowercase": forms(N.Lowercase())},
}, separators=(",", ":")))
