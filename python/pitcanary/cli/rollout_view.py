"""A rollout as a page of text: header, a row per metric, what comes next.

The controller's view holds everything already; here it is only laid out. The
difference shown is the one that the interval belongs to, and the limit the one
that the stage is judged by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pitcanary.v1 import admin_pb2 as pb

# The view is JSON of the controller; its fields are checked where they are used.
View = Mapping[str, Any]

GLYPHS = {
    "pending": "◷",
    "progressing": "◌",
    "paused": "॥",
    "promoting": "◌",
    "promoted": "✔",
    "rolled_back": "✖",
    "aborted": "✖",
    "pass": "✔",
    "regressed": "✖",
    "inconclusive": "◌",
    "insufficient_data": "◷",
    "measurement_error": "⚠",
    "muted": "•",
}
COLUMNS = ("METRIC", "BASELINE", "CANDIDATE", "Δ [always-valid 95 %]", "LIMIT", "N", "VERDICT")


def render(rollout: pb.RolloutInfo) -> RenderableType:
    """The whole page."""
    view: View = orjson.loads(rollout.view_json or "{}")
    parts: list[RenderableType] = [_header(rollout, view)]
    if view.get("metrics"):
        parts.append(_metrics(view["metrics"]))
    if view.get("next_line"):
        parts.append(Text(f"\nNEXT  {view['next_line']}"))
    return Group(*parts)


def _header(rollout: pb.RolloutInfo, view: View) -> Table:
    table = Table.grid(padding=(0, 2))
    actual = f"{rollout.share_actual:.1%}" if rollout.HasField("share_actual") else "–"
    versions = "  ".join(
        f"{arm['name']} v{arm['version']} {arm['digest'][:15]}…" for arm in view.get("arms", ())
    )
    rows = {
        "Rollout": rollout.name,
        "Prompt": f"{rollout.prompt} ({view.get('label', 'production')})",
        "Status": f"{_glyph(rollout.state)} {rollout.state}",
        "Message": rollout.message,
        "Versions": versions,
        "Stage": f"{rollout.stage}/{rollout.stages}",
        "Share": f"set {rollout.share_set:.1%}  actual {actual}{_sample_ratio(view)}",
        "Sidecars": _fleet(view),
    }
    for name, value in rows.items():
        table.add_row(Text(f"{name}:"), Text(value))
    return table


def _sample_ratio(view: View) -> str:
    ratio = view.get("sample_ratio")
    if not ratio:
        return ""
    return f"  sample ratio {'⚠ mismatch' if ratio['alarm'] else '✔'} ({ratio['units']:,} units)"


def _fleet(view: View) -> str:
    fleet = view.get("fleet")
    if not fleet:
        return "–"
    behind = f"  behind: {', '.join(fleet['behind'])}" if fleet["behind"] else ""
    return f"{fleet['reporting']} of {fleet['expected']} reporting{behind}"


def _metrics(metrics: list[View]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for metric in metrics:
        verdict = metric.get("verdict", "insufficient_data")
        table.add_row(
            metric["name"],
            _value(metric, "baseline"),
            _value(metric, "candidate"),
            _difference(metric),
            metric.get("limit", "–"),
            f"{_short(_count(metric, 'baseline'))}/{_short(_count(metric, 'candidate'))}",
            f"{_glyph(verdict)} {verdict.upper()}",
        )
    return table


def _value(metric: View, arm: str) -> str:
    """A rate in per cent; a quantile as seconds of the distribution it is about."""
    if metric["kind"] == "quantile":
        quantile = (metric.get("quantiles") or {}).get(arm)
        return "–" if quantile is None else f"{quantile / 1e6:.2f} s"
    if _count(metric, arm) == 0:
        return "–"
    value = metric[arm]["value"]
    return f"{value:.2%}" if metric["kind"] == "rate" else f"{value:,.4g}"


def _difference(metric: View) -> str:
    bounds = metric.get("difference")
    if not bounds:
        return "–"
    if metric["kind"] in ("rate", "quantile"):
        low, high = bounds["low"] * 100, bounds["high"] * 100
        return f"{bounds['estimate'] * 100:+.2f} pp [{low:+.2f}, {high:+.2f}]"
    return f"{bounds['estimate']:+.3g} [{bounds['low']:+.3g}, {bounds['high']:+.3g}]"


def _count(metric: View, arm: str) -> int:
    """Observations of an arm; none before the first look."""
    figures: Mapping[str, int] = metric.get(arm) or {}
    return figures.get("n", 0)


def _short(count: int) -> str:
    return f"{count / 1000:.1f}k" if count >= 1000 else str(count)


def _glyph(word: str) -> str:
    return GLYPHS.get(word, "•")
