"""A rollout manifest as a specification, with every default filled in.

The schema is checked before, so types are right here; what is left is what a schema
cannot say: names, exact shares, stages that contradict each other or the horizon.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from pitcanary.manifest.metrics import read_metric
from pitcanary.manifest.place import Place, Readers
from pitcanary.model.quantity import format_duration, format_share
from pitcanary.model.spec import (
    Candidate,
    DeadlinePolicy,
    Horizon,
    OnRollback,
    Policies,
    Response,
    RolloutSpec,
    Stage,
    Strategy,
    UnitKind,
)


def read_rollout(root: Place) -> RolloutSpec:
    """Reads a document that its schema accepts.

    Raises:
        ManifestRefused: For what the schema cannot say.
    """
    fields = root.given(_ROLLOUT)
    candidate = root.get("candidate")
    if candidate is not None:
        fields["candidates"] = (candidate.make(Candidate, _CANDIDATE),)
    spec = root.build(lambda: RolloutSpec(**fields))  # type: ignore[arg-type]
    _fits_the_horizon(root, spec)
    return spec


def _stage(place: Place) -> Stage:
    share = place.get("share") or place
    return place.make(partial(Stage, share.share()), _STAGE)


def _stages(place: Place) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    for item in place.items():
        stage = _stage(item)
        if stages and stage.share_slots <= stages[-1].share_slots:
            before, now = format_share(stages[-1].share_slots), format_share(stage.share_slots)
            raise item.refusal(f"shares must rise: `{now}` comes after `{before}`")
        stages.append(stage)
    return tuple(stages)


def _horizon(place: Place) -> Horizon:
    return place.make(Horizon, _HORIZON)


def _deadline(place: Place) -> DeadlinePolicy:
    return place.make(DeadlinePolicy, _DEADLINE)


def _policies(place: Place) -> Policies:
    return place.make(Policies, _POLICIES)


def _version(place: Place) -> int | None:
    version = place.get("version")
    return version.whole() if version else None


def _fits_the_horizon(root: Place, spec: RolloutSpec) -> None:
    least = sum((stage.min_time for stage in spec.stages), timedelta(0))
    horizon = spec.policies.horizon.max_time
    if least >= horizon:
        place = root.get("stages") or root
        raise place.refusal(
            f"the stages last at least {format_duration(least)}, and the horizon is "
            f"{format_duration(horizon)}: shorten `min_time` or raise `policies.horizon.max_time`"
        )


_CANDIDATE: Readers = {"version": Place.whole, "name": Place.text}
_STAGE: Readers = {"min_time": Place.duration, "min_outcomes": Place.whole}
_HORIZON: Readers = {"max_time": Place.duration, "max_outcomes": Place.whole}
_DEADLINE: Readers = {
    "action": lambda place: place.member(Response),
    "deadline": Place.duration,
    "then": lambda place: place.member(Response),
}
_POLICIES: Readers = {
    "alpha": Place.number,
    "alpha_advance": Place.number,
    "tick": Place.duration,
    "horizon": _horizon,
    "on_inconclusive": _deadline,
    "on_insufficient_data": _deadline,
    "on_no_traffic": _deadline,
    "on_rollback": lambda place: place.member(OnRollback),
    "max_unattended": Place.duration,
    "min_coverage": Place.number,
    "max_mixed_share": Place.number,
}
_ROLLOUT: Readers = {
    "name": Place.text,
    "prompt": Place.text,
    "label": Place.text,
    "unit": lambda place: place.member(UnitKind),
    "eligible": Place.text,
    "strata": lambda place: tuple(item.text() for item in place.items()),
    "strategy": lambda place: place.member(Strategy),
    "baseline": _version,
    "stages": _stages,
    "metrics": lambda place: tuple(read_metric(item) for item in place.items()),
    "policies": _policies,
}
