"""Takes uploaded frames and has them committed in groups.

Frames wait in a bounded queue; the more of them wait, the larger the groups
become, so the database's work grows with time and rollouts, not with sidecars.
An upload is answered only after its commit. What one commit does is
`controller.commit`; nothing is decided here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from pitcanary.controller.access import StoreAccess
from pitcanary.controller.commit import GroupCommit
from pitcanary.controller.frames import UploadedFrame
from pitcanary.controller.limits import Limits
from pitcanary.controller.metrics import Metrics
from pitcanary.controller.writer import Priority
from pitcanary.errors import EvidenceRefused, StoreUnavailable
from pitcanary.model.clock import Clock

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Waiting:
    frame: UploadedFrame
    answer: asyncio.Future[int]


class Ingest:
    """The queue of uploaded frames and the task that commits it."""

    def __init__(
        self,
        access: StoreAccess,
        clock: Clock,
        metrics: Metrics,
        commit: GroupCommit,
        limits: Limits,
    ) -> None:
        self._access = access
        self._clock = clock
        self._metrics = metrics
        self._commit_group = commit
        self._limits = limits
        self._queue: deque[_Waiting] = deque()
        self._news = asyncio.Event()

    async def upload(self, frame: UploadedFrame) -> int:
        """Commits a frame and returns how far its source is committed.

        Raises:
            EvidenceRefused: The frame can never be committed.
            StoreUnavailable: Too many frames wait, or the store cannot commit now.
        """
        if len(self._queue) >= self._limits.queued_frames:
            self._metrics.frames.labels("queue_full").inc()
            raise StoreUnavailable(
                f"`{len(self._queue)}` frames wait for their commit; send this one again later"
            )
        waiting = _Waiting(frame, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._metrics.frames_waiting.set(len(self._queue))
        self._news.set()
        return await waiting.answer

    async def run(self) -> None:
        """Commits groups until it is cancelled."""
        while True:
            await self._news.wait()
            group = self._take_group()
            if group:
                await self._commit(group)
            else:
                self._news.clear()

    def _take_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._queue and len(group) < self._limits.group_frames:
            size += self._queue[0].frame.size
            if group and size > self._limits.group_bytes:
                break
            waiting = self._queue.popleft()
            if not waiting.answer.done():
                group.append(waiting)
        self._metrics.frames_waiting.set(len(self._queue))
        return group

    async def _commit(self, group: list[_Waiting]) -> None:
        started = time.perf_counter()
        try:
            answers = await self._store([waiting.frame for waiting in group])
        except EvidenceRefused as refused:
            await self._commit_apart(group, refused)
        except Exception as error:  # every upload of the group must be answered
            self._fail(group, error)
        else:
            self._metrics.frame_commit.observe(time.perf_counter() - started)
            for waiting, committed in zip(group, answers, strict=True):
                _answer(waiting, committed)

    async def _commit_apart(self, group: list[_Waiting], refused: EvidenceRefused) -> None:
        """One bad frame must not keep its neighbours out: commits them one by one."""
        if len(group) > 1:
            for waiting in group:
                await self._commit([waiting])
            return
        self._metrics.frames.labels("refused").inc()
        frame = group[0].frame
        log.warning(
            "frame_refused sidecar=%s seq=%d reason=%s", frame.sidecar_id, frame.seq, refused
        )
        self._fail(group, refused)

    def _fail(self, group: list[_Waiting], error: Exception) -> None:
        if not isinstance(error, EvidenceRefused):
            self._metrics.frames.labels("failed").inc(len(group))
            log.error("frames_not_committed count=%d error=%s", len(group), error)
        for waiting in group:
            if not waiting.answer.done():
                waiting.answer.set_exception(error)

    async def _store(self, frames: Sequence[UploadedFrame]) -> list[int]:
        at = self._clock.now()
        return await self._access.write(
            Priority.INGEST, lambda transaction: self._commit_group(transaction, frames, at)
        )


def _answer(waiting: _Waiting, committed: int) -> None:
    if not waiting.answer.done():
        waiting.answer.set_result(committed)
