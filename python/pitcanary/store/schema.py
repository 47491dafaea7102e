"""The tables, once for SQLite and PostgreSQL.

Every row belongs to an environment and is named by the ids in
`interface`; what a column means is written there. A change of this file needs a
migration: a test compares the two. Which tables may never change a row is in
`append_only`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
)

from pitcanary.store import append_only
from pitcanary.store.columns import JsonBytes, PlainText, Timestamp, row_id

SHARDS = 64

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _environment(*, primary_key: bool = False) -> Column[int]:
    """Give the column that says where a row belongs."""
    return Column(
        "environment_id",
        Integer,
        ForeignKey("environments.id"),
        primary_key=primary_key,
        nullable=False,
    )


def _change() -> tuple[Column[str], Column[str], Column[object]]:
    """Give the columns of who, why and when."""
    return (
        Column("actor", PlainText, nullable=False),
        Column("reason", PlainText, nullable=False),
        Column("created_at", Timestamp, nullable=False),
    )


# --- configuration ----------------------------------------------------------

store_meta = Table(
    "store_meta",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("store_incarnation", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

namespaces = Table(
    "namespaces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", PlainText, nullable=False, unique=True),
    Column("salt", PlainText, nullable=False),
)

# The row of an environment is also the lock of its configuration, and holds the
# counters that must not have gaps after a rollback or go back after a restore.
environments = Table(
    "environments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("namespace_id", Integer, ForeignKey("namespaces.id"), nullable=False),
    Column("name", PlainText, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("last_version", Integer, nullable=False),
    Column("last_rollout", Integer, nullable=False),
    Column("last_threshold_set", Integer, nullable=False),
    Column("chain_position", BigInteger, nullable=False),
    Column("chain_hash", PlainText, nullable=False),
    UniqueConstraint("namespace_id", "name"),
)

prompts = Table(
    "prompts",
    metadata,
    Column("id", Integer, primary_key=True),
    _environment(),
    Column("name", PlainText, nullable=False),
    Column("versions", Integer, nullable=False),
    *_change(),
    UniqueConstraint("environment_id", "name"),
)

versions = Table(
    "versions",
    metadata,
    _environment(primary_key=True),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("prompt_id", Integer, ForeignKey("prompts.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("digest", PlainText, nullable=False),
    Column("content", LargeBinary, nullable=False),
    *_change(),
    UniqueConstraint("prompt_id", "number"),
    UniqueConstraint("prompt_id", "digest"),
)

labels = Table(
    "labels",
    metadata,
    Column("prompt_id", Integer, ForeignKey("prompts.id"), primary_key=True),
    Column("name", PlainText, primary_key=True),
    _environment(),
    Column("version_id", Integer, nullable=False),
    ForeignKeyConstraint(
        ["environment_id", "version_id"], ["versions.environment_id", "versions.id"]
    ),
    Index(None, "environment_id"),
)

label_moves = Table(
    "label_moves",
    metadata,
    Column("id", row_id(), primary_key=True),
    _environment(),
    Column("prompt_id", Integer, ForeignKey("prompts.id"), nullable=False),
    Column("label", PlainText, nullable=False),
    Column("from_version", Integer),
    Column("to_version", Integer, nullable=False),
    Column("decision", PlainText, nullable=False),
    *_change(),
    Index(None, "prompt_id", "id"),
    sqlite_autoincrement=True,
)

# --- rollouts and decisions --------------------------------------------------

rollouts = Table(
    "rollouts",
    metadata,
    _environment(primary_key=True),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", PlainText, nullable=False),
    Column("prompt_id", Integer, ForeignKey("prompts.id"), nullable=False),
    Column("label", PlainText, nullable=False),
    Column("salt", PlainText, nullable=False),
    Column("spec", JsonBytes, nullable=False),
    Column("state", JsonBytes, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("active", Boolean, nullable=False),
    *_change(),
    Column("updated_at", Timestamp, nullable=False),
    UniqueConstraint("environment_id", "name"),
)
# One rollout at a time may hold a label; the ended ones do not count.
Index(
    "uq_rollouts_holding",
    rollouts.c.prompt_id,
    rollouts.c.label,
    unique=True,
    sqlite_where=rollouts.c.active,
    postgresql_where=rollouts.c.active,
)

# No foreign key to rollouts here and below: rollout 0 is traffic without one.
analysis_generations = Table(
    "analysis_generations",
    metadata,
    _environment(primary_key=True),
    Column("rollout_id", Integer, primary_key=True, autoincrement=False),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("plan", JsonBytes, nullable=False),
    Column("created_at", Timestamp, nullable=False),
)

threshold_sets = Table(
    "threshold_sets",
    metadata,
    _environment(primary_key=True),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("rollout_id", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("metric", Integer, nullable=False),
    Column("segment", Integer, nullable=False),
    Column("buckets", JsonBytes, nullable=False),
    Column("from_tick", Integer, nullable=False),
    Column("created_at", Timestamp, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    _environment(primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("id", PlainText, nullable=False),
    Column("rollout_id", Integer, nullable=False),
    Column("rollout_revision", BigInteger, nullable=False),
    Column("leader_fence", BigInteger, nullable=False),
    Column("decided_at", Timestamp, nullable=False),
    Column("action", PlainText, nullable=False),
    Column("rule", PlainText, nullable=False),
    Column("actor", PlainText, nullable=False),
    Column("previous_hash", PlainText, nullable=False),
    Column("hash", PlainText, nullable=False),
    Column("record", JsonBytes, nullable=False),
    ForeignKeyConstraint(
        ["environment_id", "rollout_id"], ["rollouts.environment_id", "rollouts.id"]
    ),
    UniqueConstraint("environment_id", "id"),
    Index(None, "environment_id", "rollout_id", "position"),
)

# --- evidence ----------------------------------------------------------------

source_marks = Table(
    "source_marks",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("marks", LargeBinary, nullable=False),
)

evidence_open = Table(
    "evidence_open",
    metadata,
    Column("id", row_id(), primary_key=True),
    _environment(),
    Column("rollout_id", Integer, nullable=False),
    Column("evidence", LargeBinary, nullable=False),
    Index(None, "environment_id", "rollout_id", "id"),
    sqlite_autoincrement=True,
)

evidence_sealed = Table(
    "evidence_sealed",
    metadata,
    _environment(primary_key=True),
    Column("rollout_id", Integer, primary_key=True, autoincrement=False),
    Column("tick", Integer, primary_key=True, autoincrement=False),
    Column("sealed_at", Timestamp, nullable=False),
    Column("evidence", LargeBinary, nullable=False),
)

analysis_states = Table(
    "analysis_states",
    metadata,
    _environment(primary_key=True),
    Column("rollout_id", Integer, primary_key=True, autoincrement=False),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("kind", PlainText, primary_key=True),
    Column("allocation_epoch", Integer, primary_key=True, autoincrement=False),
    Column("tick", Integer, nullable=False),
    Column("state", LargeBinary, nullable=False),
)

# --- fleet -------------------------------------------------------------------

sidecars = Table(
    "sidecars",
    metadata,
    _environment(primary_key=True),
    Column("sidecar_id", PlainText, primary_key=True),
    Column("boot_id", LargeBinary, nullable=False),
    Column("build", PlainText, nullable=False),
    Column("capabilities", JsonBytes, nullable=False),
    Column("replica", PlainText, nullable=False),
    Column("seen_at", Timestamp, nullable=False),
    Column("serving_incarnation", BigInteger),
    Column("serving_revision", BigInteger),
    Column("acknowledged_incarnation", BigInteger),
    Column("acknowledged_revision", BigInteger),
    Column("acknowledged_at", Timestamp),
    Column("refused_incarnation", BigInteger),
    Column("refused_revision", BigInteger),
    Column("refusal", PlainText, nullable=False),
)

token_keys = Table(
    "token_keys",
    metadata,
    _environment(primary_key=True),
    Column("key_id", Integer, primary_key=True, autoincrement=False),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("retired_at", Timestamp),
    CheckConstraint("key_id BETWEEN 0 AND 255", name="one_byte"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", PlainText, primary_key=True),
    Column("holder", PlainText, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
)

# --- delivery ----------------------------------------------------------------

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    _environment(primary_key=True),
    Column("key", PlainText, primary_key=True),
    Column("request_digest", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Index(None, "created_at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", row_id(), primary_key=True),
    _environment(),
    Column("kind", PlainText, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("due_at", Timestamp),
    Column("given_up_at", Timestamp),
    Column("attempts", Integer, nullable=False),
    Column("error", PlainText, nullable=False),
    Index(None, "due_at", "id"),
    sqlite_autoincrement=True,
)

for _history in (versions, label_moves, analysis_generations, threshold_sets, decisions):
    append_only.protect(_history)
