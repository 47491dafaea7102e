"""The process that the kill test kills: a controller reduced to its store.

Answers a group of frames only after their commit, and between groups seals what
is open and decides. Evidence is merged by joining, so every frame stays visible.
"""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.connection import Connection

from pitcanary.store import Store, Transaction, open_store
from pitcanary.store.interface import FrameMark, NewEvidence, Seal, Source
from tests.contract.store.samples import NOW, Sample, decide

Frame = tuple[Source, int]
ROLLOUT = 1


def name_of(frame: Frame) -> bytes:
    """What a frame leaves behind in evidence."""
    pod, seq = frame
    return f"{pod.sidecar_id}/{pod.boot_id.hex()}/{seq};".encode()


def serve(address: str, sample: Sample, frames: Connection) -> None:
    """Commits groups until the other end is closed or somebody kills us."""
    store = open_store(address)
    frames.send("ready")
    groups = 0
    while True:
        try:
            group: Sequence[Frame] = frames.recv()
        except EOFError:
            break
        commit(store, sample, group)
        frames.send(len(group))
        groups += 1
        if groups % 3 == 0:
            with store.transaction() as tx:
                seal_and_decide(tx, sample)
    store.close()


def commit(store: Store, sample: Sample, group: Sequence[Frame]) -> None:
    """One group commit, as the controller does it."""
    with store.transaction() as tx:
        fresh = tx.marks.claim([FrameMark(pod, seq) for pod, seq in group], NOW)
        merged = b"".join(name_of((frame.source, frame.seq)) for frame in fresh)
        tx.evidence.append([NewEvidence(sample.environment, ROLLOUT, merged)])


def seal_and_decide(tx: Transaction, sample: Sample) -> None:
    """One tick: everything open is sealed and a decision is recorded with it."""
    rows = tx.evidence.open(sample.environment, ROLLOUT)
    tx.evidence.seal(
        Seal(
            environment=sample.environment,
            rollout=ROLLOUT,
            tick=tx.evidence.last_tick(sample.environment, ROLLOUT) + 1,
            sealed_at=NOW,
            evidence=b"".join(row.evidence for row in rows),
            taken=tuple(row.id for row in rows),
        )
    )
    decide(tx, tx.rollouts.lock(sample.environment, sample.rollout))
