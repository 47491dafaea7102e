"""A rollout under any sequence of evidence, faults, time and people.

Hypothesis plays the fleet, the evidence and the operators; the invariants are the
promises that users care about most.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pitcanary.errors import TransitionRefused
from pitcanary.model.action import Event
from pitcanary.model.allocation import LARGEST_SHARE, SLOT_COUNT
from pitcanary.model.health import Health
from pitcanary.model.plain import from_plain, to_plain
from pitcanary.model.rollout import Rollout, RolloutState
from pitcanary.model.spec import DeadlinePolicy, Horizon, Response, RolloutSpec
from pitcanary.model.verdict import Verdict
from pitcanary.rollout.gate import decide
from pitcanary.rollout.machine import apply
from tests.unit.rollout.cases import HEALTHY, NOW, SPEC, cause, evidence, make

STEPS = {"taken": 0}

responses = st.sampled_from(Response)
policies = st.builds(
    DeadlinePolicy, responses, st.timedeltas(timedelta(minutes=1), timedelta(hours=4)), responses
)
specs = st.builds(
    lambda one, two, three, horizon: replace(
        SPEC,
        policies=replace(
            SPEC.policies,
            on_inconclusive=one,
            on_insufficient_data=two,
            on_no_traffic=three,
            horizon=horizon,
        ),
    ),
    policies,
    policies,
    policies,
    st.builds(Horizon, st.timedeltas(timedelta(hours=1), timedelta(days=7))),
)
# Mostly good, so that runs reach the last stages.
verdicts = st.sampled_from([Verdict.PASS] * 6 + list(Verdict))
healths = st.sampled_from(
    [HEALTHY] * 6
    + [
        Health(),
        replace(HEALTHY, sidecars_reporting=3),
        replace(HEALTHY, sample_ratio_log_e=20.0),
        replace(HEALTHY, evidence_age=timedelta(hours=2)),
        replace(HEALTHY, drift=True),
        replace(HEALTHY, breaker_trips=1),
        replace(HEALTHY, breaker_trips=2),
        replace(HEALTHY, sidecars_behind=("pod-1",)),
    ]
)
OPERATOR_EVENTS = [event for event in Event if event.by_operator]


class RolloutLife(RuleBasedStateMachine):
    """One rollout from its application to its end, and beyond."""

    rollout: Rollout

    @initialize(spec=specs)
    def applied(self, spec: RolloutSpec) -> None:
        self.rollout = make(spec)
        self.now = NOW
        self.label = 41
        self.aborted = False
        self.previous = self.rollout

    @rule(passed=st.timedeltas(timedelta(0), timedelta(hours=6)))
    def time_passes(self, passed: timedelta) -> None:
        STEPS["taken"] += 1
        self.previous = self.rollout
        self.now += passed

    @precondition(lambda self: not self.rollout.state.terminal)
    @rule(
        error=verdicts,
        refusal=verdicts,
        helpfulness=verdicts,
        health=healths,
        counted=st.sampled_from([(900, 100), (900, 0), (0, 0)]),
        looked=st.booleans(),
    )
    def tick(
        self,
        error: Verdict,
        refusal: Verdict,
        helpfulness: Verdict,
        health: Health,
        counted: tuple[int, int],
        looked: bool,
    ) -> None:
        STEPS["taken"] += 1
        found = evidence(error, refusal, helpfulness) if looked else None
        before = self.rollout.counted(counted, self.now)
        ruling = decide(before, found, health, self.now)
        self.change(before, ruling.event, actor="controller")
        rose = self.rollout.candidate_share > before.candidate_share
        if rose and ruling.event is not Event.START:
            assert found is not None
            assert {error, refusal} <= {Verdict.PASS, Verdict.MUTED}
            assert health.sidecars_reporting == health.sidecars_expected
            assert ruling.event in (Event.ADVANCE, Event.PROMOTE)
        if found is not None and found.harmed:
            assert self.rollout.state is RolloutState.ROLLED_BACK
            assert self.rollout.allocation.slots(0) == SLOT_COUNT

    @rule(event=st.sampled_from(OPERATOR_EVENTS))
    def person(self, event: Event) -> None:
        STEPS["taken"] += 1
        before = self.rollout
        try:
            self.change(before, event, actor="ada")
        except TransitionRefused:
            assert event is not Event.OPERATOR_ABORT
            self.previous = before
            return
        if event is Event.OPERATOR_ABORT and not before.state.terminal:
            self.aborted = True

    @rule(event=st.sampled_from([event for event in Event if not event.by_operator]))
    def a_confused_controller(self, event: Event) -> None:
        """An event that the gate did not ask for, as after a fault of the loop."""
        STEPS["taken"] += 1
        before = self.previous = self.rollout
        if before.state.terminal or (before.pause and not before.pause.automatic):
            try:
                after = apply(before, event, cause(self.now)).after
            except TransitionRefused:
                return
            assert after.state in (before.state, RolloutState.ROLLED_BACK)

    def change(self, before: Rollout, event: Event, *, actor: str) -> None:
        change = apply(before, event, cause(self.now, actor=actor))
        self.previous, self.rollout = before, change.after
        if change.label_to is not None:
            self.label = change.label_to

    @invariant()
    def an_abort_is_final(self) -> None:
        if self.aborted:
            assert self.rollout.state is RolloutState.ABORTED
            assert self.rollout.allocation.slots(0) == SLOT_COUNT

    @invariant()
    def the_label_follows_the_state(self) -> None:
        state = self.rollout.state
        promoted = state in (RolloutState.PROMOTING, RolloutState.PROMOTED)
        assert self.label == (42 if promoted else 41)
        assert (self.rollout.allocation.slots(1) == SLOT_COUNT) == promoted

    @invariant()
    def shares_are_those_of_the_stage(self) -> None:
        rollout = self.rollout
        if rollout.state in (RolloutState.PROGRESSING, RolloutState.PAUSED) and rollout.stage:
            stage = rollout.spec.stages[rollout.stage.index]
            assert rollout.allocation.slots(1) == min(stage.share_slots, LARGEST_SHARE)

    @invariant()
    def epochs_rise_with_shares_and_only_then(self) -> None:
        moved = self.rollout.allocation != self.previous.allocation
        assert self.rollout.allocation_epoch == self.previous.allocation_epoch + moved

    @invariant()
    def stages_are_never_skipped(self) -> None:
        before, now = self.previous.stage, self.rollout.stage
        if now is not None:
            assert now.index - (before.index if before else -1) in (0, 1)

    @invariant()
    def a_pause_belongs_to_the_paused_state(self) -> None:
        assert (self.rollout.pause is not None) == (self.rollout.state is RolloutState.PAUSED)

    def teardown(self) -> None:
        assert from_plain(Rollout, to_plain(self.rollout)) == self.rollout


def test_no_life_of_a_rollout_breaks_a_promise() -> None:
    STEPS["taken"] = 0
    limits = settings(
        max_examples=250,
        stateful_step_count=50,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(RolloutLife, settings=limits)
    assert STEPS["taken"] >= 10_000
