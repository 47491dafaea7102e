"""Evidence, sidecars, leases and what is delivered after a commit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# SQLite numbers only plain INTEGER columns by itself.
ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
SHARDS = 64


def upgrade() -> None:
    """Go from the schema before to this one."""
    _create_evidence()
    _create_fleet()
    _create_delivery()
    marks = sa.table("source_marks", sa.column("shard"), sa.column("marks", sa.LargeBinary))
    op.bulk_insert(marks, [{"shard": shard, "marks": b""} for shard in range(SHARDS)])


def _create_evidence() -> None:
    op.create_table(
        "source_marks",
        sa.Column("shard", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("marks", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("shard", name="pk_source_marks"),
    )
    op.create_table(
        "evidence_open",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("rollout_id", sa.Integer, nullable=False),
        sa.Column("evidence", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_evidence_open"),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_evidence_open_environment_id"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_evidence_open_environment_id_rollout_id_id",
        "evidence_open",
        ["environment_id", "rollout_id", "id"],
    )
    op.create_table(
        "evidence_sealed",
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("rollout_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("tick", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("sealed_at", sa.BigInteger, nullable=False),
        sa.Column("evidence", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("environment_id", "rollout_id", "tick", name="pk_evidence_sealed"),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_evidence_sealed_environment_id"
        ),
    )
    op.create_table(
        "analysis_states",
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("rollout_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("generation", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("allocation_epoch", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("tick", sa.Integer, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint(
            "environment_id",
            "rollout_id",
            "generation",
            "kind",
            "allocation_epoch",
            name="pk_analysis_states",
        ),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_analysis_states_environment_id"
        ),
    )


def _create_fleet() -> None:
    op.create_table(
        "sidecars",
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("sidecar_id", sa.Text, nullable=False),
        sa.Column("boot_id", sa.LargeBinary, nullable=False),
        sa.Column("build", sa.Text, nullable=False),
        sa.Column("capabilities", sa.Text, nullable=False),
        sa.Column("replica", sa.Text, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("serving_incarnation", sa.BigInteger),
        sa.Column("serving_revision", sa.BigInteger),
        sa.Column("acknowledged_incarnation", sa.BigInteger),
        sa.Column("acknowledged_revision", sa.BigInteger),
        sa.Column("acknowledged_at", sa.BigInteger),
        sa.Column("refused_incarnation", sa.BigInteger),
        sa.Column("refused_revision", sa.BigInteger),
        sa.Column("refusal", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("environment_id", "sidecar_id", name="pk_sidecars"),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_sidecars_environment_id"
        ),
    )
    op.create_table(
        "token_keys",
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("key_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("retired_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("environment_id", "key_id", name="pk_token_keys"),
        sa.CheckConstraint("key_id BETWEEN 0 AND 255", name="ck_token_keys_one_byte"),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_token_keys_environment_id"
        ),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def _create_delivery() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("request_digest", sa.LargeBinary, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("environment_id", "key", name="pk_idempotency_keys"),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_idempotency_keys_environment_id"
        ),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "outbox",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("given_up_at", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_outbox_environment_id"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_due_at_id", "outbox", ["due_at", "id"])
