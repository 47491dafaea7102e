"""Analysis generations and threshold sets on SQL; neither ever changes."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from sqlalchemy import RowMapping, insert, select, update

from pitcanary.errors import AlreadyExists, NotFound
from pitcanary.store import schema
from pitcanary.store.interface.rollouts import GenerationRow, NewThresholdSet, ThresholdSetRow
from pitcanary.store.sql.session import Session

_generations = schema.analysis_generations
_thresholds = schema.threshold_sets


class SqlGenerationsReader:
    """See `GenerationsReader`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, environment: int, rollout: int, generation: int) -> GenerationRow:
        row = self._session.row(
            select(_generations).where(
                _generations.c.environment_id == environment,
                _generations.c.rollout_id == rollout,
                _generations.c.generation == generation,
            )
        )
        if row is None:
            raise NotFound(
                f"rollout `{rollout}` has no analysis generation with number `{generation}`"
            )
        return _generation_row(row)

    def list(self, environment: int, rollout: int) -> Sequence[GenerationRow]:
        rows = self._session.rows(
            select(_generations)
            .where(
                _generations.c.environment_id == environment,
                _generations.c.rollout_id == rollout,
            )
            .order_by(_generations.c.generation)
        )
        return [_generation_row(row) for row in rows]


class SqlGenerations(SqlGenerationsReader):
    """See `Generations`."""

    def add(self, generation: GenerationRow) -> None:
        added = self._session.insert_new(
            _generations,
            {
                "environment_id": generation.environment,
                "rollout_id": generation.rollout,
                "generation": generation.generation,
                "plan": generation.plan,
                "created_at": generation.created_at,
            },
        )
        if not added:
            raise AlreadyExists(
                f"rollout `{generation.rollout}` has analysis generation"
                f" `{generation.generation}`; add the next one"
            )


class SqlThresholdSetsReader:
    """See `ThresholdSetsReader`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self, environment: int, rollout: int | None = None) -> Sequence[ThresholdSetRow]:
        statement = select(_thresholds).where(_thresholds.c.environment_id == environment)
        if rollout is not None:
            statement = statement.where(_thresholds.c.rollout_id == rollout)
        return [
            _threshold_row(row) for row in self._session.rows(statement.order_by(_thresholds.c.id))
        ]


class SqlThresholdSets(SqlThresholdSetsReader):
    """See `ThresholdSets`."""

    def add(self, thresholds: NewThresholdSet) -> ThresholdSetRow:
        locked = self._session.lock_environment(thresholds.environment)
        number = locked["last_threshold_set"] + 1
        self._session.run(
            update(schema.environments)
            .where(schema.environments.c.id == thresholds.environment)
            .values(last_threshold_set=number)
        )
        self._session.run(
            insert(_thresholds).values(
                environment_id=thresholds.environment,
                id=number,
                rollout_id=thresholds.rollout,
                generation=thresholds.generation,
                metric=thresholds.metric,
                segment=thresholds.segment,
                buckets=orjson.dumps(thresholds.buckets),
                from_tick=thresholds.from_tick,
                created_at=thresholds.created_at,
            )
        )
        return ThresholdSetRow(number, thresholds)


def _generation_row(row: RowMapping) -> GenerationRow:
    return GenerationRow(
        environment=row["environment_id"],
        rollout=row["rollout_id"],
        generation=row["generation"],
        plan=row["plan"],
        created_at=row["created_at"],
    )


def _threshold_row(row: RowMapping) -> ThresholdSetRow:
    return ThresholdSetRow(
        id=row["id"],
        thresholds=NewThresholdSet(
            environment=row["environment_id"],
            rollout=row["rollout_id"],
            generation=row["generation"],
            metric=row["metric"],
            segment=row["segment"],
            buckets=tuple(orjson.loads(row["buckets"])),
            from_tick=row["from_tick"],
            created_at=row["created_at"],
        ),
    )
