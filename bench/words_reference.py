"""captum's LLMAttribution on transformers: values, forward passes and seconds of some jobs, a line of JSON each as it is done.

Usage: words_reference.py <model folder or GGUF file> <json of {prompt, words, kept, answer, id, other, permutations, jobs}>

Jobs: tokens (FeatureAblation, each token replaced by one id), removed and replaced (FeatureAblation over words as text, an absent
one left out, or another text in its place; what is kept stands behind them), sampled (ShapleyValueSampling over tokens, the given permutations).
"""
import json
import os
import sys
import time

import captum
import torch
import transformers
from captum.attr import FeatureAblation, LLMAttribution, ShapleyValueSampling, TextTemplateInput, TextTokenInput

where, given = sys.argv[1], json.loads(sys.argv[2])
source = (os.path.dirname(where), {"gguf_file": os.path.basename(where)}) if where.endswith(".gguf") else (where, {})
tokenizer = transformers.AutoTokenizer.from_pretrained(source[0], **source[1])
model = transformers.AutoModelForCausalLM.from_pretrained(source[0], dtype=torch.float32, **source[1]).eval()
answer = torch.tensor(given["answer"])
words = given["words"]
passes = 0
unwatched = model.forward


def forward(*args, **more):  # captum calls it past the module's hooks
    global passes
    passes += 1
    return unwatched(*args, **more)


model.forward = forward


def tokens(text):
    return TextTokenInput(text, tokenizer, baselines=given["id"])


def template(baselines):
    return TextTemplateInput("".join("{}" for _ in words) + given["kept"], values=words, baselines=baselines)


def sampling():
    method = ShapleyValueSampling(model)
    method.permutation_generator = lambda _features, _samples: iter(given["permutations"])
    return method


JOBS = {
    "tokens": lambda: (FeatureAblation(model), tokens(given["prompt"]), {}),
    "removed": lambda: (FeatureAblation(model), template(["" for _ in words]), {}),
    "replaced": lambda: (FeatureAblation(model), template([given["other"] for _ in words]), {}),
    "sampled": lambda: (sampling(), tokens(given["prompt"]), {"n_samples": len(given["permutations"])}),
}

about = {
    "tokens": tokenizer(given["prompt"])["input_ids"],
    "versions": {"captum": captum.__version__, "torch": torch.__version__, "transformers": transformers.__version__},
    "threads": torch.get_num_threads(),
}
with torch.no_grad():
    LLMAttribution(FeatureAblation(model), tokenizer).attribute(tokens(given["prompt"][:20]), target=answer)  # warm
    for name in given["jobs"]:
        method, text, more = JOBS[name]()
        passes = 0
        start = time.perf_counter()
        result = LLMAttribution(method, tokenizer).attribute(text, target=answer, **more)
        seconds = time.perf_counter() - start
        found = {"name": name, "attribution": result.seq_attr.tolist(), "passes": passes, "seconds": seconds}
        print(json.dumps({**about, **found}), flush=True)
