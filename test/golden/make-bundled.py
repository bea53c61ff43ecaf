"""Golden logits and hidden states of models/ioi-tiny, from Hugging Face transformers in float32 with eager attention.

    python test/golden/make-bundled.py      (needs torch and transformers; writes test/golden/ioi-tiny.json)
"""

import json
from pathlib import Path

import torch
import transformers
from transformers import AutoTokenizer, GPT2LMHeadModel

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "models" / "ioi-tiny"
PROMPTS = [
    "When Mary and John went to the store, John gave a drink to",
    "Friends Zoe and Walter had a long talk at the beach, and Zoe passed the map to",
]

torch.set_num_threads(1)
model = GPT2LMHeadModel.from_pretrained(FOLDER, dtype=torch.float32, attn_implementation="eager").eval()
tokenizer = AutoTokenizer.from_pretrained(FOLDER)


def rounded(tensor):
    return [float(f"{x:.8g}") for x in tensor.flatten().tolist()]


cases = []
for prompt in PROMPTS:
    ids = tokenizer(prompt)["input_ids"]
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_hidden_states=True)
    # hidden_states[l] enters block l; the last one has passed ln_f
    cases.append({
        "prompt": prompt,
        "ids": ids,
        "lastLogits": rounded(out.logits[0, -1]),
        "hidden": [rounded(h[0, -2:]) for h in out.hidden_states],
    })

record = {
    "made": f"python test/golden/make-bundled.py; torch {torch.__version__.split('+')[0]}, transformers {transformers.__version__}, float32, eager",
    "tolerance": "1e-5 * max(1, |x|)",
    "positions": "hidden: the last two; lastLogits: the last",
    "cases": cases,
}
(ROOT / "test" / "golden" / "ioi-tiny.json").write_text(json.dumps(record) + "\n")
