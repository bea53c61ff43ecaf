"""What EAP-IG's own code says of the edges of models/ioi-tiny and of models of make-transformer-lens.py.

    python test/golden/make-edges.py <EAP-IG>/src      (needs transformer-lens 3.9 and a checkout of github.com/hannamw/EAP-IG; writes test/golden/edges.json)

Scores are those of its methods with the loss -(logit[correct] - logit[incorrect]) at the last position, the mean over the prompts. Its
code asks for a GPU by name and for a tokenizer: both are put right here, from outside. Where nothing but the embedding enters layer 0
(rotary models), EAP-IG over activations moves a constant there, whose readers' backward hooks torch never calls: the stream is
given a gradient, as it has in models with learned positions. Its loop over exact scores leaves pruned edges out of all later ones,
so that loop is written anew around its evaluate_graph. Of nodes there is EAP-IG over inputs; its gradient of an MLP, which its code
takes where the MLP reads, is taken where it writes, as of heads.
"""

import json
import subprocess
import sys
import types
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformers import AutoTokenizer, GPT2LMHeadModel

SOURCE = Path(sys.argv[1]).resolve()
for name in ("matplotlib", "matplotlib.cm"):  # its pictures are not drawn
    sys.modules.setdefault(name, types.ModuleType(name))
sys.path.insert(0, str(SOURCE))
import eap.attribute  # noqa: E402
import eap.attribute_node  # noqa: E402
import eap.evaluate  # noqa: E402
from eap.graph import Graph  # noqa: E402

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STEPS = 5
TINY = [dict(tokens=[3, 1, 4, 11, 5, 9, 2], corrupted=[7, 1, 8, 11, 12, 0, 2], correct=5, incorrect=2)]
METHODS = ["EAP", "EAP-IG-inputs", "EAP-IG-activations"]

torch.set_num_threads(1)
zeros = torch.zeros
torch.zeros = lambda *size, **options: zeros(*size, **{**options, **({"device": "cpu"} if options.get("device") == "cuda" else {})})


def given(model, rows, max_length=None):
    return rows, torch.ones_like(rows), torch.full((len(rows),), rows.shape[1]), rows.shape[1]


eap.attribute.tokenize_plus = eap.attribute_node.tokenize_plus = eap.evaluate.tokenize_plus = given
hooks_of_nodes = eap.attribute_node.make_hooks_and_matrices


def where_written(*arguments, **options):
    (corrupted, clean, backward), difference = hooks_of_nodes(*arguments, **options)
    return (corrupted, clean, [(name.replace("hook_mlp_in", "hook_mlp_out"), hook) for name, hook in backward]), difference


eap.attribute_node.make_hooks_and_matrices = where_written


def loss(logits, clean_logits, lengths, label):
    return -(logits[0, -1, label[0]] - logits[0, -1, label[1]])


def split_config(**settings):
    return HookedTransformerConfig(**{**settings, "use_attn_result": True, "use_split_qkv_input": True, "use_hook_mlp_in": True})


def tiny(case):
    settings = json.loads((HERE / "transformer-lens" / case / "config.json").read_text())
    settings.pop("model_type")
    settings["dtype"] = getattr(torch, settings["dtype"])
    if settings["n_key_value_heads"] is not None:
        settings["ungroup_grouped_query_attention"] = True
    model = HookedTransformer(split_config(**settings))
    model.load_state_dict(load_file(HERE / "transformer-lens" / case / "model.safetensors"))
    return model, TINY


