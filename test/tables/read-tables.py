"""Reads a run's tables with pandas, polars and DuckDB and compares them with its record.

python read-tables.py RESULT.json CSV-FOLDER PARQUET-FOLDER
"""
import json
import sys

import duckdb
import pandas as pd
import polars as pl

record, csv, parquet = sys.argv[1:]
result = json.load(open(record))
want = {
    "players": [v["banzhaf"] for v in result["values"]],
    "interactions": [i["value"] for i in result["interactions"]],
    "terms": [t["value"] for t in result["spectrum"]["terms"]],
    "curve": [p["kept"]["faithfulness"] for p in result["circuit"]["curve"]],
}
column = {"players": "banzhaf", "interactions": "value", "terms": "fourier", "curve": "faithfulness"}
for table, numbers in want.items():
    name = column[table]
    for folder, kind in ((csv, "csv"), (parquet, "parquet")):
        path = f"{folder}/{table}.{kind}"
        frame = getattr(pd, f"read_{kind}")(path)
        assert frame[name].tolist() == numbers, ("pandas", path)
        assert getattr(pl, f"read_{kind}")(path)[name].to_list() == numbers, ("polars", path)
        rows = duckdb.sql(f"select {name} from read_{kind}('{path}')").fetchall()
        assert [x for (x,) in rows] == numbers, ("duckdb", path)
sets = [json.loads(s) for s in pl.read_parquet(f"{parquet}/interactions.parquet")["players"]]
assert sets == [i["names"] for i in result["interactions"]]
masks = pd.read_parquet(f"{parquet}/masks.parquet")
assert len(masks) == result["masks"]["measured"] + result["masks"]["resumed"]
names = [p["name"] for p in result["players"]]
assert (masks[[f"keeps {n}" for n in names]].sum(axis=1) == masks["kept"]).all()
full = masks[masks["kept"] == len(names)]["value"]
assert full.tolist() == [result["clean"]]
print(f"{len(masks)} masks and {len(want)} tables, the same in pandas, polars and DuckDB")
