"""Reading the record of what was decided.

The record is handed out as the exact bytes that were hashed, so anybody can check
the chain without trusting this process.
"""

from __future__ import annotations

from pitcanary.controller.admin.calls import Moment
from pitcanary.controller.admin.prompts import timestamp
from pitcanary.controller.admin.scope import existing
from pitcanary.errors import NotFound, nearest
from pitcanary.store.interface import DecisionRow, Reader, RolloutRow
from pitcanary.v1 import admin_pb2

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1_000


def list_decisions(
    reader: Reader, request: admin_pb2.ListDecisionsRequest, _moment: Moment
) -> admin_pb2.ListDecisionsResponse:
    """Reads decisions of one rollout or of all, newest first."""
    environment = existing(reader, request.scope).id
    rollout = find_rollout(reader, environment, request.rollout) if request.rollout else None
    rows = reader.decisions.list(
        environment,
        rollout.id if rollout else None,
        limit=min(request.limit or DEFAULT_LIMIT, LARGEST_LIMIT),
    )
    names = {rollout.id: rollout.name} if rollout else _names(reader, environment)
    return admin_pb2.ListDecisionsResponse(
        decisions=[decision_info(row, names[row.rollout]) for row in rows]
    )


def get_decision(
    reader: Reader, request: admin_pb2.GetDecisionRequest, _moment: Moment
) -> admin_pb2.GetDecisionResponse:
    """Reads one decision with its record."""
    environment = existing(reader, request.scope).id
    row = reader.decisions.get(environment, request.id)
    name = reader.rollouts.get(environment, row.rollout).name
    return admin_pb2.GetDecisionResponse(decision=decision_info(row, name), record_json=row.record)


def decision_info(row: DecisionRow, rollout: str) -> admin_pb2.DecisionInfo:
    """A decision in short."""
    return admin_pb2.DecisionInfo(
        id=row.id,
        rollout=rollout,
        decided_at=timestamp(row.decided_at),
        action=row.action,
        rule=row.rule,
        actor=row.actor,
    )


def find_rollout(reader: Reader, environment: int, name: str) -> RolloutRow:
    """Finds a rollout; `NotFound` names the nearest one."""
    row = reader.rollouts.find(environment, name)
    if row is None:
        known = nearest(name, [other.name for other in reader.rollouts.list(environment)])
        raise NotFound(f"rollout `{name}` does not exist{known}")
    return row


def _names(reader: Reader, environment: int) -> dict[int, str]:
    return {row.id: row.name for row in reader.rollouts.list(environment)}
