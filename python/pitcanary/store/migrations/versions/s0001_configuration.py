"""Configuration, rollouts and the chain of decisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# SQLite numbers only plain INTEGER columns by itself.
ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
APPEND_ONLY = ("versions", "label_moves", "analysis_generations", "threshold_sets", "decisions")
REFUSE_FUNCTION = """
CREATE OR REPLACE FUNCTION pitcanary_refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of %% are append-only', TG_TABLE_NAME;
END
$$
"""
POSTGRESQL_TRIGGERS = (
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %(table)s
    FOR EACH ROW EXECUTE FUNCTION pitcanary_refuse_change()
    """,
    """
    CREATE TRIGGER never_truncated BEFORE TRUNCATE ON %(table)s
    FOR EACH STATEMENT EXECUTE FUNCTION pitcanary_refuse_change()
    """,
)
SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER %(table)s_never_updated BEFORE UPDATE ON %(table)s
    BEGIN SELECT RAISE(ABORT, 'rows are append-only'); END
    """,
    """
    CREATE TRIGGER %(table)s_never_deleted BEFORE DELETE ON %(table)s
    BEGIN SELECT RAISE(ABORT, 'rows are append-only'); END
    """,
)


def upgrade() -> None:
    """Go from nothing to this schema."""
    _create_configuration()
    _create_rollouts()
    _protect_history()
    store_meta = sa.table("store_meta", sa.column("id"), sa.column("store_incarnation"))
    op.bulk_insert(store_meta, [{"id": 1, "store_incarnation": 1}])


def _create_configuration() -> None:
    op.create_table(
        "store_meta",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("store_incarnation", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_store_meta"),
        sa.CheckConstraint("id = 1", name="ck_store_meta_one_row"),
    )
    op.create_table(
        "namespaces",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("salt", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_namespaces"),
        sa.UniqueConstraint("name", name="uq_namespaces_name"),
    )
    op.create_table(
        "environments",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("namespace_id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("last_version", sa.Integer, nullable=False),
        sa.Column("last_rollout", sa.Integer, nullable=False),
        sa.Column("last_threshold_set", sa.Integer, nullable=False),
        sa.Column("chain_position", sa.BigInteger, nullable=False),
        sa.Column("chain_hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_environments"),
        sa.ForeignKeyConstraint(
            ["namespace_id"], ["namespaces.id"], name="fk_environments_namespace_id"
        ),
        sa.UniqueConstraint("namespace_id", "name", name="uq_environments_namespace_id_name"),
    )
    op.create_table(
        "prompts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("versions", sa.Integer, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_prompts"),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_prompts_environment_id"
        ),
        sa.UniqueConstraint("environment_id", "name", name="uq_prompts_environment_id_name"),
    )
    op.create_table(
        "versions",
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("prompt_id", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("environment_id", "id", name="pk_versions"),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_versions_environment_id"
        ),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"], name="fk_versions_prompt_id"),
        sa.UniqueConstraint("prompt_id", "digest", name="uq_versions_prompt_id_digest"),
        sa.UniqueConstraint("prompt_id", "number", name="uq_versions_prompt_id_number"),
    )
    op.create_table(
        "labels",
        sa.Column("prompt_id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("version_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("prompt_id", "name", name="pk_labels"),
        sa.ForeignKeyConstraint(
            ["environment_id", "version_id"],
            ["versions.environment_id", "versions.id"],
            name="fk_labels_environment_id_version_id",
        ),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_labels_environment_id"
        ),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"], name="fk_labels_prompt_id"),
    )
    op.create_index("ix_labels_environment_id", "labels", ["environment_id"])
    op.create_table(
        "label_moves",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("prompt_id", sa.Integer, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("from_version", sa.Integer),
        sa.Column("to_version", sa.Integer, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_label_moves"),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_label_moves_environment_id"
        ),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"], name="fk_label_moves_prompt_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_label_moves_prompt_id_id", "label_moves", ["prompt_id", "id"])


def _create_rollouts() -> None:
    op.create_table(
        "rollouts",
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("prompt_id", sa.Integer, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("salt", sa.Text, nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("environment_id", "id", name="pk_rollouts"),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_rollouts_environment_id"
        ),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"], name="fk_rollouts_prompt_id"),
        sa.UniqueConstraint("environment_id", "name", name="uq_rollouts_environment_id_name"),
    )
    op.create_index(
        "uq_rollouts_holding",
        "rollouts",
        ["prompt_id", "label"],
        unique=True,
        sqlite_where=sa.text("active"),
        postgresql_where=sa.text("active"),
    )
    op.create_table(
        "analysis_generations",
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("rollout_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("generation", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(
            "environment_id", "rollout_id", "generation", name="pk_analysis_generations"
        ),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_analysis_generations_environment_id"
        ),
    )
    op.create_table(
        "threshold_sets",
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("rollout_id", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("metric", sa.Integer, nullable=False),
        sa.Column("segment", sa.Integer, nullable=False),
        sa.Column("buckets", sa.Text, nullable=False),
        sa.Column("from_tick", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("environment_id", "id", name="pk_threshold_sets"),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_threshold_sets_environment_id"
        ),
    )
    op.create_table(
        "decisions",
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("position", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("rollout_id", sa.Integer, nullable=False),
        sa.Column("rollout_revision", sa.BigInteger, nullable=False),
        sa.Column("leader_fence", sa.BigInteger, nullable=False),
        sa.Column("decided_at", sa.BigInteger, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("environment_id", "position", name="pk_decisions"),
        sa.ForeignKeyConstraint(
            ["environment_id", "rollout_id"],
            ["rollouts.environment_id", "rollouts.id"],
            name="fk_decisions_environment_id_rollout_id",
        ),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_decisions_environment_id"
        ),
        sa.UniqueConstraint("environment_id", "id", name="uq_decisions_environment_id_id"),
    )
    op.create_index(
        "ix_decisions_environment_id_rollout_id_position",
        "decisions",
        ["environment_id", "rollout_id", "position"],
    )


def _protect_history() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    if on_postgresql:
        op.execute(_ddl(REFUSE_FUNCTION))
    for table in APPEND_ONLY:
        for trigger in POSTGRESQL_TRIGGERS if on_postgresql else SQLITE_TRIGGERS:
            op.execute(_ddl(trigger, table))


def _ddl(statement: str, table: str = "") -> sa.DDL:
    return sa.DDL(statement, context={"table": table})  # type: ignore[no-untyped-call]
