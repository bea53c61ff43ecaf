"""dattri's attributors on softmax regression on digits, trained and retrained as bench/data.ts does: their linear datamodeling scores.

    python bench/data/dattri_reference.py halves.json     # bench/data.ts --dattri writes the file and calls this

Needs torch, scikit-learn and dattri (PyPI). The file has the model's start and the halves.
"""
import json
import sys

import numpy as np
import torch
from dattri.algorithm.influence_function import IFAttributorCG, IFAttributorExplicit
from dattri.algorithm.tracin import TracInAttributor
from dattri.algorithm.trak import TRAKAttributor
from dattri.task import AttributionTask
from scipy.stats import spearmanr
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

GIVEN = json.load(open(sys.argv[1]))
N, SUBSETS, TESTS, EPOCHS = 400, 48, GIVEN["tests"], 100
START = torch.tensor(GIVEN["init"])
torch.manual_seed(0)
torch.set_num_threads(1)
x, y = load_digits(return_X_y=True)
mean, spread = x[:N].mean(0), x[:N].std(0)
scaled = np.where(spread > 0, (x - mean) / np.where(spread > 0, spread, 1), 0).astype(np.float32)
X, Y = torch.tensor(scaled[:N]), torch.tensor(y[:N])
TX, TY = torch.tensor(scaled[1000 : 1000 + TESTS]), torch.tensor(y[1000 : 1000 + TESTS])


def fit(weights, keep=()):
    torch.manual_seed(0)
    model = torch.nn.Linear(64, 10)
    with torch.no_grad():
        model.weight.copy_(START[:640].reshape(64, 10).t())
        model.bias.copy_(START[640:])
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, weight_decay=0.001)
    kept = []
    for epoch in range(EPOCHS):
        each = torch.nn.functional.cross_entropy(model(X), Y, reduction="none")
        optimiser.zero_grad()
        ((each * weights).sum() / weights.sum()).backward()
        optimiser.step()
        if epoch + 1 in keep:
            kept.append({k: v.clone() for k, v in model.state_dict().items()})
    return model, kept


def margins(model):
    with torch.no_grad():
        logits = model(TX)
        right = logits.gather(1, TY[:, None])[:, 0]
        return (right - logits.scatter(1, TY[:, None], -torch.inf).max(1).values).numpy()


halves = np.array(GIVEN["halves"], dtype=np.float32).reshape(SUBSETS, N)
truth = np.stack([margins(fit(torch.tensor(half))[0]) for half in halves])
at = [round(EPOCHS * (c + 1) / 6) for c in range(6)]
model, checkpoints = fit(torch.ones(N), at)


def loss(params, data):
    image, label = data
    logits = torch.func.functional_call(model, params, image)
    return torch.nn.functional.cross_entropy(logits, label.long())


def single(params, data):
    image, label = data
    return loss(params, (image.unsqueeze(0), label.unsqueeze(0)))


def margin(params, data):
    image, label = data
    logits = torch.func.functional_call(model, params, image.unsqueeze(0))[0]
    right = torch.arange(10) == label
    return (logits * right).sum() - torch.where(right, -torch.inf, logits).max()


def odds(params, data):
    p = torch.exp(-single(params, data))
    return torch.log(p) - torch.log(1 - p)


train = DataLoader(TensorDataset(X, Y), batch_size=N)
test = DataLoader(TensorDataset(TX, TY), batch_size=TESTS)
final = checkpoints[-1]


def score(name, attribution):
    sums = halves @ attribution.detach().numpy()  # [SUBSETS, TESTS]
    # influence functions have the other sign in dattri; a score whose sign differs by test digit is not turned digit by digit.
    each = np.array([spearmanr(sums[:, m], truth[:, m]).statistic for m in range(TESTS)])
    print(f"{name}: LDS {each.mean():.3f}, of absolute values {np.abs(each).mean():.3f}", flush=True)


time = sum(0.5 / (1 - 0.9) for _ in range(EPOCHS))
damping = 1 / time + 0.001
for name, make in {
    "influence, explicit": lambda t: IFAttributorExplicit(task=t, regularization=damping),
    "influence, CG": lambda t: IFAttributorCG(task=t, regularization=damping, max_iter=100),
    "influence, explicit, regularization .01": lambda t: IFAttributorExplicit(task=t, regularization=0.01),
}.items():
    task = AttributionTask(loss_func=loss, model=model, checkpoints=final, target_func=margin)
    attributor = make(task)
    attributor.cache(train)
    with torch.no_grad():
        score(name, attributor.attribute(train, test))
task = AttributionTask(loss_func=single, model=model, checkpoints=checkpoints, target_func=margin)
tracin = TracInAttributor(task=task, weight_list=torch.ones(len(checkpoints)), normalized_grad=False)
with torch.no_grad():
    score("tracin, 6 checkpoints", tracin.attribute(train, test))
task = AttributionTask(loss_func=odds, model=model, checkpoints=[final], target_func=margin)
trak = TRAKAttributor(
    task=task,
    correct_probability_func=lambda params, data: torch.exp(-single(params, data)),
    projector_kwargs={"proj_dim": 512, "device": "cpu"},
    regularization=1e-3,
)
trak.cache(train)
with torch.no_grad():
    score("trak, 512", trak.attribute(test))
