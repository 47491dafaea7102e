"""Frames count exactly once, whatever is repeated, reordered or rolled back."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from pitcanary.store import Store
from pitcanary.store.interface import FrameMark, NewEvidence, Scope, Source
from pitcanary.store.packed_marks import MAX_STREAMS_PER_SIDECAR
from tests.contract.store.samples import NAMESPACE_SALT, NOW, source

SIDECARS = ("pod-0", "pod-1", "pod-2")


def claim(store: Store, *frames: FrameMark) -> list[tuple[Source, int]]:
    with store.transaction() as tx:
        return [(frame.source, frame.seq) for frame in tx.marks.claim(frames, NOW)]


def test_a_frame_is_claimed_once(store: Store, environment: int) -> None:
    pod = source(environment)
    assert claim(store, FrameMark(pod, 1)) == [(pod, 1)]
    assert claim(store, FrameMark(pod, 1)) == []
    assert claim(store, FrameMark(pod, 2), FrameMark(pod, 1)) == [(pod, 2)]
    with store.read() as reader:
        assert reader.marks.committed_through(pod) == 2
        assert reader.marks.committed_through(source(environment, "pod-9")) == 0


def test_a_group_is_claimed_in_order_and_each_number_once(store: Store, environment: int) -> None:
    one, two = source(environment, "pod-1"), source(environment, "pod-2")
    given = [FrameMark(two, 1), FrameMark(one, 2), FrameMark(one, 1), FrameMark(one, 2)]
    assert claim(store, *given) == [(one, 1), (one, 2), (two, 1)]


def test_boots_and_environments_are_counted_apart(store: Store, environment: int) -> None:
    with store.transaction() as tx:
        other = tx.environments.ensure(Scope("default", "staging"), NAMESPACE_SALT).id
    sources = [source(environment), source(environment, boot=1), source(other)]
    assert claim(store, *(FrameMark(each, 5) for each in sources)) == [
        (each, 5) for each in sorted(sources)
    ]


def test_a_claim_that_is_rolled_back_was_never_made(store: Store, environment: int) -> None:
    pod = source(environment)

    def fail() -> None:
        with store.transaction() as tx:
            assert len(tx.marks.claim([FrameMark(pod, 1, {"stream": 4})], NOW)) == 1
            assert tx.marks.committed_through(pod) == 1
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    with store.read() as reader:
        assert reader.marks.committed_through(pod) == 0
        assert reader.marks.stream_marks(environment, pod.sidecar_id) == {}
    assert claim(store, FrameMark(pod, 1)) == [(pod, 1)]


@pytest.mark.parametrize("seq", [0, -1])
def test_frames_are_numbered_from_one(store: Store, environment: int, seq: int) -> None:
    with store.transaction() as tx, pytest.raises(ValueError, match=f"`{seq}`"):
        tx.marks.claim([FrameMark(source(environment), seq)], NOW)


def test_the_largest_number_of_the_wire_fits(store: Store, environment: int) -> None:
    pod = source(environment)
    last = 2**64 - 1
    assert claim(store, FrameMark(pod, last)) == [(pod, last)]
    with store.read() as reader:
        assert reader.marks.committed_through(pod) == last


def test_streams_are_marked_across_boots_and_only_rise(store: Store, environment: int) -> None:
    first, second = source(environment), source(environment, boot=1)
    claim(store, FrameMark(first, 1, {"a": 10, "b": 3}))
    claim(store, FrameMark(first, 1, {"a": 99}))
    claim(store, FrameMark(second, 1, {"a": 7, "c": 1}))
    with store.read() as reader:
        assert reader.marks.stream_marks(environment, "pod-0") == {"a": 10, "b": 3, "c": 1}
        assert reader.marks.stream_marks(environment, "pod-1") == {}


def test_a_sidecar_cannot_grow_its_row_without_end(store: Store, environment: int) -> None:
    pod = source(environment)
    many = {f"stream-{index:05}": index for index in range(MAX_STREAMS_PER_SIDECAR)}
    with store.transaction() as tx:
        tx.marks.claim([FrameMark(pod, 1, many)], NOW)
    with store.transaction() as tx:
        tx.marks.claim([FrameMark(pod, 2, {"newest": 1})], NOW + timedelta(seconds=1))
    with store.read() as reader:
        marks = reader.marks.stream_marks(environment, pod.sidecar_id)
    assert len(marks) == MAX_STREAMS_PER_SIDECAR
    assert marks["newest"] == 1


def test_sources_not_heard_since_are_forgotten(store: Store, environment: int) -> None:
    old, new = source(environment, "pod-old"), source(environment, "pod-new")
    with store.transaction() as tx:
        tx.marks.claim([FrameMark(old, 3, {"stream": 1})], NOW - timedelta(days=30))
    claim(store, FrameMark(new, 3))
    with store.transaction() as tx:
        assert tx.marks.forget(NOW - timedelta(days=29)) == 1
    with store.read() as reader:
        assert reader.marks.committed_through(old) == 0
        assert reader.marks.stream_marks(environment, "pod-old") == {}
        assert reader.marks.committed_through(new) == 3


class Uploads(RuleBasedStateMachine):
    """Sidecars that send, repeat and restart; commits that succeed or roll back.

    A sidecar sends frame n + 1 only when frame n was acknowledged, and may send
    any frame again at any time. What is counted must be every acknowledged frame,
    once each.
    """

    store: Store
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.environment = 0
        self.boots = dict.fromkeys(SIDECARS, 0)
        self.acknowledged: Counter[Source] = Counter()

    @initialize()
    def begin(self) -> None:
        scope = Scope("default", f"uploads-{next(self.numbers)}")
        with self.store.transaction() as tx:
            self.environment = tx.environments.ensure(scope, NAMESPACE_SALT).id

    @rule(sidecar=st.sampled_from(SIDECARS))
    def restart(self, sidecar: str) -> None:
        self.boots[sidecar] += 1

    @rule(data=st.data(), commits=st.booleans())
    def upload(self, data: st.DataObject, commits: bool) -> None:
        group = data.draw(st.lists(self.frames(), min_size=1, max_size=8))
        try:
            with self.store.transaction() as tx:
                fresh = tx.marks.claim(group, NOW)
                rows = [self.evidence(frame) for frame in fresh]
                tx.evidence.append(rows)
                if not commits:
                    raise RuntimeError("stop")
        except RuntimeError:
            return
        for frame in group:
            self.acknowledged[frame.source] = max(self.acknowledged[frame.source], frame.seq)

    def frames(self) -> st.SearchStrategy[FrameMark]:
        """Any frame that a sidecar may send now: a repeated one, or the next."""
        sources = [
            source(self.environment, sidecar, boot)
            for sidecar in SIDECARS
            for boot in range(self.boots[sidecar] + 1)
        ]
        return st.sampled_from(sources).flatmap(
            lambda pod: st.integers(1, self.acknowledged[pod] + 1).map(
                lambda seq: FrameMark(pod, seq)
            )
        )

    def evidence(self, frame: FrameMark) -> NewEvidence:
        return NewEvidence(self.environment, 1, self.name(frame.source, frame.seq))

    @staticmethod
    def name(pod: Source, seq: int) -> bytes:
        return f"{pod.sidecar_id}/{pod.boot_id.hex()}/{seq}".encode()

    @invariant()
    def counted_once(self) -> None:
        expected = {
            self.name(pod, seq)
            for pod, last in self.acknowledged.items()
            for seq in range(1, last + 1)
        }
        with self.store.read() as reader:
            counted = [row.evidence for row in reader.evidence.open(self.environment, 1)]
            marks = {pod: reader.marks.committed_through(pod) for pod in self.acknowledged}
        assert sorted(counted) == sorted(expected)
        assert marks == dict(self.acknowledged)


def test_every_acknowledged_frame_counts_exactly_once(store: Store) -> None:
    class Here(Uploads):
        pass

    Here.store = store
    run_machine(Here, settings=settings(max_examples=20, stateful_step_count=15, deadline=None))


def test_marks_survive_being_packed_with_many_others(store: Store, environment: int) -> None:
    pods = [source(environment, f"pod-{index}") for index in range(500)]
    frames = [FrameMark(pod, index + 1) for index, pod in enumerate(pods)]
    assert len(claim(store, *frames)) == 500
    assert claim(store, *frames) == []
    raised = [replace(frame, seq=frame.seq + 1) for frame in frames]
    assert len(claim(store, *raised)) == 500
