"""Environments and prompts on SQL.

Numbers are given out from the locked row of the environment, so a unit that
rolls back leaves no gap. Versions and labels are in `sql.versions`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, Select, insert, select, update

from pitcanary.errors import NotFound
from pitcanary.model.decision import ConfigVersion
from pitcanary.model.scope import Scope
from pitcanary.store import schema
from pitcanary.store.chain import EMPTY
from pitcanary.store.interface.catalog import Change, EnvironmentRow, PromptRow
from pitcanary.store.interface.delivery import Notice, Topic
from pitcanary.store.sql.session import Columns, Session

_environments = schema.environments
_namespaces = schema.namespaces
_prompts = schema.prompts


class SqlEnvironmentsReader:
    """See `EnvironmentsReader`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def store_incarnation(self) -> int:
        return self._session.number(select(schema.store_meta.c.store_incarnation))

    def find(self, scope: Scope) -> EnvironmentRow | None:
        row = self._session.row(
            _select_environments().where(
                _namespaces.c.name == scope.namespace, _environments.c.name == scope.environment
            )
        )
        return None if row is None else _environment_row(row)

    def get(self, environment: int) -> EnvironmentRow:
        row = self._session.row(_select_environments().where(_environments.c.id == environment))
        if row is None:
            raise NotFound(f"there is no environment with id `{environment}`")
        return _environment_row(row)

    def list(self) -> Sequence[EnvironmentRow]:
        rows = self._session.rows(_select_environments().order_by(_environments.c.id))
        return [_environment_row(row) for row in rows]

    def config_version(self, environment: int) -> ConfigVersion:
        return ConfigVersion(self.store_incarnation(), self.get(environment).revision)


class SqlEnvironments(SqlEnvironmentsReader):
    """See `Environments`."""

    def ensure(self, scope: Scope, namespace_salt: str) -> EnvironmentRow:
        found = self.find(scope)
        if found is not None:
            return found
        self._session.insert_new(_namespaces, {"name": scope.namespace, "salt": namespace_salt})
        namespace_id = self._session.number(
            select(_namespaces.c.id).where(_namespaces.c.name == scope.namespace)
        )
        self._session.insert_new(
            _environments,
            {
                "namespace_id": namespace_id,
                "name": scope.environment,
                "revision": 0,
                "last_version": 0,
                "last_rollout": 0,
                "last_threshold_set": 0,
                "chain_position": EMPTY.position,
                "chain_hash": EMPTY.hash,
            },
        )
        row = self._session.row(
            _select_environments().where(
                _environments.c.namespace_id == namespace_id,
                _environments.c.name == scope.environment,
            )
        )
        assert row is not None  # noqa: S101 - inserted above, or by the one we waited for
        return _environment_row(row)

    def lock(self, environment: int) -> EnvironmentRow:
        self._session.lock_environment(environment)
        return self.get(environment)

    def raise_revision(self, environment: int) -> ConfigVersion:
        revision = int(self._session.lock_environment(environment)["revision"]) + 1
        self._session.run(
            update(_environments).where(_environments.c.id == environment).values(revision=revision)
        )
        self._session.notices.append(Notice(Topic.CONFIG, environment))
        return ConfigVersion(self.store_incarnation(), revision)

    def raise_incarnation(self) -> int:
        incarnation = self._session.number(
            update(schema.store_meta)
            .values(store_incarnation=schema.store_meta.c.store_incarnation + 1)
            .returning(schema.store_meta.c.store_incarnation)
        )
        self._session.notices.append(Notice(Topic.CONFIG))
        return incarnation


class SqlPromptsReader:
    """See `PromptsReader`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, environment: int, name: str) -> PromptRow | None:
        row = self._session.row(
            select(_prompts).where(
                _prompts.c.environment_id == environment, _prompts.c.name == name
            )
        )
        return None if row is None else _prompt_row(row)

    def get(self, environment: int, prompt: int) -> PromptRow:
        row = self._session.row(
            select(_prompts).where(
                _prompts.c.environment_id == environment, _prompts.c.id == prompt
            )
        )
        if row is None:
            raise NotFound(f"there is no prompt with id `{prompt}`")
        return _prompt_row(row)

    def list(self, environment: int) -> Sequence[PromptRow]:
        rows = self._session.rows(
            select(_prompts)
            .where(_prompts.c.environment_id == environment)
            .order_by(_prompts.c.name)
        )
        return [_prompt_row(row) for row in rows]


class SqlPrompts(SqlPromptsReader):
    """See `Prompts`."""

    def ensure(self, environment: int, name: str, change: Change) -> PromptRow:
        self._session.lock_environment(environment)
        found = self.find(environment, name)
        if found is not None:
            return found
        row = self._session.row(
            insert(_prompts)
            .values(environment_id=environment, name=name, versions=0, **change_columns(change))
            .returning(_prompts)
        )
        assert row is not None  # noqa: S101 - an insert without conflict returns its row
        return _prompt_row(row)


def change_columns(change: Change) -> Columns:
    """Give the columns of who, why and when."""
    return {"actor": change.actor, "reason": change.reason, "created_at": change.at}


def change_of(row: RowMapping) -> Change:
    """Read who, why and when."""
    return Change(actor=row["actor"], reason=row["reason"], at=row["created_at"])


def _select_environments() -> Select[tuple[int, str, int, str, str]]:
    return select(
        _environments.c.id,
        _environments.c.name,
        _environments.c.revision,
        _namespaces.c.name.label("namespace"),
        _namespaces.c.salt,
    ).join_from(_environments, _namespaces)


def _environment_row(row: RowMapping) -> EnvironmentRow:
    return EnvironmentRow(
        id=row["id"],
        scope=Scope(namespace=row["namespace"], environment=row["name"]),
        namespace_salt=row["salt"],
        revision=row["revision"],
    )


def _prompt_row(row: RowMapping) -> PromptRow:
    return PromptRow(
        environment=row["environment_id"],
        id=row["id"],
        name=row["name"],
        versions=row["versions"],
        created=change_of(row),
    )
