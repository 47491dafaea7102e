"""What the blocks of an application become in the evidence that the controller stores."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass

import orjson

from pitcanary import _native
from pitcanary.client import Client
from pitcanary.client.call import ErrorClass
from pitcanary.v1 import admin_pb2
from tests.integration.client.fleet import PATIENCE, PROMPT, Fleet, running, until

METRICS = ["error", "output_tokens"]
ROLLOUT = {
    "kind": "rollout",
    "name": "split",
    "prompt": PROMPT,
    "candidate": {"version": 2},
    "stages": [{"share": "50%", "min_time": "1d"}],
    "metrics": METRICS,
}
USERS = [f"user-{number}" for number in range(40)]


@dataclass
class Counted:
    """Observations of a metric in both arms together."""

    n: int
    total: int


def counted(bundle: _native.Bundle, rollout: int, metric: str) -> Counted:
    """Adds up a metric's cells."""
    cells = [
        cell
        for _, _, _, baseline, candidate in bundle.comparisons(
            rollout=rollout, generation=1, metric=METRICS.index(metric), arm=1
        )
        for cell in (*baseline, *candidate)
    ]
    return Counted(
        n=sum(cell.n for cell in cells),
        total=sum(total for cell in cells for _, _, total in cell.slices),
    )


def stored(fleet: Fleet) -> tuple[int, _native.Bundle]:
    """The rollout's number and everything the controller has stored about it."""
    path = fleet.children.folder / "pitcanary.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        rows = database.execute(
            "SELECT rollout_id, evidence FROM evidence_open"
            " UNION ALL SELECT rollout_id, evidence FROM evidence_sealed"
        ).fetchall()
    (rollout,) = {number for number, _ in rows if number}
    bundles = [_native.Bundle.from_bytes(data) for number, data in rows if number]
    return rollout, _native.Bundle.merge(bundles)


def test_every_ending_arrives_as_what_it_is() -> None:
    with running() as fleet:
        fleet.push(PROMPT, {"text": "Version two."})
        fleet.admin.ApplyRollout(
            admin_pb2.ApplyRolloutRequest(spec_json=orjson.dumps(ROLLOUT).decode(), actor="test"),
            timeout=PATIENCE,
        )
        until(lambda: started(fleet), "the rollout has started")
        sidecar = fleet.sidecar()
        with Client(sidecar.unix, resolve_deadline=PATIENCE, report_deadline=PATIENCE) as client:
            arms = {client.resolve(PROMPT, unit=user).arm for user in USERS}
            report(client)
            assert client.flush(PATIENCE)
            assert client.reports.failed == 0
        sidecar.child.stop()  # it uploads what it has counted before it ends
        rollout, bundle = stored(fleet)
    assert arms == {"baseline", "candidate"}
    # Of five blocks per user one is cancelled and no observation, and two are errors.
    assert counted(bundle, rollout, "error") == Counted(n=4 * len(USERS), total=2 * len(USERS))
    assert counted(bundle, rollout, "output_tokens").total == 13 * len(USERS)


def started(fleet: Fleet) -> bool:
    request = admin_pb2.GetRolloutRequest(name="split")
    return fleet.admin.GetRollout(request, timeout=PATIENCE).rollout.stage == 1


def report(client: Client) -> None:
    """Ends five blocks for every user."""
    for user in USERS:
        with client.use(PROMPT, unit=user) as call:
            call.tokens(output=10)
        with client.use(PROMPT, unit=user) as call:
            call.fail(ErrorClass.PROVIDER)
            call.retry()
            call.tokens(output=1)
        with client.use(PROMPT, unit=user) as call:
            call.fail(ErrorClass.CONTENT)
            call.tokens(output=2)
        with suppress(TimeoutError), client.use(PROMPT, unit=user):
            raise TimeoutError
        with suppress(KeyboardInterrupt), client.use(PROMPT, unit=user):
            raise KeyboardInterrupt
