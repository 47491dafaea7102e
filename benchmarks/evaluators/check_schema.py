"""Compare the extension's schema check with Python libraries, text in and verdict out.

Prints one JSON line per figure, in nanoseconds a call; every side runs by turns in one
process. Needs `pip install jsonschema-rs fastjsonschema orjson` beside the package.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import timeit
from collections.abc import Callable
from pathlib import Path

import fastjsonschema
import jsonschema_rs
import orjson

from pitcanary import _native

HERE = Path(__file__).parent
ROUNDS = 30
CALLS = 500


def commit() -> str:
    """Name the commit that was measured."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, check=True
    ).stdout.strip()


def main() -> None:
    """Measure and print."""
    schema = (HERE / "data" / "schema.json").read_text(encoding="utf-8")
    output = (HERE / "data" / "output.json").read_text(encoding="utf-8")
    ours = _native.OutputSchema(schema)
    theirs = jsonschema_rs.validator_for(json.loads(schema))
    # It knows no later draft than 7; the keywords used here mean the same there.
    fast = fastjsonschema.compile(json.loads(schema.replace("2020-12/schema", "draft-07")))
    sides: dict[str, Callable[[], object]] = {
        "pitcanary": lambda: ours.check(output),
        "orjson + jsonschema-rs": lambda: theirs.is_valid(orjson.loads(output)),
        "orjson + fastjsonschema": lambda: fast(orjson.loads(output)),
    }
    assert ours.check(output) == ("valid", None)
    assert theirs.is_valid(orjson.loads(output))
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(ROUNDS):
        for name, run in sides.items():
            best[name] = min(best[name], timeit.timeit(run, number=CALLS) / CALLS * 1e9)
    for name in list(sides)[1:]:
        figure = {
            "name": "schema.check_1kib_python_ns",
            "value": round(best["pitcanary"]),
            "reference": round(best[name]),
            "reference_name": name,
            "ratio": round(best["pitcanary"] / best[name], 2),
            "machine": f"{platform.processor() or platform.machine()} x {os.cpu_count()}",
            "commit": commit(),
        }
        print(json.dumps(figure))


if __name__ == "__main__":
    main()
