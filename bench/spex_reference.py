"""The reference SPEX on functions given as JSON, for `bench/spex.ts --compare python`.

Reads {"cases": [{"n", "t", "b", "noise", "seed", "terms": [[members, value], ...]}, ...]} from stdin and
prints one JSON line per case: seconds of the transform and of the decoding (sampling excluded), and the
recovered terms. Needs `pip install spectralexplain` (which brings sparse-transform). The stored reference
skips its regression step, so this is its peeling alone, compared with ours before refinement.
"""

import json
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")


def signs(queries, terms):
    """f of each row of queries (rows x n of 0/1)."""
    values = np.zeros(len(queries))
    for members, value in terms:
        values += value * (1 - 2 * (queries[:, members].sum(axis=1) % 2))
    return values


def run(case):
    from sparse_transform.qsft.signals.input_signal_subsampled import SubsampledSignal
    from spectralexplain.support_recovery import support_recovery

    n, t, b = case["n"], case["t"], case["b"]
    np.random.seed(case["seed"])
    noise = np.random.default_rng(case["seed"])
    terms = [(np.array(members, dtype=int), value) for members, value in case["terms"]]
    deviation = np.sqrt(sum(value**2 for members, value in terms if len(members)))
    sigma = case["noise"] * deviation

    def function(queries):
        queries = np.asarray(queries)
        return signs(queries, terms) + sigma * noise.standard_normal(len(queries))

    signal = SubsampledSignal(
        func=function,
        n=n,
        q=2,
        query_args={
            "query_method": "complex",
            "num_subsample": 3,
            "delays_method_source": "joint-coded",
            "subsampling_method": "qsft",
            "delays_method_channel": "identity-siso",
            "num_repeat": 1,
            "b": b,
            "all_bs": [b],
            "t": t,
        },
    )
    transform = sum(times[b] for group in signal.transformTimes for times in group)
    start = time.perf_counter()
    found = support_recovery("soft", signal, b, t)
    decode = time.perf_counter() - start
    return {
        "transformSeconds": transform,
        "decodeSeconds": decode,
        "terms": [[[int(i) for i in np.flatnonzero(key)], float(value)] for key, value in found.items()],
    }


def main():
    cases = json.load(sys.stdin)["cases"]
    # Compile what compiles on first use before the clock runs.
    run({"n": 20, "t": 3, "b": 3, "noise": 0, "seed": 1, "terms": [[[1, 2], 1.0], [[3], -0.5]]})
    for case in cases:
        try:
            answer = run(case)
        except Exception as error:  # the caller reports exactly what failed
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
