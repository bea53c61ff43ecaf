"""transformers' reading of a GGUF file: texts as JSON on stdin; their ids and last logits, float32 and float64, on stdout."""
import json
import os
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder, name = os.path.split(os.path.abspath(sys.argv[1]))
tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
single = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32, attn_implementation="eager").eval()
rows = [{"ids": tokenizer(text)["input_ids"]} for text in json.load(sys.stdin)]
with torch.no_grad():
    for row in rows:
        row["single"] = single(torch.tensor([row["ids"]])).logits[0, -1].tolist()
    double = single.double()
    for row in rows:
        row["double"] = double(torch.tensor([row["ids"]])).logits[0, -1].tolist()
print(json.dumps(rows))
