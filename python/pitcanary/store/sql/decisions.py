"""The chain of decisions on SQL.

The environment's row holds the head of the chain, so records of one environment
are written one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import RowMapping, Select, insert, select, update

from pitcanary.errors import Conflict, NotFound
from pitcanary.store import schema
from pitcanary.store.chain import RecordFacts, read_record, record_hash
from pitcanary.store.interface.decisions import ChainHead, DecisionRow
from pitcanary.store.interface.fleet import Lease
from pitcanary.store.interface.rollouts import RolloutRow, RolloutUpdate
from pitcanary.store.sql.leases import SqlLeases
from pitcanary.store.sql.rollouts import SqlRollouts
from pitcanary.store.sql.session import Session

_decisions = schema.decisions
_environments = schema.environments
_CHUNK = 500


class SqlDecisionsReader:
    """See `DecisionsReader`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def head(self, environment: int) -> ChainHead:
        row = self._session.row(
            select(_environments.c.chain_position, _environments.c.chain_hash).where(
                _environments.c.id == environment
            )
        )
        if row is None:
            raise NotFound(f"there is no environment with id `{environment}`")
        return ChainHead(row["chain_position"], row["chain_hash"])

    def get(self, environment: int, decision: str) -> DecisionRow:
        row = self._session.row(_of(environment).where(_decisions.c.id == decision))
        if row is None:
            raise NotFound(f"there is no decision `{decision}`")
        return _decision_row(row)

    def list(
        self,
        environment: int,
        rollout: int | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> Sequence[DecisionRow]:
        statement = _of(environment)
        if rollout is not None:
            statement = statement.where(_decisions.c.rollout_id == rollout)
        if before is not None:
            statement = statement.where(_decisions.c.position < before)
        rows = self._session.rows(statement.order_by(_decisions.c.position.desc()).limit(limit))
        return [_decision_row(row) for row in rows]

    def chain(self, environment: int, after: int = 0) -> Iterator[DecisionRow]:
        while True:
            rows = self._session.rows(
                _of(environment)
                .where(_decisions.c.position > after)
                .order_by(_decisions.c.position)
                .limit(_CHUNK)
            )
            if not rows:
                return
            for row in rows:
                yield _decision_row(row)
            after = rows[-1]["position"]


class SqlDecisions(SqlDecisionsReader):
    """See `Decisions`."""

    def head(self, environment: int) -> ChainHead:
        locked = self._session.lock_environment(environment)
        return ChainHead(locked["chain_position"], locked["chain_hash"])

    def decide(
        self, record: bytes, update: RolloutUpdate, lease: Lease | None
    ) -> tuple[DecisionRow, RolloutRow]:
        facts = read_record(record)
        if lease is not None:
            SqlLeases(self._session).check(lease)
        head = self.head(update.environment)
        rollout = SqlRollouts(self._session).compare_and_set(update)
        _require_match(facts, rollout, head)
        row = DecisionRow(
            environment=rollout.environment,
            position=head.position + 1,
            id=facts.id,
            rollout=rollout.id,
            rollout_revision=rollout.revision,
            leader_fence=0 if lease is None else lease.fence,
            decided_at=facts.decided_at,
            action=facts.action,
            rule=facts.rule,
            actor=facts.actor,
            previous_hash=head.hash,
            hash=record_hash(record),
            record=record,
        )
        self._write(row)
        return row, rollout

    def _write(self, row: DecisionRow) -> None:
        self._session.run(
            insert(_decisions).values(
                environment_id=row.environment,
                position=row.position,
                id=row.id,
                rollout_id=row.rollout,
                rollout_revision=row.rollout_revision,
                leader_fence=row.leader_fence,
                decided_at=row.decided_at,
                action=row.action,
                rule=row.rule,
                actor=row.actor,
                previous_hash=row.previous_hash,
                hash=row.hash,
                record=row.record,
            )
        )
        self._session.run(
            update(_environments)
            .where(_environments.c.id == row.environment)
            .values(chain_position=row.position, chain_hash=row.hash)
        )


def _require_match(facts: RecordFacts, rollout: RolloutRow, head: ChainHead) -> None:
    if facts.previous_hash != head.hash:
        raise Conflict(f"decision `{facts.id}` does not follow the last one; build it again")
    if (facts.rollout, facts.rollout_revision) != (rollout.id, rollout.revision):
        raise ValueError(
            f"decision `{facts.id}` is about rollout `{facts.rollout}` at revision"
            f" `{facts.rollout_revision}`, the update about `{rollout.id}` at `{rollout.revision}`"
        )


def _of(environment: int) -> Select[tuple[object, ...]]:
    return select(_decisions).where(_decisions.c.environment_id == environment)


def _decision_row(row: RowMapping) -> DecisionRow:
    return DecisionRow(
        environment=row["environment_id"],
        position=row["position"],
        id=row["id"],
        rollout=row["rollout_id"],
        rollout_revision=row["rollout_revision"],
        leader_fence=row["leader_fence"],
        decided_at=row["decided_at"],
        action=row["action"],
        rule=row["rule"],
        actor=row["actor"],
        previous_hash=row["previous_hash"],
        hash=row["hash"],
        record=row["record"],
    )
