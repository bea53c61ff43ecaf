"""Small tree ensembles trained by LightGBM and XGBoost, with their own predictions on all masks.

Needs: pip install lightgbm==4.7.0 xgboost==3.2.0 numpy scipy. Run in this folder: python generate.py
Writes one JSON a model, NAME.json: {"library", "version", "players", "model", "values"}. `model` is the text of
Booster.save_model, or the list of XGBoost's get_dump; values[j] is the raw score of mask j, player i being bit i of j.
"""
import json
import os
import tempfile

import lightgbm
import numpy as np
import scipy.sparse
import xgboost

PLAYERS = 6
ALL = ((np.arange(2**PLAYERS)[:, None] >> np.arange(PLAYERS)) & 1).astype(float)


def game(x):
    """Two interactions, a few effects, and noise that keeps the trees from being alike."""
    noise = np.random.default_rng(3).normal(size=len(x))
    return 3 + x[:, 0] - 2 * x[:, 1] * x[:, 2] + 1.5 * x[:, 3] * x[:, 4] * (1 - x[:, 5]) + 0.3 * noise


def write(name, library, model, values):
    record = {"library": library.__name__, "version": library.__version__, "players": PLAYERS, "model": model, "values": [float(v) for v in values]}
    with open(f"{name}.json", "w") as file:
        json.dump(record, file, separators=(",", ":"))
        file.write("\n")


def short(text):
    """A model.txt without its list of parameters, which repeats LightGBM's defaults."""
    return text.split("\nparameters:")[0] + "\n"


def light(name, x=ALL, y=None, **options):
    y = game(x) if y is None else y
    base = {"objective": "regression", "num_leaves": 6, "min_data_in_leaf": 3, "learning_rate": 0.3, "verbose": -1, "num_threads": 1, "seed": 1, "deterministic": True}
    settings = {**base, **options}
    booster = lightgbm.train(settings, lightgbm.Dataset(x, y, params=settings), num_boost_round=4)
    write(name, lightgbm, short(booster.model_to_string()), booster.predict(ALL, raw_score=settings["objective"] == "binary"))


def saved(booster):
    path = os.path.join(tempfile.mkdtemp(), "model.json")
    booster.save_model(path)
    with open(path) as file:
        return file.read()


def stopped(name):
    """Early stopping: the values are those of the best iteration, which scikit-learn's interface predicts with."""
    options = {"objective": "reg:squarederror", "max_depth": 3, "eta": 0.9, "nthread": 1, "seed": 1}
    y = game(ALL)
    watched = [(xgboost.DMatrix(ALL[1::2], y[1::2]), "valid")]
    booster = xgboost.train(options, xgboost.DMatrix(ALL[::2], y[::2]), num_boost_round=30, evals=watched, early_stopping_rounds=3, verbose_eval=False)
    best = (0, booster.best_iteration + 1)
    write(name, xgboost, saved(booster), booster.predict(xgboost.DMatrix(ALL), output_margin=True, iteration_range=best))


def zeros_missing(name, data, **options):
    """Zeros as missing values, by missing=0 or by sparse rows."""
    settings = {"objective": "reg:squarederror", "max_depth": 3, "eta": 0.3, "nthread": 1, "seed": 1, **options}
    booster = xgboost.train(settings, data(ALL, game(ALL)), num_boost_round=4)
    write(name, xgboost, saved(booster), booster.predict(data(ALL, None), output_margin=True))


def boosted(name, x=ALL, y=None, model=saved, **options):
    y = game(x) if y is None else y
    base = {"objective": "reg:squarederror", "max_depth": 3, "eta": 0.3, "nthread": 1, "seed": 1}
    booster = xgboost.train({**base, **options}, xgboost.DMatrix(x, y), num_boost_round=4)
    write(name, xgboost, model(booster), booster.predict(xgboost.DMatrix(ALL), output_margin=True))


# Masks beside other feature values: thresholds other than .5, and features that are asked again on a path.
random = np.random.default_rng(5)
WIDE = np.concatenate([ALL, random.choice([-0.4, 0.0, 0.3, 0.5, 0.8, 1.0, 2.5], size=(400, PLAYERS))])
HOLES = np.where(random.uniform(size=WIDE.shape) < 0.15, np.nan, WIDE)
WIDE_Y = 1 + 3 * np.sin(9 * WIDE[:, 0]) + np.abs(WIDE[:, 1]) * WIDE[:, 2] + np.cos(4 * WIDE[:, 0] + WIDE[:, 3])
CLASS = (game(ALL) > 3).astype(float)

light("lightgbm")
light("lightgbm-wide", WIDE, WIDE_Y, num_leaves=14)
light("lightgbm-missing", HOLES, WIDE_Y, num_leaves=14)
light("lightgbm-zero-as-missing", zero_as_missing=True)
light("lightgbm-dart", boosting="dart", drop_rate=0.5)
light("lightgbm-forest", boosting="rf", bagging_freq=1, bagging_fraction=0.6)
light("lightgbm-binary", y=CLASS, objective="binary")
light("lightgbm-constant", y=np.full(len(ALL), 2.5))
boosted("xgboost")
boosted("xgboost-wide", WIDE, WIDE_Y, max_depth=4)
boosted("xgboost-missing", HOLES, WIDE_Y)
boosted("xgboost-dart", booster="dart", rate_drop=0.5)
boosted("xgboost-binary", y=CLASS, objective="binary:logistic")
boosted("xgboost-dump", base_score=0.25, model=lambda booster: booster.get_dump(dump_format="json"))
stopped("xgboost-stopped")
zeros_missing("xgboost-missing-zero", lambda x, y: xgboost.DMatrix(x, y, missing=0.0))
zeros_missing("xgboost-sparse", lambda x, y: xgboost.DMatrix(scipy.sparse.csr_matrix(x), y), tree_method="exact")
