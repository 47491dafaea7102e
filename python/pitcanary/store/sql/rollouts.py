"""Rollouts on SQL; what freezes with them is in `sql.analyses`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, RowMapping, insert, select, update

from pitcanary.errors import AlreadyExists, Conflict, NotFound
from pitcanary.store import schema
from pitcanary.store.interface.delivery import Notice, Topic
from pitcanary.store.interface.rollouts import NewRollout, RolloutRow, RolloutUpdate
from pitcanary.store.sql.catalog import change_columns, change_of
from pitcanary.store.sql.session import Session

_rollouts = schema.rollouts


class SqlRolloutsReader:
    """See `RolloutsReader`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, environment: int, name: str) -> RolloutRow | None:
        return self._one(environment, _rollouts.c.name == name)

    def get(self, environment: int, rollout: int) -> RolloutRow:
        row = self._one(environment, _rollouts.c.id == rollout)
        if row is None:
            raise NotFound(f"there is no rollout with id `{rollout}`")
        return row

    def list(self, environment: int, prompt: int | None = None) -> Sequence[RolloutRow]:
        statement = select(_rollouts).where(_rollouts.c.environment_id == environment)
        if prompt is not None:
            statement = statement.where(_rollouts.c.prompt_id == prompt)
        rows = self._session.rows(statement.order_by(_rollouts.c.id.desc()))
        return [_rollout_row(row) for row in rows]

    def active(self, environment: int) -> Sequence[RolloutRow]:
        rows = self._session.rows(
            select(_rollouts)
            .where(_rollouts.c.environment_id == environment, _rollouts.c.active)
            .order_by(_rollouts.c.id)
        )
        return [_rollout_row(row) for row in rows]

    def holding(self, environment: int, prompt: int, label: str) -> RolloutRow | None:
        return self._one(
            environment,
            _rollouts.c.prompt_id == prompt,
            _rollouts.c.label == label,
            _rollouts.c.active,
        )

    def _one(self, environment: int, *conditions: ColumnElement[bool]) -> RolloutRow | None:
        row = self._session.row(
            select(_rollouts).where(_rollouts.c.environment_id == environment, *conditions)
        )
        return None if row is None else _rollout_row(row)


class SqlRollouts(SqlRolloutsReader):
    """See `Rollouts`."""

    def create(self, rollout: NewRollout) -> RolloutRow:
        locked = self._session.lock_environment(rollout.environment)
        if self.find(rollout.environment, rollout.name) is not None:
            raise AlreadyExists(f"a rollout named `{rollout.name}` exists; choose another name")
        self._refuse_held(rollout.environment, rollout.prompt, rollout.label)
        number = locked["last_rollout"] + 1
        self._session.run(
            update(schema.environments)
            .where(schema.environments.c.id == rollout.environment)
            .values(last_rollout=number)
        )
        row = self._session.row(
            insert(_rollouts)
            .values(
                environment_id=rollout.environment,
                id=number,
                name=rollout.name,
                prompt_id=rollout.prompt,
                label=rollout.label,
                salt=rollout.salt,
                spec=rollout.spec,
                state=rollout.state,
                revision=1,
                active=True,
                updated_at=rollout.created.at,
                **change_columns(rollout.created),
            )
            .returning(_rollouts)
        )
        assert row is not None  # noqa: S101 - an insert without conflict returns its row
        self._session.notices.append(Notice(Topic.ROLLOUT, rollout.environment))
        return _rollout_row(row)

    def lock(self, environment: int, rollout: int) -> RolloutRow:
        self._session.lock_environment(environment)
        return self.get(environment, rollout)

    def update(self, update: RolloutUpdate) -> RolloutRow:
        self._session.lock_environment(update.environment)
        return self.compare_and_set(update)

    def compare_and_set(self, change: RolloutUpdate) -> RolloutRow:
        """Change a rollout whose environment is locked; errors as of `update`."""
        current = self.get(change.environment, change.rollout)
        if current.revision != change.expected_revision:
            raise Conflict(
                f"rollout `{current.name}` is at revision `{current.revision}`,"
                f" not `{change.expected_revision}`; read it again"
            )
        if change.active and not current.active:
            self._refuse_held(current.environment, current.prompt, current.label)
        changed = replace(
            current,
            spec=current.spec if change.spec is None else change.spec,
            state=change.state,
            active=change.active,
            revision=current.revision + 1,
            updated_at=change.at,
        )
        touched = self._session.run(
            update(_rollouts)
            .where(
                _rollouts.c.environment_id == change.environment,
                _rollouts.c.id == change.rollout,
                _rollouts.c.revision == change.expected_revision,
            )
            .values(
                spec=changed.spec,
                state=changed.state,
                active=changed.active,
                revision=changed.revision,
                updated_at=changed.updated_at,
            )
        )
        if touched != 1:
            raise Conflict(f"rollout `{current.name}` changed meanwhile; read it again")
        self._session.notices.append(Notice(Topic.ROLLOUT, change.environment))
        return changed

    def _refuse_held(self, environment: int, prompt: int, label: str) -> None:
        holder = self.holding(environment, prompt, label)
        if holder is not None:
            raise Conflict(f"label `{label}` is held by rollout `{holder.name}`; end it first")


def _rollout_row(row: RowMapping) -> RolloutRow:
    return RolloutRow(
        environment=row["environment_id"],
        id=row["id"],
        name=row["name"],
        prompt=row["prompt_id"],
        label=row["label"],
        salt=row["salt"],
        spec=row["spec"],
        state=row["state"],
        revision=row["revision"],
        active=row["active"],
        created=change_of(row),
        updated_at=row["updated_at"],
    )
