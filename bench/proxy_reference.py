"""The Python side of bench/proxy.ts: the same masks and values through LightGBM and through ProxySPEX's
reference implementation (PyPI spectralexplain). Never a dependency of the package.

Needs: pip install lightgbm spectralexplain scikit-learn pandas. Reads FOLDER/request.json, a list of cases:
{"kind": "fit" | "proxyspex", "players", "rows", "masks", "values", "grid" or "setting"}; masks are rows x players
bytes, values float64. Prints one JSON line a case: {"seconds", "terms" | "predicted" | "error"}.
A case with "nested": true reads every tree count from one run instead of fitting each: the same answer (boosting is
nested; --check compares the two), a quarter less time.
"""
import json
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np  # noqa: E402
import lightgbm  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.metrics import r2_score  # noqa: E402
from sklearn.model_selection import KFold  # noqa: E402
import spectralexplain.utils as reference  # noqa: E402


def read(folder, case):
    masks = np.fromfile(f"{folder}/{case['masks']}", dtype=np.uint8).reshape(-1, case["players"])
    values = np.fromfile(f"{folder}/{case['values']}", dtype=np.float64)
    return masks.astype(np.float64), values


def fit(masks, values, case):
    rows = case["rows"]
    setting = case["setting"]
    model = lightgbm.LGBMRegressor(
        n_estimators=setting["numIterations"], max_depth=setting["maxDepth"], learning_rate=setting["learningRate"],
        min_child_samples=setting["minDataInLeaf"], num_leaves=31, n_jobs=1, verbose=-1)
    start = time.process_time()
    model.fit(masks[:rows], values)
    seconds = time.process_time() - start
    return {"seconds": seconds, "predicted": model.predict(masks[rows:]).tolist()}


class NestedSearch:
    """What GridSearchCV answers, from one fit to the most trees for each rate, depth and fold."""

    def __init__(self, estimator, grid, folds):
        self.estimator, self.grid, self.folds = estimator, grid, folds

    def fit(self, rows, values):
        counts = sorted(self.grid["n_estimators"])
        best = (-np.inf, None)
        for rate in self.grid["learning_rate"]:  # the order of scikit-learn's grid: names sorted
            for depth in self.grid["max_depth"]:
                scores = {count: [] for count in counts}
                for train, test in KFold(self.folds).split(rows):
                    model = clone(self.estimator).set_params(learning_rate=rate, max_depth=depth, n_estimators=counts[-1])
                    model.fit(rows.iloc[train], values[train])
                    for count in counts:
                        scores[count].append(r2_score(values[test], model.predict(rows.iloc[test], num_iteration=count)))
                for count in self.grid["n_estimators"]:
                    score = np.mean(scores[count])
                    if score > best[0]:
                        best = (score, {"learning_rate": rate, "max_depth": depth, "n_estimators": count})
        self.best_estimator_ = clone(self.estimator).set_params(**best[1]).fit(rows, values)
        return self


def proxyspex(masks, values, case):
    """Their function as it is; only the grid, which it fixes inside, is replaced by the one asked for."""
    search = reference.GridSearchCV
    learner = reference.lgb.LGBMRegressor
    if case.get("nested"):
        reference.GridSearchCV = lambda estimator, param_grid, cv, **rest: NestedSearch(estimator, case["grid"], cv)
    else:
        reference.GridSearchCV = lambda estimator, param_grid, **rest: search(estimator=estimator, param_grid=case["grid"], **rest)
    reference.lgb.LGBMRegressor = lambda **options: learner(**{**options, "n_jobs": 1})
    try:
        start = time.process_time()
        terms = reference.proxy_spex((masks, values))
        seconds = time.process_time() - start
    finally:
        reference.GridSearchCV = search
        reference.lgb.LGBMRegressor = learner
    return {"seconds": seconds, "terms": [[[i for i, bit in enumerate(key) if bit], float(value)] for key, value in terms.items()]}


def check(folder, cases):
    """Whether the nested search gives the terms of the plain one, to the last bit."""
    for case in cases:
        masks, values = read(folder, case)
        plain, nested = (proxyspex(masks, values, {**case, "nested": flag}) for flag in (False, True))
        print(json.dumps({"same": plain["terms"] == nested["terms"], "seconds": [plain["seconds"], nested["seconds"]]}), flush=True)


def main(folder):
    with open(f"{folder}/request.json") as file:
        cases = json.load(file)
    if "--check" in sys.argv:
        return check(folder, cases)
    for case in cases:
        masks, values = read(folder, case)
        try:
            answer = {"fit": fit, "proxyspex": proxyspex}[case["kind"]](masks, values, case)
        except Exception as error:  # the reference fails on ties and on spectra of one term: part of the comparison
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
