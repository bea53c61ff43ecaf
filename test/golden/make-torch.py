"""Writes test/golden/torch: small files of torch.save, and values.json with what PyTorch reads from them.

    python test/golden/make-torch.py

Written with torch 2.15.0. Nothing in them is trained; the values are counted or drawn from seed 0.
"""
import json
import os
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch

warnings.filterwarnings("ignore")
out = Path(__file__).parent / "torch"
out.mkdir(exist_ok=True)
torch.manual_seed(0)
values = {"torch": torch.__version__.split("+")[0], "files": {}}


def save(name, obj, tensors=None, **options):
    torch.save(obj, out / name, **options)
    if tensors is not None:
        values["files"][name] = {
            key: {"shape": list(t.shape), "values": t.detach().reshape(-1).to(torch.float64).tolist()} for key, t in tensors.items()
        }


# every dtype that is read
numbers = OrderedDict()
for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
    numbers[str(dtype)] = torch.tensor([-1.5, 0.0, 0.1, 300.0]).to(dtype)
numbers["torch.float64"] = numbers["torch.float64"].float().double()  # exact in float32
for dtype in (torch.int8, torch.int16, torch.int32, torch.int64):
    numbers[str(dtype)] = torch.tensor([-128, 0, 127], dtype=dtype)
for dtype in (torch.uint8, torch.uint16, torch.uint32, torch.uint64):
    numbers[str(dtype)] = torch.tensor([0, 1, 255], dtype=dtype)
numbers["torch.bool"] = torch.tensor([True, False, True])
save("dtypes.pth", numbers, numbers)
save("protocol4.pth", numbers, numbers, pickle_protocol=4)
save("protocol5.pth", numbers, numbers, pickle_protocol=5)

# every way to look at a storage
base = torch.arange(60.0).reshape(3, 4, 5)
views = OrderedDict(
    whole=base,
    transposed=base.transpose(0, 2),
    permuted=base.permute(1, 2, 0),
    row=base[1],
    block=base[1:, 1:3, 2:],
    column=base[:, 2, 1],
    stepped=base[::2, ::3, ::2],
    halves=base.half().permute(2, 0, 1),
    longs=base.long()[:, 1:, :].transpose(1, 2),
    ones=base[1:2, :, 3:4].permute(2, 1, 0),
    scalar=base[2, 3, 4],
    empty=base[:, 4:],
    nothing=torch.zeros(0, 3),
)
save("strided.pth", {**views, "expanded": torch.ones(1).expand(4), "overlapping": base.as_strided((3, 3), (1, 1))}, views)

# a module's state_dict carries _metadata as the state of its OrderedDict; parameters may be saved themselves
linear = torch.nn.Linear(3, 2)
save("linear.pth", linear.state_dict(), linear.state_dict())
parameters = {"a": torch.nn.Parameter(torch.ones(2)), "tied": linear.weight, "tied.again": linear.weight}
save("parameters.pth", parameters, parameters)
# attributes of a parameter are saved with it (torch._utils._rebuild_parameter_with_state)
marked = torch.nn.Parameter(torch.arange(3.0))
marked.source = "a script"
save("parameters-with-state.pth", {"marked": marked, "plain": parameters["a"]}, {"marked": marked, "plain": parameters["a"]})
save("wrapped.pth", {"epoch": 3, "loss": [0.5, 0.25], "model": linear.state_dict(), "name": "run"}, linear.state_dict())

# an attention-only model under TransformerLens's names, with its buffers
d, h, e, n, vocab = 8, 2, 4, 6, 11
lens = OrderedDict()
lens["embed.W_E"] = torch.randn(vocab, d)
lens["pos_embed.W_pos"] = torch.randn(n, d)
for x in "QKV":
    lens[f"blocks.0.attn.W_{x}"] = torch.randn(h, d, e) / 3
    lens[f"blocks.0.attn.b_{x}"] = torch.randn(h, e) / 10
lens["blocks.0.attn.W_O"] = torch.randn(h, e, d) / 3
lens["blocks.0.attn.b_O"] = torch.randn(d) / 10
lens["blocks.0.attn.mask"] = torch.tril(torch.ones(n, n)).bool()
lens["blocks.0.attn.IGNORE"] = torch.tensor(-torch.inf)
lens["unembed.W_U"] = torch.randn(d, vocab) / 3
lens["unembed.b_U"] = torch.randn(vocab) / 10
save("lens.pth", lens, {k: v for k, v in lens.items() if not k.endswith(("mask", "IGNORE"))})

# what is refused
save("old.pth", numbers, _use_new_zipfile_serialization=False)
save("complex.pth", {"a": torch.zeros(2, dtype=torch.complex64)})
save("whole-module.pth", linear)
save("list.pth", [base])
torch.jit.script(torch.nn.Linear(2, 2)).save(out / "script.pth")
with zipfile.ZipFile(out / "script.pth") as script:  # without the records that name paths of the machine
    records = [(info, script.read(info)) for info in script.infolist() if not info.filename.endswith(".debug_pkl")]
with zipfile.ZipFile(out / "script.pth", "w") as script:
    for info, content in records:
        info.date_time = (1980, 1, 1, 0, 0, 0)
        script.writestr(info, content, compress_type=info.compress_type)


class Runs:
    def __reduce__(self):
        return os.system, ("touch executed",)


save("runs.pth", {"a": torch.ones(2), "b": Runs()})

(out / "values.json").write_text(json.dumps(values, separators=(",", ":")) + "\n")
