"""Versions and labels on SQL; environments and prompts are in `sql.catalog`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, RowMapping, insert, select, update

from pitcanary.errors import NotFound
from pitcanary.store import schema
from pitcanary.store.interface.catalog import Change, LabelMoveRow, LabelRow, VersionRow
from pitcanary.store.sql.catalog import change_columns, change_of
from pitcanary.store.sql.session import Session

_labels = schema.labels
_moves = schema.label_moves
_prompts = schema.prompts
_versions = schema.versions
# Contents may be large and are read on their own.
_without_content = [column for column in _versions.c if column.name != "content"]


class SqlVersionsReader:
    """See `VersionsReader`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, environment: int, version: int) -> VersionRow:
        row = self._one(environment, _versions.c.id == version)
        if row is None:
            raise NotFound(f"there is no version with id `{version}`")
        return row

    def by_number(self, environment: int, prompt: int, number: int) -> VersionRow | None:
        return self._one(environment, _versions.c.prompt_id == prompt, _versions.c.number == number)

    def by_digest(self, environment: int, prompt: int, digest: str) -> VersionRow | None:
        return self._one(environment, _versions.c.prompt_id == prompt, _versions.c.digest == digest)

    def list(self, environment: int, prompt: int) -> Sequence[VersionRow]:
        rows = self._session.rows(
            select(*_without_content)
            .where(_versions.c.environment_id == environment, _versions.c.prompt_id == prompt)
            .order_by(_versions.c.number.desc())
        )
        return [_version_row(row) for row in rows]

    def many(self, environment: int, versions: Iterable[int]) -> Mapping[int, VersionRow]:
        rows = self._session.rows(select(*_without_content).where(_among(environment, versions)))
        return {row["id"]: _version_row(row) for row in rows}

    def contents(self, environment: int, versions: Iterable[int]) -> Mapping[int, bytes]:
        rows = self._session.rows(
            select(_versions.c.id, _versions.c.content).where(_among(environment, versions))
        )
        return {row["id"]: row["content"] for row in rows}

    def _one(self, environment: int, *conditions: ColumnElement[bool]) -> VersionRow | None:
        row = self._session.row(
            select(*_without_content).where(_versions.c.environment_id == environment, *conditions)
        )
        return None if row is None else _version_row(row)


class SqlVersions(SqlVersionsReader):
    """See `Versions`."""

    def push(
        self, environment: int, prompt: int, digest: str, content: bytes, change: Change
    ) -> tuple[VersionRow, bool]:
        locked = self._session.lock_environment(environment)
        found = self.by_digest(environment, prompt, digest)
        if found is not None:
            return found, False
        version = VersionRow(
            environment=environment,
            id=locked["last_version"] + 1,
            prompt=prompt,
            number=self._next_number(environment, prompt),
            digest=digest,
            created=change,
        )
        self._session.run(
            update(schema.environments)
            .where(schema.environments.c.id == environment)
            .values(last_version=version.id)
        )
        self._session.run(
            insert(_versions).values(
                environment_id=environment,
                id=version.id,
                prompt_id=prompt,
                number=version.number,
                digest=digest,
                content=content,
                **change_columns(change),
            )
        )
        return version, True

    def _next_number(self, environment: int, prompt: int) -> int:
        number = self._session.number_or_none(
            update(_prompts)
            .where(_prompts.c.environment_id == environment, _prompts.c.id == prompt)
            .values(versions=_prompts.c.versions + 1)
            .returning(_prompts.c.versions)
        )
        if number is None:
            raise NotFound(f"there is no prompt with id `{prompt}`")
        return number


class SqlLabelsReader:
    """See `LabelsReader`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, environment: int, prompt: int, label: str) -> LabelRow | None:
        row = self._session.row(
            select(_labels).where(
                _labels.c.environment_id == environment,
                _labels.c.prompt_id == prompt,
                _labels.c.name == label,
            )
        )
        return None if row is None else _label_row(row)

    def list(self, environment: int, prompt: int | None = None) -> Sequence[LabelRow]:
        statement = select(_labels).where(_labels.c.environment_id == environment)
        if prompt is not None:
            statement = statement.where(_labels.c.prompt_id == prompt)
        rows = self._session.rows(statement.order_by(_labels.c.prompt_id, _labels.c.name))
        return [_label_row(row) for row in rows]

    def history(
        self, environment: int, prompt: int, label: str | None = None, limit: int = 100
    ) -> Sequence[LabelMoveRow]:
        statement = select(_moves).where(
            _moves.c.environment_id == environment, _moves.c.prompt_id == prompt
        )
        if label is not None:
            statement = statement.where(_moves.c.label == label)
        rows = self._session.rows(statement.order_by(_moves.c.id.desc()).limit(limit))
        return [_move_row(row) for row in rows]


class SqlLabels(SqlLabelsReader):
    """See `Labels`."""

    def move(
        self,
        environment: int,
        prompt: int,
        label: str,
        version: int,
        change: Change,
        *,
        decision: str = "",
    ) -> LabelMoveRow:
        self._session.lock_environment(environment)
        self._refuse_foreign(environment, prompt, version)
        before = self.find(environment, prompt, label)
        if before is None:
            self._session.run(
                insert(_labels).values(
                    prompt_id=prompt, name=label, environment_id=environment, version_id=version
                )
            )
        else:
            self._session.run(
                update(_labels)
                .where(_labels.c.prompt_id == prompt, _labels.c.name == label)
                .values(version_id=version)
            )
        from_version = None if before is None else before.version
        self._session.run(
            insert(_moves).values(
                environment_id=environment,
                prompt_id=prompt,
                label=label,
                from_version=from_version,
                to_version=version,
                decision=decision,
                **change_columns(change),
            )
        )
        return LabelMoveRow(environment, prompt, label, from_version, version, change, decision)

    def _refuse_foreign(self, environment: int, prompt: int, version: int) -> None:
        owner = self._session.number_or_none(
            select(_versions.c.prompt_id).where(
                _versions.c.environment_id == environment, _versions.c.id == version
            )
        )
        if owner != prompt:
            raise NotFound(f"the prompt with id `{prompt}` has no version with id `{version}`")


def _among(environment: int, versions: Iterable[int]) -> ColumnElement[bool]:
    return (_versions.c.environment_id == environment) & _versions.c.id.in_(sorted(set(versions)))


def _version_row(row: RowMapping) -> VersionRow:
    return VersionRow(
        environment=row["environment_id"],
        id=row["id"],
        prompt=row["prompt_id"],
        number=row["number"],
        digest=row["digest"],
        created=change_of(row),
    )


def _label_row(row: RowMapping) -> LabelRow:
    return LabelRow(
        environment=row["environment_id"],
        prompt=row["prompt_id"],
        label=row["name"],
        version=row["version_id"],
    )


def _move_row(row: RowMapping) -> LabelMoveRow:
    return LabelMoveRow(
        environment=row["environment_id"],
        prompt=row["prompt_id"],
        label=row["label"],
        from_version=row["from_version"],
        to_version=row["to_version"],
        change=change_of(row),
        decision=row["decision"],
    )
