"""What a webhook is told about a decision: a CDEvents body with the whole record.

Only endings are told: a rollback, an abort, a promotion. Sending is
`controller.webhook`'s job.
"""

from __future__ import annotations

import orjson

from pitcanary.model.action import Action
from pitcanary.model.plain import canonical_bytes, instant_text
from pitcanary.rollout.machine import Change
from pitcanary.store.interface import DecisionRow

CDEVENTS_VERSION = "0.4.1"

_TOLD = {
    Action.ROLLBACK.value: "rolledback",
    Action.ABORT.value: "rolledback",
    Action.PROMOTE.value: "promoted",
}


def message_of(decided: DecisionRow, change: Change) -> bytes | None:
    """The body of the message about a decision; None for one that nobody is told."""
    predicate = _TOLD.get(decided.action)
    if predicate is None:
        return None
    rollout = change.after
    scope = f"/{rollout.scope.namespace}/{rollout.scope.environment}"
    return canonical_bytes(
        {
            "context": {
                "version": CDEVENTS_VERSION,
                "id": decided.id,
                "source": f"/pitcanary{scope}",
                "type": f"dev.cdeventsx.pitcanary-promptrollout.{predicate}.0.1.0",
                "timestamp": instant_text(decided.decided_at),
            },
            "subject": {
                "id": rollout.spec.name,
                "type": "promptrollout",
                "content": {
                    "prompt": rollout.spec.prompt,
                    "label": rollout.spec.label,
                    "baseline": rollout.arms[0].version,
                    "candidate": rollout.arms[1].version,
                    "rule": decided.rule,
                },
            },
            "customDataContentType": "application/json",
            "customData": orjson.loads(decided.record),
        }
    )
