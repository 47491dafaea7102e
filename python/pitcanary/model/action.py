"""What is done to a rollout, who asked for it, and why.

Words only. Which event leads where is `rollout.machine`; which action the evidence
asks for is `rollout.gate`.
"""

from __future__ import annotations

from enum import Enum


class Action(Enum):
    """What a decision does."""

    START = "start"
    """Opens the first stage."""
    ADVANCE = "advance"
    """Opens the next stage."""
    HOLD = "hold"
    """Changes nothing."""
    PAUSE = "pause"
    """Stops the ramp; the share stays and guards stay active."""
    RESUME = "resume"
    """Goes on after a pause."""
    ROLLBACK = "rollback"
    """Takes the candidate back because of evidence."""
    PROMOTE = "promote"
    """Gives the candidate everything and moves the label."""
    COMPLETE = "complete"
    """Ends the rollout once the fleet serves what was promoted."""
    ABORT = "abort"
    """Takes the candidate back because a person says so."""


class Event(Enum):
    """What happens to a rollout: an action of the gate, or of a person."""

    START = "start"
    ADVANCE = "advance"
    HOLD = "hold"
    PAUSE = "pause"
    RESUME = "resume"
    ROLLBACK = "rollback"
    PROMOTE = "promote"
    COMPLETE = "complete"
    OPERATOR_PAUSE = "operator_pause"
    OPERATOR_RESUME = "operator_resume"
    OPERATOR_ABORT = "operator_abort"
    OPERATOR_PROMOTE = "operator_promote"

    @property
    def by_operator(self) -> bool:
        """Whether a person asked for it."""
        return self.value.startswith("operator_")

    @property
    def action(self) -> Action:
        """What it asks for."""
        return Action(self.value.removeprefix("operator_"))


class Reason(Enum):
    """Why an action was chosen; the rule in words stands beside it in the record."""

    STARTED = "STARTED"
    PASSED = "PASSED"
    REGRESSED = "REGRESSED"
    BREAKER = "BREAKER"
    SIGNAL_HARMED = "SIGNAL_HARMED"
    SIGNAL_RECOVERED = "SIGNAL_RECOVERED"
    WAITING_MIN_TIME = "WAITING_MIN_TIME"
    WAITING_MIN_OUTCOMES = "WAITING_MIN_OUTCOMES"
    WAITING_EVIDENCE = "WAITING_EVIDENCE"
    """Inconclusive: there are data, and they do not tell yet."""
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
    MEASUREMENT_ERROR = "MEASUREMENT_ERROR"
    NO_TRAFFIC = "NO_TRAFFIC"
    SAMPLE_RATIO = "SAMPLE_RATIO"
    MULTIPLE_EXPOSURE = "MULTIPLE_EXPOSURE"
    DRIFT = "DRIFT"
    """Both arms degrade together: the provider, not the candidate."""
    STALE = "STALE"
    COVERAGE = "COVERAGE"
    HORIZON = "HORIZON"
    PAUSED = "PAUSED"
    WAITING_FLEET = "WAITING_FLEET"
    FLEET_SERVES = "FLEET_SERVES"
    OPERATOR = "OPERATOR"
    NOTHING_RUNNING = "NOTHING_RUNNING"
