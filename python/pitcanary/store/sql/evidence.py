"""Open and sealed evidence and folded states on SQL.

A seal deletes exactly the rows it has read: what another replica adds meanwhile
stays open for the next one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from sqlalchemy import RowMapping, delete, func, insert, select, update

from pitcanary.errors import Conflict
from pitcanary.store import schema
from pitcanary.store.interface.evidence import (
    NewEvidence,
    OpenCount,
    OpenRow,
    Seal,
    SealedRow,
    StateKey,
    StateKind,
    StateRow,
)
from pitcanary.store.sql.session import Columns, Session

_open = schema.evidence_open
_sealed = schema.evidence_sealed
_states = schema.analysis_states
_CHUNK = 64
_PARAMETERS = 1000


class SqlEvidenceReader:
    """See `EvidenceReader`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open(self, environment: int, rollout: int) -> Sequence[OpenRow]:
        rows = self._session.rows(
            select(_open.c.id, _open.c.evidence)
            .where(_open.c.environment_id == environment, _open.c.rollout_id == rollout)
            .order_by(_open.c.id)
        )
        return [OpenRow(row["id"], row["evidence"]) for row in rows]

    def waiting(self) -> Sequence[OpenCount]:
        rows = self._session.rows(
            select(_open.c.environment_id, _open.c.rollout_id, func.count().label("waiting"))
            .group_by(_open.c.environment_id, _open.c.rollout_id)
            .order_by(_open.c.environment_id, _open.c.rollout_id)
        )
        return [OpenCount(row["environment_id"], row["rollout_id"], row["waiting"]) for row in rows]

    def last_tick(self, environment: int, rollout: int) -> int:
        return self._session.number(
            select(func.coalesce(func.max(_sealed.c.tick), 0)).where(
                _sealed.c.environment_id == environment, _sealed.c.rollout_id == rollout
            )
        )

    def sealed(self, environment: int, rollout: int, after: int = 0) -> Iterator[SealedRow]:
        while True:
            rows = self._session.rows(
                select(_sealed)
                .where(
                    _sealed.c.environment_id == environment,
                    _sealed.c.rollout_id == rollout,
                    _sealed.c.tick > after,
                )
                .order_by(_sealed.c.tick)
                .limit(_CHUNK)
            )
            if not rows:
                return
            for row in rows:
                yield SealedRow(row["tick"], row["sealed_at"], zlib.decompress(row["evidence"]))
            after = rows[-1]["tick"]


class SqlEvidence(SqlEvidenceReader):
    """See `Evidence`."""

    def append(self, evidence: Sequence[NewEvidence]) -> None:
        self._session.run_many(
            insert(_open),
            [
                {
                    "environment_id": each.environment,
                    "rollout_id": each.rollout,
                    "evidence": each.evidence,
                }
                for each in evidence
            ],
        )

    def seal(self, seal: Seal) -> None:
        last = self.last_tick(seal.environment, seal.rollout)
        added = seal.tick == last + 1 and self._session.insert_new(
            _sealed,
            {
                "environment_id": seal.environment,
                "rollout_id": seal.rollout,
                "tick": seal.tick,
                "sealed_at": seal.sealed_at,
                "evidence": zlib.compress(seal.evidence),
            },
        )
        if not added:
            raise Conflict(f"tick `{seal.tick}` of rollout `{seal.rollout}` is not the next one")
        taken = self._take(seal)
        if taken != len(seal.taken):
            raise Conflict(
                f"`{len(seal.taken) - taken}` open rows of rollout `{seal.rollout}` were"
                " sealed by another; read them again"
            )

    def _take(self, seal: Seal) -> int:
        # In parts: a database takes only so many parameters per statement.
        return sum(
            self._session.run(
                delete(_open).where(
                    _open.c.environment_id == seal.environment,
                    _open.c.rollout_id == seal.rollout,
                    _open.c.id.in_(seal.taken[start : start + _PARAMETERS]),
                )
            )
            for start in range(0, len(seal.taken), _PARAMETERS)
        )


class SqlStatesReader:
    """See `StatesReader`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, key: StateKey) -> StateRow | None:
        row = self._session.row(select(_states).filter_by(**_key_columns(key)))
        return None if row is None else _state_row(row)

    def list(self, environment: int, rollout: int) -> Sequence[StateRow]:
        rows = self._session.rows(
            select(_states)
            .where(_states.c.environment_id == environment, _states.c.rollout_id == rollout)
            .order_by(_states.c.generation, _states.c.kind, _states.c.allocation_epoch)
        )
        return [_state_row(row) for row in rows]


class SqlStates(SqlStatesReader):
    """See `States`."""

    def put(self, row: StateRow) -> None:
        written = self._session.run(
            update(_states)
            .filter_by(**_key_columns(row.key))
            .where(_states.c.tick < row.tick)
            .values(tick=row.tick, state=row.state)
        )
        if written == 0 and not self._session.insert_new(
            _states, {**_key_columns(row.key), "tick": row.tick, "state": row.state}
        ):
            raise Conflict(
                f"the `{row.key.kind.value}` state of rollout `{row.key.rollout}` is not older"
                f" than tick `{row.tick}`; read it again"
            )

    def delete(self, environment: int, rollout: int, kind: StateKind) -> int:
        return self._session.run(
            delete(_states).where(
                _states.c.environment_id == environment,
                _states.c.rollout_id == rollout,
                _states.c.kind == kind.value,
            )
        )


def _key_columns(key: StateKey) -> Columns:
    return {
        "environment_id": key.environment,
        "rollout_id": key.rollout,
        "generation": key.generation,
        "kind": key.kind.value,
        "allocation_epoch": key.allocation_epoch,
    }


def _state_row(row: RowMapping) -> StateRow:
    key = StateKey(
        environment=row["environment_id"],
        rollout=row["rollout_id"],
        generation=row["generation"],
        kind=StateKind(row["kind"]),
        allocation_epoch=row["allocation_epoch"],
    )
    return StateRow(key, row["tick"], row["state"])
