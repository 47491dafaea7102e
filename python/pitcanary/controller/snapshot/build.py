"""Puts a snapshot together from one consistent view of the store.

Two replicas that look at the same revision build the same snapshot. Its parts are
made in `snapshot.contents` and `snapshot.rollouts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from pitcanary.controller.connection import Published, version_message
from pitcanary.controller.limits import Intervals, flush_interval
from pitcanary.controller.snapshot.contents import prompt_messages, version_messages
from pitcanary.controller.snapshot.rollouts import (
    TAKEN_BACK,
    known_to_sidecars,
    rollout_message,
    thresholds_in_force,
)
from pitcanary.controller.stored import rollout_of
from pitcanary.manifest.prices import published_prices
from pitcanary.model.price import Price
from pitcanary.model.rollout import Rollout
from pitcanary.model.spec import Policies
from pitcanary.store.interface import (
    EnvironmentRow,
    Reader,
    RolloutRow,
    ThresholdSetRow,
    TokenKeyRow,
)
from pitcanary.v1 import control_pb2

MILLISECOND = timedelta(milliseconds=1)

TOKEN_MAX_AGE = timedelta(days=30)
"""How late a score may come; keys stay in the snapshot as long."""

# One candidate request in two failing above the sidecar's own baseline, over 50
# requests, is seven standard errors away from equal arms at any failure rate: a
# fleet of thousands does not trip by chance.
BREAKER = control_pb2.Breaker(enabled=True, min_requests=50, excess_rate=0.5)


class SnapshotBuilder:
    """Builds the snapshot of an environment."""

    def __init__(self, intervals: Intervals) -> None:
        self._intervals = intervals

    def __call__(self, reader: Reader, environment: int) -> Published:
        """Builds what every sidecar of the environment should serve now."""
        row = reader.environments.get(environment)
        version = reader.environments.config_version(environment)
        snapshot = self._frame(reader, row)
        snapshot.config_version.CopyFrom(version_message(version))
        rollouts = _fill(snapshot, reader, environment)
        return Published(
            version=version,
            message=control_pb2.StreamConfigResponse(snapshot=snapshot),
            withdrawn=frozenset(item.id for item in rollouts if item.state in TAKEN_BACK),
        )

    def _frame(self, reader: Reader, row: EnvironmentRow) -> control_pb2.Snapshot:
        keys = reader.token_keys.list(row.id)
        sidecars = len(reader.sidecars.list(row.id))
        return control_pb2.Snapshot(
            namespace=row.scope.namespace,
            environment=row.scope.environment,
            namespace_salt=row.namespace_salt,
            token_keys=[_key(key) for key in keys],
            issuing_key=_issuing(keys),
            token_max_age_s=int(TOKEN_MAX_AGE.total_seconds()),
            flush_interval_ms=flush_interval(self._intervals, sidecars) // MILLISECOND,
            stale_after_ms=self._intervals.sidecar_stale // MILLISECOND,
            breaker=BREAKER,
            prices=[_price(price) for price in published_prices().prices],
        )


def _fill(snapshot: control_pb2.Snapshot, reader: Reader, environment: int) -> list[Rollout]:
    prompts = reader.prompts.list(environment)
    labels = reader.labels.list(environment)
    rows = known_to_sidecars(reader.rollouts.list(environment))
    rollouts = [rollout_of(row) for row in rows]
    sets = reader.threshold_sets.list(environment)
    used: set[int] = {label.version for label in labels}
    for row, rollout in zip(rows, rollouts, strict=True):
        ids = _version_ids(reader, row, rollout)
        in_force = thresholds_in_force(rollout, sets)
        used |= set(ids.values())
        snapshot.rollouts.append(rollout_message(rollout, ids, in_force))
        snapshot.threshold_sets.extend(_thresholds(item) for item in in_force.values())
    snapshot.max_unattended_ms = _max_unattended(rollouts)
    active = [row for row in rows if row.active]
    snapshot.prompts.extend(prompt_messages(prompts, labels, active))
    names = {prompt.id: prompt.name for prompt in prompts}
    snapshot.versions.extend(version_messages(reader, environment, used, names))
    return rollouts


def _version_ids(reader: Reader, row: RolloutRow, rollout: Rollout) -> Mapping[int, int]:
    numbers = {arm.version for arm in rollout.arms}
    versions = reader.versions.list(row.environment, row.prompt)
    return {item.number: item.id for item in versions if item.number in numbers}


def _max_unattended(rollouts: Sequence[Rollout]) -> int:
    """The shortest limit of a rollout that has not ended; one number serves them all."""
    limits = [item.spec.policies.max_unattended for item in rollouts if not item.state.terminal]
    return min(limits, default=Policies().max_unattended) // MILLISECOND


def _price(price: Price) -> control_pb2.Price:
    return control_pb2.Price(
        model=price.model,
        input_nanos_per_million=price.input_nanos_per_million,
        output_nanos_per_million=price.output_nanos_per_million,
        cached_input_nanos_per_million=price.cached_input_nanos_per_million,
        currency=price.currency,
    )


def _key(row: TokenKeyRow) -> control_pb2.TokenKey:
    return control_pb2.TokenKey(key_id=row.key_id, secret=row.secret)


def _issuing(keys: Sequence[TokenKeyRow]) -> int:
    valid = [key for key in keys if key.retired_at is None]
    return valid[-1].key_id if valid else 0


def _thresholds(row: ThresholdSetRow) -> control_pb2.ThresholdSet:
    return control_pb2.ThresholdSet(id=row.id, buckets=row.thresholds.buckets)
