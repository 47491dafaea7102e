"""Commits a group of frames: claim, then merge, then store, in one transaction.

Numbers are claimed *before* anything is merged. Merging first would count a frame
twice when its sidecar reconnects to another replica and sends it again. A source
above its cap is diverted here as well, because after the merge the source is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from pitcanary.controller.evidence import by_rollout
from pitcanary.controller.frames import UploadedFrame
from pitcanary.controller.metrics import Metrics
from pitcanary.errors import EvidenceRefused, NotFound
from pitcanary.store.interface import (
    FrameMark,
    NewEvidence,
    Notice,
    Scope,
    Source,
    Topic,
    Transaction,
)

log = logging.getLogger(__name__)

NO_ROLLOUT = 0

SourceCap: TypeAlias = Callable[[UploadedFrame], bool]
"""Tells whether a frame of this source may count; a diverted frame is only acknowledged."""


def admit_all(_frame: UploadedFrame) -> bool:
    """The cap of a fleet that trusts its sidecars: every frame counts."""
    return True


class GroupCommit:
    """What one commit of frames does; called on the store's thread only."""

    def __init__(self, metrics: Metrics, admits: SourceCap = admit_all) -> None:
        self._metrics = metrics
        self._admits = admits
        self._known: set[tuple[int, int]] = set()

    def __call__(
        self, transaction: Transaction, frames: Sequence[UploadedFrame], at: datetime
    ) -> list[int]:
        """Stores what is new in `frames` and tells how far each frame's source is committed.

        Raises:
            EvidenceRefused: One of the frames can never be committed; nothing was stored.
        """
        environments = _environments(transaction, frames)
        sources = [_source(environments[frame.scope], frame) for frame in frames]
        by_number = {
            (source, frame.seq): frame for source, frame in zip(sources, frames, strict=True)
        }
        marks = [
            FrameMark(source, seq, dict(frame.stream_marks))
            for (source, seq), frame in by_number.items()
        ]
        fresh = [by_number[mark.source, mark.seq] for mark in transaction.marks.claim(marks, at)]
        self._store(transaction, environments, self._admitted(fresh))
        self._metrics.frames.labels("committed").inc(len(fresh))
        self._metrics.frames.labels("repeated").inc(len(frames) - len(fresh))
        return [transaction.marks.committed_through(source) for source in sources]

    def _admitted(self, frames: Sequence[UploadedFrame]) -> list[UploadedFrame]:
        admitted = [frame for frame in frames if self._admits(frame)]
        self._metrics.frames.labels("diverted").inc(len(frames) - len(admitted))
        return admitted

    def _store(
        self,
        transaction: Transaction,
        environments: Mapping[Scope, int],
        frames: Sequence[UploadedFrame],
    ) -> None:
        for environment in sorted(set(environments.values())):
            bundles = [frame.bundle for frame in frames if environments[frame.scope] == environment]
            merged = by_rollout(bundles)
            rows = [
                NewEvidence(environment, rollout, merged[rollout])
                for rollout in merged
                if self._exists(transaction, environment, rollout)
            ]
            if rows:
                transaction.evidence.append(rows)
                transaction.notify(Notice(Topic.EVIDENCE, environment))

    def _exists(self, transaction: Transaction, environment: int, rollout: int) -> bool:
        if rollout == NO_ROLLOUT or (environment, rollout) in self._known:
            return True
        try:
            transaction.rollouts.get(environment, rollout)
        except NotFound:
            self._metrics.foreign_evidence.inc()
            log.warning("foreign_evidence environment=%d rollout=%d", environment, rollout)
            return False
        self._known.add((environment, rollout))
        return True


def _source(environment: int, frame: UploadedFrame) -> Source:
    return Source(environment, frame.sidecar_id, frame.boot_id)


def _environments(transaction: Transaction, frames: Sequence[UploadedFrame]) -> dict[Scope, int]:
    environments: dict[Scope, int] = {}
    for scope in {frame.scope for frame in frames}:
        row = transaction.environments.find(scope)
        if row is None:
            raise EvidenceRefused(
                f"environment `{scope.namespace}/{scope.environment}` does not exist here; "
                "push a prompt to it first, or point the sidecar at its own controller"
            )
        environments[scope] = row.id
    return environments