def ioi():
    folder = ROOT / "models" / "ioi-tiny"
    source = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32)
    c = source.config
    heads, d = c.n_head, c.n_embd
    model = HookedTransformer(split_config(n_layers=c.n_layer, d_model=d, n_heads=heads, d_head=d // heads, d_mlp=4 * d, n_ctx=c.n_positions, d_vocab=c.vocab_size,
                                           act_fn="gelu_new", normalization_type="LN", eps=c.layer_norm_epsilon, device="cpu"))
    theirs = source.state_dict()
    state = model.state_dict()
    state["embed.W_E"], state["pos_embed.W_pos"] = theirs["transformer.wte.weight"], theirs["transformer.wpe.weight"]
    state["unembed.W_U"], state["unembed.b_U"] = theirs["lm_head.weight"].T, torch.zeros(c.vocab_size)
    for l in range(c.n_layer):
        h, b = f"transformer.h.{l}", f"blocks.{l}"
        for k, letter in enumerate("QKV"):
            state[f"{b}.attn.W_{letter}"] = theirs[f"{h}.attn.c_attn.weight"][:, k * d : (k + 1) * d].reshape(d, heads, -1).permute(1, 0, 2)
            state[f"{b}.attn.b_{letter}"] = theirs[f"{h}.attn.c_attn.bias"][k * d : (k + 1) * d].reshape(heads, -1)
        state[f"{b}.attn.W_O"] = theirs[f"{h}.attn.c_proj.weight"].reshape(heads, -1, d)
        state[f"{b}.attn.b_O"] = theirs[f"{h}.attn.c_proj.bias"]
        state[f"{b}.mlp.W_in"], state[f"{b}.mlp.b_in"] = theirs[f"{h}.mlp.c_fc.weight"], theirs[f"{h}.mlp.c_fc.bias"]
        state[f"{b}.mlp.W_out"], state[f"{b}.mlp.b_out"] = theirs[f"{h}.mlp.c_proj.weight"], theirs[f"{h}.mlp.c_proj.bias"]
        for k in (1, 2):
            state[f"{b}.ln{k}.w"], state[f"{b}.ln{k}.b"] = theirs[f"{h}.ln_{k}.weight"], theirs[f"{h}.ln_{k}.bias"]
    state["ln_final.w"], state["ln_final.b"] = theirs["transformer.ln_f.weight"], theirs["transformer.ln_f.bias"]
    model.load_state_dict(state)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    one = lambda text: tokenizer(text)["input_ids"][-1]
    lines = [json.loads(line) for line in (folder / "prompts.jsonl").read_text().splitlines()[:2]]
    prompts = [dict(tokens=tokenizer(p["prompt"])["input_ids"], corrupted=tokenizer(p["corrupted"])["input_ids"], correct=one(p["correct"]), incorrect=one(p["incorrect"])) for p in lines]
    tokens = torch.tensor([prompts[0]["tokens"]])
    apart = (model(tokens) - source(tokens).logits).abs().max().item()
    assert apart < 1e-4, apart
    return model, prompts


def varying(x, hook):
    return x if x.requires_grad or not torch.is_grad_enabled() else x.detach().requires_grad_()


def scores(model, prompts):
    model.add_perma_hook("blocks.0.hook_resid_pre", varying)
    data = [(torch.tensor([p["tokens"]]), torch.tensor([p["corrupted"]]), (p["correct"], p["incorrect"])) for p in prompts]
    found = {}
    for method in METHODS:
        graph = Graph.from_model(model)
        eap.attribute.attribute(model, graph, data, loss, method, ig_steps=STEPS, quiet=True)
        found[method] = {name: edge.score.item() for name, edge in graph.edges.items()}
    graph = Graph.from_model(model, node_scores=True)
    eap.attribute_node.attribute_node(model, graph, data, loss, "EAP-IG-inputs", ig_steps=STEPS, quiet=True)
    nodes = {name: node.score.item() for name, node in graph.nodes.items() if name != "logits"}
    graph = Graph.from_model(model)
    whole = eap.evaluate.evaluate_baseline(model, data, loss, quiet=True).mean().item()
    exact = {}
    for name, edge in graph.edges.items():
        graph.in_graph[:] = graph.real_edge_mask
        graph.nodes_in_graph[:] = True
        edge.in_graph = False
        exact[name] = eap.evaluate.evaluate_graph(model, graph, data, loss, quiet=True).mean().item() - whole
    return {**found, "exact": exact}, nodes


commit = subprocess.run(["git", "-C", str(SOURCE), "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip() or (sys.argv[2] if len(sys.argv) > 2 else "unknown")
cases = {}
for case in ["ioi-tiny", "plain", "rotary", "rms-gated-grouped"]:
    model, prompts = ioi() if case == "ioi-tiny" else tiny(case)
    found, nodes = scores(model, prompts)
    rounded = lambda of: {name: float(f"{score:.7g}") for name, score in of.items()}
    cases[case] = {"prompts": prompts, "steps": STEPS, "scores": {method: rounded(of) for method, of in found.items()}, "nodes": rounded(nodes)}
    print(f"{case:20} {len(found['EAP'])} edges, {', '.join(f'{method} up to {max(map(abs, of.values())):.3g}' for method, of in found.items())}")
made = f"python test/golden/make-edges.py; torch {torch.__version__.split('+')[0]}, transformer-lens {version('transformer-lens')}, EAP-IG {commit[:7]}, float32"
(HERE / "edges.json").write_text(json.dumps({"made": made, "cases": cases}, separators=(",", ":")) + "\n")
print(made, (HERE / "edges.json").stat().st_size, "bytes")
