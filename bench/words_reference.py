"""captum's LLMAttribution (FeatureAblation over tokens, each replaced by one id) on transformers: values and time as JSON.

Usage: words_reference.py <model folder> <json of {prompt, answer, id}>
"""
import json
import sys
import time

import captum
import torch
import transformers
from captum.attr import FeatureAblation, LLMAttribution, TextTokenInput

folder, given = sys.argv[1], json.loads(sys.argv[2])
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
attribution = LLMAttribution(FeatureAblation(model), tokenizer)
tokens = TextTokenInput(given["prompt"], tokenizer, baselines=given["id"])
answer = torch.tensor(given["answer"])
with torch.no_grad():
    warm = TextTokenInput(given["prompt"][:20], tokenizer, baselines=given["id"])
    attribution.attribute(warm, target=answer)
    start = time.perf_counter()
    result = attribution.attribute(tokens, target=answer)
    seconds = time.perf_counter() - start
print(json.dumps({
    "attribution": result.seq_attr.tolist(),
    "tokens": tokenizer(given["prompt"])["input_ids"],
    "seconds": seconds,
    "versions": {"captum": captum.__version__, "torch": torch.__version__, "transformers": transformers.__version__},
    "threads": torch.get_num_threads(),
}))
