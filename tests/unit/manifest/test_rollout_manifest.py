"""Rollout manifests: what is accepted, and where and how the rest is refused."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pitcanary.errors import ManifestRefused
from pitcanary.manifest.load import load, load_rollout, rollout_from_plain
from pitcanary.manifest.schema import schema_text
from pitcanary.model.margin import Margin, StageMargin
from pitcanary.model.metric import Direction, MetricKind, MetricSource, Role
from pitcanary.model.plain import canonical_bytes, from_plain, to_plain
from pitcanary.model.spec import (
    Candidate,
    DeadlinePolicy,
    Horizon,
    OnRollback,
    Policies,
    Response,
    RolloutSpec,
    Stage,
    UnitKind,
)

FULL = """\
kind: rollout
name: support-reply-v42
prompt: support-reply
label: production
baseline: {version: 41}
candidate: {version: 42}
unit: conversation
eligible: internal-users
strata: [cached]
strategy: canary
stages:
  - {share: 1%,  min_time: 10m, min_outcomes: 200}
  - {share: 0.05, min_time: 30m}
  - {share: 25%}
  - {share: 100%}
metrics:
  - error
  - latency_p95
  - {name: refusal, kind: rate, source: {flag: refusal}, direction: up, role: guardrail}
  - {name: helpfulness, kind: score, bounds: [0, 1], direction: down, role: signal}
policies:
  alpha: 0.01
  alpha_advance: 0.1
  tick: 15s
  horizon: {max_time: 7d, max_outcomes: 5000000}
  on_inconclusive: {action: hold, deadline: 24h, then: pause}
  on_insufficient_data: {deadline: 12h, then: rollback}
  on_no_traffic: {then: hold}
  on_rollback: finish_pinned
  max_unattended: 15m
  min_coverage: 0.5
  max_mixed_share: 0
