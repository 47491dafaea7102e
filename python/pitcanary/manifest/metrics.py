"""Metrics of a rollout manifest: names of known ones, or definitions.

A definition under a known name changes only what it says. Everything else gets the
model's defaults when the metric is made, and stays as it is from then on.
"""

from __future__ import annotations

from dataclasses import replace

from pitcanary.manifest.place import Place, Readers
from pitcanary.model.allocation import SLOT_COUNT
from pitcanary.model.known_metrics import KNOWN_METRICS, known_metric
from pitcanary.model.margin import UNSET, Margin, StageMargin
from pitcanary.model.metric import Direction, Metric, MetricKind, MetricSource, Role


def read_metric(place: Place) -> Metric:
    """Reads one entry of `metrics`.

    Raises:
        ManifestRefused: For an unknown name, or parts that do not fit together.
    """
    if isinstance(place.value, str):
        return place.build(lambda: known_metric(place.text()))
    name = _required(place, "name").text()
    changes = place.given(_FIELDS) | _bounds(place) | _source(place)
    if name in KNOWN_METRICS:
        return place.build(lambda: _changed(KNOWN_METRICS[name], changes))
    return place.build(lambda: _defined(place, name, changes))


def _defined(place: Place, name: str, changes: dict[str, object]) -> Metric:
    kind = changes.get("kind")
    if not isinstance(kind, MetricKind):
        return place.build(lambda: known_metric(name))
    if "source" not in changes:
        if kind not in _REPORTED:
            raise place.refusal(f"metric `{name}` needs a `source`, for example `latency`")
        changes["source"] = _REPORTED[kind]
    return Metric(name=name, **changes)  # type: ignore[arg-type]


def _changed(known: Metric, changes: dict[str, object]) -> Metric:
    if _SHAPE & changes.keys():
        changes = {"rollback": UNSET, "advance": ()} | changes
    return replace(known, **changes)  # type: ignore[arg-type]


def _source(place: Place) -> dict[str, object]:
    source = place.get("source")
    if source is None:
        return {}
    if isinstance(source.value, str):
        return {"source": source.member(MetricSource)}
    for word, member in (("flag", MetricSource.FLAG), ("score", MetricSource.SCORE)):
        key = source.get(word)
        if key is not None:
            return {"source": member, "key": key.text()}
    raise source.refusal("needs `flag` or `score`")


def _bounds(place: Place) -> dict[str, object]:
    bounds = place.get("bounds")
    if bounds is None:
        return {}
    low, high = (item.number() for item in bounds.items())
    return {"minimum": low, "maximum": high}


def _margin(place: Place) -> Margin:
    return place.make(Margin, _MARGIN)


def _stage_margin(place: Place) -> StageMargin:
    share = _required(place, "share").share() / SLOT_COUNT
    return place.build(lambda: StageMargin(share, _margin(place)))


def _required(place: Place, name: str) -> Place:
    field = place.get(name)
    if field is None:
        raise place.refusal(f"field `{name}` is missing")
    return field


_MARGIN: Readers = {
    "ratio": Place.number,
    "floor": Place.number,
    "difference": Place.number,
    "buckets": Place.whole,
}
_FIELDS: Readers = {
    "kind": lambda place: place.member(MetricKind),
    "direction": lambda place: place.member(Direction),
    "role": lambda place: place.member(Role),
    "gating": Place.flag,
    "quantile": Place.number,
    "cap": Place.number,
    "rollback": _margin,
    "advance": lambda place: tuple(_stage_margin(item) for item in place.items()),
}
_REPORTED = {MetricKind.RATE: MetricSource.FLAG, MetricKind.SCORE: MetricSource.SCORE}
# Fields whose change makes the margins of the known metric meaningless.
_SHAPE = {"kind", "direction", "minimum", "maximum"}
