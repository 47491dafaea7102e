"""Killed at any moment: nothing acknowledged is lost, nothing counts twice."""

from __future__ import annotations

import multiprocessing
import random
from collections import Counter
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext

import pytest

from pitcanary.store import Store, open_store
from pitcanary.store.audit import audit
from pitcanary.store.interface import Source
from tests.contract.store.killing import ROLLOUT, Frame, name_of, serve
from tests.contract.store.samples import Sample, make_sample, source

SIDECARS = 6
LONGEST_WAIT_SECONDS = 0.004


class Fleet:
    """Sidecars that resend every frame until it is acknowledged, and some after."""

    def __init__(self, environment: int, seed: int) -> None:
        self._random = random.Random(seed)
        self.acknowledged: dict[Source, int] = {
            source(environment, f"pod-{index}"): 0 for index in range(SIDECARS)
        }

    def group(self) -> list[Frame]:
        """The next frame of some sidecars, and frames that were acknowledged long ago."""
        chosen = self._random.sample(sorted(self.acknowledged), self._random.randint(1, SIDECARS))
        frames = [(pod, self.acknowledged[pod] + 1) for pod in chosen]
        repeated = [
            (pod, self._random.randint(1, last))
            for pod, last in self.acknowledged.items()
            if last and self._random.random() < 0.2
        ]
        return self._random.sample(frames + repeated, len(frames) + len(repeated))

    def acknowledge(self, group: list[Frame]) -> None:
        for pod, seq in group:
            self.acknowledged[pod] = max(self.acknowledged[pod], seq)

    def live(self, connection: Connection) -> None:
        """Sends groups for one life of the controller; leaves the last one open."""
        assert connection.recv() == "ready"
        for _ in range(self._random.randint(0, 10)):
            group = self.group()
            connection.send(group)
            assert connection.recv() == len(group)
            self.acknowledge(group)
        group = self.group()
        connection.send(group)
        if connection.poll(self._random.uniform(0, LONGEST_WAIT_SECONDS)):
            assert connection.recv() == len(group)
            self.acknowledge(group)


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Children that start with the imports done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.contract.store.killing"])
    return context


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(20, id="20 kills"),
        pytest.param(200, id="200 kills", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
    ],
)
def test_kills_lose_nothing_and_double_nothing(
    lasting_address: str, processes: ForkServerContext, kills: int
) -> None:
    store = open_store(lasting_address)
    with store.transaction() as tx:
        sample = make_sample(tx)
    store.close()
    fleet = Fleet(sample.environment, seed=kills)
    for _ in range(kills):
        ours, theirs = processes.Pipe()
        child = processes.Process(target=serve, args=(lasting_address, sample, theirs))
        child.start()
        theirs.close()
        fleet.live(ours)
        child.kill()
        child.join()
        assert child.exitcode == -9
        child.close()
        ours.close()
    store = open_store(lasting_address)
    check(store, sample, fleet)
    store.close()


def check(store: Store, sample: Sample, fleet: Fleet) -> None:
    """Compares what is counted with what was acknowledged.

    Of each sidecar at most one frame was sent and not acknowledged when the last
    controller died; it may count or not, but its mark must say which.
    """
    environment = sample.environment
    with store.read() as reader:
        sealed = [row.evidence for row in reader.evidence.sealed(environment, ROLLOUT)]
        waiting = [row.evidence for row in reader.evidence.open(environment, ROLLOUT)]
        committed = {pod: reader.marks.committed_through(pod) for pod in fleet.acknowledged}
        rollout = reader.rollouts.get(environment, sample.rollout)
        chain = audit(reader, environment)
    *names, end = b"".join(sealed + waiting).split(b";")
    assert end == b""
    counted = Counter(name + b";" for name in names)
    for pod, last in fleet.acknowledged.items():
        assert last <= committed[pod] <= last + 1
    assert counted == Counter(
        name_of((pod, seq)) for pod, last in committed.items() for seq in range(1, last + 1)
    )
    # A tick is one transaction: seals, decisions and revisions go together.
    assert len(sealed) == chain.decisions == rollout.revision - 1
    assert chain.faults == ()
    assert sum(fleet.acknowledged.values()) > 0
