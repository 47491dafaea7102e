"""Recorded pairs end as their data say, through real processes."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml

from pitcanary.replay.cluster import ReplayCluster
from pitcanary.replay.columns import Columns, parse_columns
from pitcanary.replay.pace import EvenArrivals
from pitcanary.replay.recording import read_recording
from pitcanary.replay.session import Plan, ReplayResult

pytestmark = [pytest.mark.data, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "replay"
DATA = Path(os.environ.get("PITCANARY_DATA", ROOT.parent / "shared" / "data"))
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def columns(name: str) -> Columns:
    content = yaml.safe_load((EXAMPLES / f"{name}.columns.yaml").read_text())
    fields = [f"{field} = {source}" for field, source in content["fields"].items()]
    return parse_columns(fields, content.get("where", []))


def replay(manifest: str, mapping: str, baseline: str, candidate: str) -> ReplayResult:
    paths = [DATA / baseline, DATA / candidate]
    for path in paths:
        if not path.exists():
            pytest.skip(f"PITCANARY_DATA names no folder with {path.parent.name}/{path.name}")
    read = columns(mapping)
    spec = yaml.safe_load((EXAMPLES / f"{manifest}.yaml").read_text())
    plan = Plan(
        spec={**spec, "baseline": {"version": 1}, "candidate": {"version": 2}},
        tables={
            arm: read_recording(path, read).reports
            for arm, path in zip(("baseline", "candidate"), paths, strict=True)
        },
        arrivals=EvenArrivals(START, 50.0),
        tick=timedelta(seconds=15),
        max_requests=60_000,
    )
    with ReplayCluster() as cluster:
        return cluster.run(plan)


def latency(baseline: str, candidate: str) -> ReplayResult:
    return replay("latency", "llmperf", f"llmperf/{baseline}.json", f"llmperf/{candidate}.json")


def test_a_slower_provider_is_taken_back() -> None:
    result = latency("together_70b", "fireworks_70b")
    assert (result.ending, result.culprits) == ("rolled_back", ("latency_p95",))


def test_a_provider_with_a_better_tail_is_not() -> None:
    assert latency("anyscale_70b", "together_70b").ending != "rolled_back"


def test_a_model_that_refuses_more_is_taken_back() -> None:
    completions = "xstest/xstest_v2_completions_{}.csv"
    result = replay(
        "refusal", "xstest", completions.format("llama2new"), completions.format("llama2orig")
    )
    assert (result.ending, result.culprits) == ("rolled_back", ("refusal",))


def test_a_repeated_replay_decides_the_same() -> None:
    first, second = (latency("together_70b", "fireworks_70b") for _ in range(2))
    assert first == second
