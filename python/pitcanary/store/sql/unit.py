"""All concepts on one connection: what `read` and `transaction` give.

A reader has no writing methods at all, so a slip fails in the type checker and
at the call, not in the database.
"""

from __future__ import annotations

from pitcanary.store.interface.delivery import Notice
from pitcanary.store.sql.analyses import (
    SqlGenerations,
    SqlGenerationsReader,
    SqlThresholdSets,
    SqlThresholdSetsReader,
)
from pitcanary.store.sql.catalog import (
    SqlEnvironments,
    SqlEnvironmentsReader,
    SqlPrompts,
    SqlPromptsReader,
)
from pitcanary.store.sql.decisions import SqlDecisions, SqlDecisionsReader
from pitcanary.store.sql.delivery import (
    SqlIdempotency,
    SqlIdempotencyReader,
    SqlOutbox,
    SqlOutboxReader,
)
from pitcanary.store.sql.evidence import (
    SqlEvidence,
    SqlEvidenceReader,
    SqlStates,
    SqlStatesReader,
)
from pitcanary.store.sql.fleet import (
    SqlSidecars,
    SqlSidecarsReader,
    SqlTokenKeys,
    SqlTokenKeysReader,
)
from pitcanary.store.sql.leases import SqlLeases, SqlLeasesReader
from pitcanary.store.sql.marks import SqlMarks, SqlMarksReader
from pitcanary.store.sql.rollouts import SqlRollouts, SqlRolloutsReader
from pitcanary.store.sql.session import Session
from pitcanary.store.sql.versions import (
    SqlLabels,
    SqlLabelsReader,
    SqlVersions,
    SqlVersionsReader,
)


class SqlReader:
    """See `Reader`."""

    def __init__(self, session: Session) -> None:
        self.environments = SqlEnvironmentsReader(session)
        self.prompts = SqlPromptsReader(session)
        self.versions = SqlVersionsReader(session)
        self.labels = SqlLabelsReader(session)
        self.rollouts = SqlRolloutsReader(session)
        self.generations = SqlGenerationsReader(session)
        self.threshold_sets = SqlThresholdSetsReader(session)
        self.decisions = SqlDecisionsReader(session)
        self.marks = SqlMarksReader(session)
        self.evidence = SqlEvidenceReader(session)
        self.states = SqlStatesReader(session)
        self.sidecars = SqlSidecarsReader(session)
        self.token_keys = SqlTokenKeysReader(session)
        self.leases = SqlLeasesReader(session)
        self.idempotency = SqlIdempotencyReader(session)
        self.outbox = SqlOutboxReader(session)


class SqlTransaction:
    """See `Transaction`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.environments = SqlEnvironments(session)
        self.prompts = SqlPrompts(session)
        self.versions = SqlVersions(session)
        self.labels = SqlLabels(session)
        self.rollouts = SqlRollouts(session)
        self.generations = SqlGenerations(session)
        self.threshold_sets = SqlThresholdSets(session)
        self.decisions = SqlDecisions(session)
        self.marks = SqlMarks(session)
        self.evidence = SqlEvidence(session)
        self.states = SqlStates(session)
        self.sidecars = SqlSidecars(session)
        self.token_keys = SqlTokenKeys(session)
        self.leases = SqlLeases(session)
        self.idempotency = SqlIdempotency(session)
        self.outbox = SqlOutbox(session)

    def notify(self, notice: Notice) -> None:
        """See `Transaction.notify`."""
        self._session.notices.append(notice)