"""
LEAST = """\
kind: rollout
name: r
prompt: p
candidate: {version: 2}
stages: [{share: 50%}]
metrics: [error]
"""
SCHEMAS = Path(__file__).parents[3] / "docs" / "reference" / "schemas"


def refusal(text: str) -> str:
    with pytest.raises(ManifestRefused) as caught:
        load(text, "r.yaml")
    return str(caught.value)


def test_a_full_manifest_says_exactly_this() -> None:
    spec = load_rollout(FULL, "r.yaml")
    assert (spec.name, spec.prompt, spec.label) == (
        "support-reply-v42",
        "support-reply",
        "production",
    )
    assert (spec.baseline, spec.candidates) == (41, (Candidate(42),))
    assert (spec.unit, spec.eligible, spec.strata) == (
        UnitKind.CONVERSATION,
        "internal-users",
        ("cached",),
    )
    minutes = [timedelta(minutes=10), timedelta(minutes=30), *[timedelta(minutes=10)] * 2]
    slots = [10_000, 50_000, 250_000, 1_000_000]
    assert [stage.share_slots for stage in spec.stages] == slots
    assert [stage.min_time for stage in spec.stages] == minutes
    assert [stage.min_outcomes for stage in spec.stages] == [200, 0, 0, 0]
    day = timedelta(days=1)
    assert spec.policies == Policies(
        alpha=0.01,
        alpha_advance=0.1,
        tick=timedelta(seconds=15),
        horizon=Horizon(7 * day, 5_000_000),
        on_inconclusive=DeadlinePolicy(Response.HOLD, day, Response.PAUSE),
        on_insufficient_data=DeadlinePolicy(Response.HOLD, day / 2, Response.ROLLBACK),
        on_no_traffic=DeadlinePolicy(Response.HOLD, day, Response.HOLD),
        on_rollback=OnRollback.FINISH_PINNED,
        max_unattended=timedelta(minutes=15),
        min_coverage=0.5,
        max_mixed_share=0.0,
    )


def test_metrics_are_resolved_with_every_default() -> None:
    error, latency, refusal_rate, helpfulness = load_rollout(FULL, "r.yaml").metrics
    assert (error.kind, error.source, error.role) == (
        MetricKind.RATE,
        MetricSource.ERROR,
        Role.GUARDRAIL,
    )
    assert (latency.kind, latency.quantile) == (MetricKind.QUANTILE, 0.95)
    assert (refusal_rate.source, refusal_rate.key) == (MetricSource.FLAG, "refusal")
    assert (helpfulness.source, helpfulness.direction) == (MetricSource.SCORE, Direction.DOWN)
    assert (helpfulness.minimum, helpfulness.maximum) == (0.0, 1.0)
    assert all(metric.advance for metric in (error, latency, refusal_rate, helpfulness))


def test_the_least_manifest_takes_the_defaults_of_the_model() -> None:
    spec = load_rollout(LEAST, "r.yaml")
    known = spec.metrics
    assert spec == RolloutSpec("r", "p", (Candidate(2),), (Stage(500_000),), known)


def test_margins_are_read_by_share() -> None:
    text = LEAST.replace(
        "metrics: [error]",
        "metrics:\n"
        "  - name: error\n"
        "    rollback: {ratio: 1.2, floor: 0.01}\n"
        "    advance: [{share: 1%, ratio: 3}, {share: 50%, ratio: 1.5}]\n"
        "  - {name: latency_p95, rollback: {buckets: 20}}\n"
        "  - {name: cost, cap: 2.5, gating: false}\n",
    )
    error, latency, cost = load_rollout(text, "r.yaml").metrics
    assert error.rollback == Margin(ratio=1.2, floor=0.01)
    assert error.advance == (
        StageMargin(0.01, Margin(ratio=3.0)),
        StageMargin(0.5, Margin(ratio=1.5)),
    )
    assert latency.rollback == Margin(buckets=20)
    assert (cost.cap, cost.gating) == (2.5, False)


def test_json_and_plain_values_mean_the_same_as_yaml() -> None:
    value = yaml.safe_load(FULL)
    spec = load_rollout(FULL, "r.yaml")
    assert load_rollout(orjson.dumps(value).decode(), "r.json") == spec
    assert rollout_from_plain(value) == spec


def test_a_specification_survives_the_store() -> None:
    spec = load_rollout(FULL, "r.yaml")
    assert from_plain(RolloutSpec, orjson.loads(canonical_bytes(to_plain(spec)))) == spec


def test_several_documents_are_several_manifests() -> None:
    both = load(f"{LEAST}---\n---\n{LEAST.replace('name: r', 'name: s')}", "r.yaml")
    assert [getattr(manifest, "name", "") for manifest in both] == ["r", "s"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            "prompt: support",
            "promt: support",
            "r.yaml:3: `promt`: unknown field; did you mean `prompt`?",
            id="a misspelt field",
        ),
        pytest.param("unit: conv", "unit: cnv", "r.yaml:7: `unit`: cannot be", id="no unit"),
        pytest.param("- error", "- eror", "r.yaml:17: `metrics[0]`: metric `eror`", id="no metric"),
        pytest.param("- error", "- eror", "did you mean `error`?", id="the nearest metric"),
        pytest.param(
            "kind: score, ", "", "metric `helpfulness` is not defined", id="an unfinished metric"
        ),
        pytest.param(
            "name: refusal, kind: rate, source: {flag: refusal}",
            "name: speed, kind: quantile",
            "needs a `source`",
            id="no source",
        ),
        pytest.param(
            "  - latency_p95",
            "  - {name: latency_p95, rollback: {ratio: 1.2}}",
            "r.yaml:18: `metrics[1]`: metric `latency_p95`: `rollback` has ratio",
            id="a margin of another kind",
        ),
        pytest.param(
            "  - {share: 25%}",
            "  - {share: 3%}",
            "r.yaml:14: `stages[2]`: shares must rise: `3%` comes after `5%`",
            id="a falling share",
        ),
        pytest.param("share: 25%", "share: 101%", "at most 100%", id="over everything"),
        pytest.param("share: 25%", "share: 1.5", "write a share such as", id="a fraction over 1"),
        pytest.param("share: 25%", "share: 5 %", "cannot be `5 %`", id="a share with a space"),
        pytest.param("share: 25%", "share: 25.00001%", "finer than", id="a share between slots"),
        pytest.param("tick: 15s", "tick: 15", "write a duration such as", id="a bare number"),
        pytest.param("tick: 15s", "tick: 0s", "longer than nothing", id="a tick of nothing"),
        pytest.param("alpha: 0.01", "alpha: 0.6", "below 0.5", id="an alpha of nearly all"),
        pytest.param("alpha: 0.01", "alpha: .nan", "not finite", id="not a number"),
        pytest.param(
            "then: pause", "then: promote", "`hold`, `pause`, `rollback`", id="no promotion"
        ),
        pytest.param(
            "max_time: 7d",
            "max_time: 1h",
            "r.yaml:11: `stages`: the stages last at least 1h",
            id="stages beyond the horizon",
        ),
        pytest.param("{version: 42}", "{version: 41}", "different versions", id="no difference"),
        pytest.param("{version: 42}", "{version: v42}", "a whole number", id="a named version"),
        pytest.param("label: production", "label: a b", "a name of up to", id="a space in a name"),
        pytest.param("bounds: [0, 1]", "bounds: [0]", "entries: at least 2", id="half a range"),
        pytest.param("bounds: [0, 1]", "bounds: [1, 0]", "below", id="a range upside down"),
        pytest.param("kind: rollout", "kind: rolout", "did you mean `rollout`?", id="no kind"),
        pytest.param("kind: rollout\n", "", "field `kind` is missing", id="without kind"),
    ],
)
def test_a_refusal_names_line_field_and_what_to_do(old: str, new: str, expected: str) -> None:
    assert old in FULL
    assert expected in refusal(FULL.replace(old, new, 1))


def test_all_problems_of_the_schema_are_reported_at_once() -> None:
    wrong = FULL.replace("unit: conv", "unit: c").replace("tick: 15s", "tick: soon")
    lines = refusal(wrong).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["r.yaml:7", "r.yaml:24"]


def test_plain_values_are_refused_without_a_line() -> None:
    with pytest.raises(ManifestRefused, match="specification: `unit`: cannot be `x`"):
        rollout_from_plain({**yaml.safe_load(LEAST), "unit": "x"})


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_file_holds_no_manifest(text: str) -> None:
    assert "holds no manifest" in refusal(text)


def test_a_file_with_something_else_is_not_a_rollout() -> None:
    with pytest.raises(ManifestRefused, match="one manifest"):
        load_rollout(LEAST + "---\n" + LEAST, "r.yaml")
    with pytest.raises(ManifestRefused, match="`kind: rollout`"):
        rollout_from_plain({"kind": "prompt", "name": "p", "text": "x"})


@pytest.mark.parametrize("kind", ["rollout", "prompt", "prices"])
def test_the_published_schema_is_the_one_in_use(kind: str) -> None:
    assert (SCHEMAS / f"{kind}.json").read_bytes() == schema_text(kind)


def leaves(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    entries = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else []
    )
    return [path, *(leaf for key, item in entries for leaf in leaves(item, (*path, key)))]


junk: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([])
)


@given(st.sampled_from(leaves(yaml.safe_load(FULL))[1:]), junk | st.just({}) | st.just(10**400))
def test_any_value_anywhere_is_read_or_refused(path: tuple[object, ...], wrong: object) -> None:
    """No value of any type leads to anything but a manifest or a refusal."""
    value = yaml.safe_load(FULL)
    place = value
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = wrong
    with suppress(ManifestRefused):
        spec = rollout_from_plain(value)
        assert from_plain(RolloutSpec, to_plain(spec)) == spec
