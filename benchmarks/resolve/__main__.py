"""Print the figures, one line of JSON each.

Build first: `cargo build --release -p pitcanary-load --bins --examples`. Run
alone on a machine with two cores; the ratios survive a busy one, the
latencies do not.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from itertools import chain
from pathlib import Path

from benchmarks.resolve.figures import Bench, Figure, sidecar_figures, transport_figures
from benchmarks.resolve.servers import RELEASE, ROOT, BenchmarkError


def main() -> int:
    """Measure and print; 1 if there is no figure to print."""
    options = _options()
    try:
        _check_tools()
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), options.repeats, options.seconds, options.prompt)
            figures = transport_figures(bench)
            if options.snapshot is not None:
                figures = chain(figures, sidecar_figures(bench, options.snapshot))
            for figure in figures:
                print(_line(figure), flush=True)
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.resolve")
    parser.add_argument("--snapshot", type=Path, help="snapshot file for the sidecar's figures")
    parser.add_argument("--prompt", default="checkout-assistant", help="a prompt of the snapshot")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each server")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each run")
    return parser.parse_args()


def _check_tools() -> None:
    for tool in (RELEASE / "pitcanary-bench", RELEASE / "examples" / "echo"):
        if not tool.exists():
            message = (
                f"`{tool}` is missing; build it with "
                "`cargo build --release -p pitcanary-load --bins --examples`"
            )
            raise BenchmarkError(message)
    if shutil.which("taskset") is None:
        message = "`taskset` is missing; install util-linux"
        raise BenchmarkError(message)


def _line(figure: Figure) -> str:
    values = {
        "name": figure.name,
        "value": round(figure.value, 3),
        "reference": round(figure.reference, 3),
        "ratio": round(figure.ratio, 3),
        "machine": f"{platform.machine()} {_processor()}",
        "commit": _commit(),
    }
    return json.dumps(values)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return ended.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
