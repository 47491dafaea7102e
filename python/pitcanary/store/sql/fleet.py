"""Sidecars and token keys on SQL; leases are in `sql.leases`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import orjson
from sqlalchemy import (
    ColumnElement,
    RowMapping,
    and_,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)

from pitcanary.errors import Conflict, NotFound
from pitcanary.model.decision import ConfigVersion
from pitcanary.store import schema
from pitcanary.store.interface.fleet import SidecarHello, SidecarRow, TokenKeyRow
from pitcanary.store.sql.session import Columns, Session

_keys = schema.token_keys
_sidecars = schema.sidecars
KEY_IDS = range(256)


class SqlSidecarsReader:
    """See `SidecarsReader`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self, environment: int) -> Sequence[SidecarRow]:
        rows = self._session.rows(
            select(_sidecars)
            .where(_sidecars.c.environment_id == environment)
            .order_by(_sidecars.c.sidecar_id)
        )
        return [_sidecar_row(row) for row in rows]


class SqlSidecars(SqlSidecarsReader):
    """See `Sidecars`."""

    def hello(self, hello: SidecarHello, at: datetime) -> None:
        values: dict[str, object] = {
            "environment_id": hello.environment,
            "sidecar_id": hello.sidecar_id,
            "boot_id": hello.boot_id,
            "build": hello.build,
            "capabilities": orjson.dumps(hello.capabilities),
            "replica": hello.replica,
            "seen_at": at,
            **_version_columns("serving", hello.serving),
            **_version_columns("acknowledged", hello.serving),
            "acknowledged_at": None if hello.serving is None else at,
            **_version_columns("refused", None),
            "refusal": "",
        }
        if not self._session.insert_new(_sidecars, values):
            self._session.run(
                update(_sidecars).where(_named(hello.environment, hello.sidecar_id)).values(values)
            )

    def acknowledge(
        self, environment: int, sidecar_id: str, version: ConfigVersion, at: datetime
    ) -> None:
        self._session.run(
            update(_sidecars)
            .where(_named(environment, sidecar_id), not_(_newer("acknowledged", version)))
            .values(acknowledged_at=at, seen_at=at, **_version_columns("acknowledged", version))
        )
        self._session.run(
            update(_sidecars)
            .where(_named(environment, sidecar_id), not_(_newer("refused", version)))
            .values(refusal="", **_version_columns("refused", None))
        )

    def refuse(
        self, environment: int, sidecar_id: str, version: ConfigVersion, reason: str, at: datetime
    ) -> None:
        self._session.run(
            update(_sidecars)
            .where(_named(environment, sidecar_id))
            .values(seen_at=at, refusal=reason, **_version_columns("refused", version))
        )

    def seen(self, environment: int, sidecar_ids: Iterable[str], at: datetime) -> None:
        self._session.run(
            update(_sidecars)
            .where(
                _sidecars.c.environment_id == environment,
                _sidecars.c.sidecar_id.in_(sorted(set(sidecar_ids))),
            )
            .values(seen_at=at)
        )

    def disconnected(self, environment: int, sidecar_id: str, replica: str) -> None:
        self._session.run(
            update(_sidecars)
            .where(_named(environment, sidecar_id), _sidecars.c.replica == replica)
            .values(replica="")
        )

    def replica_stopped(self, replica: str) -> None:
        self._session.run(
            update(_sidecars).where(_sidecars.c.replica == replica).values(replica="")
        )

    def forget(self, before: datetime) -> int:
        return self._session.run(
            delete(_sidecars).where(_sidecars.c.seen_at < before, _sidecars.c.replica == "")
        )


class SqlTokenKeysReader:
    """See `TokenKeysReader`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self, environment: int) -> Sequence[TokenKeyRow]:
        rows = self._session.rows(
            select(_keys)
            .where(_keys.c.environment_id == environment)
            .order_by(_keys.c.created_at, _keys.c.key_id)
        )
        return [_key_row(row) for row in rows]


class SqlTokenKeys(SqlTokenKeysReader):
    """See `TokenKeys`."""

    def add(self, environment: int, secret: bytes, at: datetime) -> TokenKeyRow:
        self._session.lock_environment(environment)
        known = self.list(environment)
        used = {key.key_id for key in known}
        if len(used) == len(KEY_IDS):
            raise Conflict("all 256 token key ids are in use; delete the oldest retired key")
        # After the newest one, around the end: a deleted id rests as long as possible.
        first = known[-1].key_id + 1 if known else 0
        key_id = next(
            candidate
            for candidate in ((first + step) % len(KEY_IDS) for step in KEY_IDS)
            if candidate not in used
        )
        self._session.run(
            insert(_keys).values(
                environment_id=environment, key_id=key_id, secret=secret, created_at=at
            )
        )
        return TokenKeyRow(environment, key_id, secret, at, None)

    def retire(self, environment: int, key_id: int, at: datetime) -> None:
        _require(
            self._session.run(update(_keys).where(_key(environment, key_id)).values(retired_at=at)),
            key_id,
        )

    def delete(self, environment: int, key_id: int) -> None:
        _require(self._session.run(delete(_keys).where(_key(environment, key_id))), key_id)


def _named(environment: int, sidecar_id: str) -> ColumnElement[bool]:
    return (_sidecars.c.environment_id == environment) & (_sidecars.c.sidecar_id == sidecar_id)


def _key(environment: int, key_id: int) -> ColumnElement[bool]:
    return (_keys.c.environment_id == environment) & (_keys.c.key_id == key_id)


def _require(touched: int, key_id: int) -> None:
    if touched == 0:
        raise NotFound(f"there is no token key with id `{key_id}`")


def _newer(prefix: str, version: ConfigVersion) -> ColumnElement[bool]:
    """Tell whether a stored version is above the given one; none is not."""
    incarnation = func.coalesce(_sidecars.c[f"{prefix}_incarnation"], -1)
    revision = _sidecars.c[f"{prefix}_revision"]
    return or_(
        incarnation > version.store_incarnation,
        and_(incarnation == version.store_incarnation, revision > version.revision),
    )


def _version_columns(prefix: str, version: ConfigVersion | None) -> Columns:
    return {
        f"{prefix}_incarnation": None if version is None else version.store_incarnation,
        f"{prefix}_revision": None if version is None else version.revision,
    }


def _version(row: RowMapping, prefix: str) -> ConfigVersion | None:
    incarnation = row[f"{prefix}_incarnation"]
    return None if incarnation is None else ConfigVersion(incarnation, row[f"{prefix}_revision"])


def _sidecar_row(row: RowMapping) -> SidecarRow:
    return SidecarRow(
        hello=SidecarHello(
            environment=row["environment_id"],
            sidecar_id=row["sidecar_id"],
            boot_id=row["boot_id"],
            build=row["build"],
            capabilities=tuple(orjson.loads(row["capabilities"])),
            replica=row["replica"],
            serving=_version(row, "serving"),
        ),
        seen_at=row["seen_at"],
        acknowledged=_version(row, "acknowledged"),
        acknowledged_at=row["acknowledged_at"],
        refused=_version(row, "refused"),
        refusal=row["refusal"],
    )


def _key_row(row: RowMapping) -> TokenKeyRow:
    return TokenKeyRow(
        environment=row["environment_id"],
        key_id=row["key_id"],
        secret=row["secret"],
        created_at=row["created_at"],
        retired_at=row["retired_at"],
    )
