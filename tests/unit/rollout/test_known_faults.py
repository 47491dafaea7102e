"""Rollbacks that did not happen elsewhere, and promotions that should not have.

One test per public report, named after what went wrong there.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pitcanary.model.action import Event, Reason
from pitcanary.model.health import Health
from pitcanary.model.metric import Role
from pitcanary.model.rollout import Rollout, RolloutState
from pitcanary.model.spec import DeadlinePolicy, Response
from pitcanary.model.verdict import Verdict
from pitcanary.rollout.gate import decide
from pitcanary.rollout.machine import Cause, apply
from tests.unit.rollout.cases import (
    HEALTHY,
    HELPFULNESS,
    NOW,
    READY,
    REFUSAL,
    SPEC,
    after,
    evidence,
    figures,
    make,
    ready,
    with_policies,
)

V, E = Verdict, Event
MONTH = timedelta(days=30)


def run(rollout: Rollout, *assessments: object, health: Health = HEALTHY) -> Rollout:
    """Decides tick after tick, an hour apart, until the rollout ends."""
    now = READY
    for assessment in assessments:
        if rollout.state.terminal:
            break
        ruling = decide(rollout, assessment, health, now)  # type: ignore[arg-type]
        reason = Cause(ruling.reason, ruling.rule, "controller", now)
        rollout = apply(rollout, ruling.event, reason).after
        now += timedelta(hours=1)
    return rollout


def test_a_breach_while_waiting_rolls_back() -> None:
    """flagger #1801: 18 failed checks at a gate that waited, and no rollback."""
    breach = evidence(refusal=V.REGRESSED)
    for waiting in (make(), ready(), after(ready(), E.PAUSE), after(ready(), E.OPERATOR_PAUSE)):
        assert run(waiting, breach).state is RolloutState.ROLLED_BACK
    assert run(after(ready(2), E.PROMOTE), breach).state is RolloutState.ROLLED_BACK


def test_a_metric_nobody_knows_never_passes() -> None:
    """flagger #1581: a misnamed metric always passed."""
    assessment = replace(evidence(), metrics=evidence().metrics[:1])
    assert decide(ready(), assessment, HEALTHY, READY).event is E.HOLD


def test_reporting_is_checked_at_every_tick_not_only_at_the_start() -> None:
    """flagger #553: the provider was looked at once, at start-up."""
    rollout = run(ready(), evidence(share=0.95))
    assert rollout.stage is not None
    assert rollout.stage.index == 1
    silent = replace(HEALTHY, sidecars_reporting=0)
    counted = rollout.counted((1000, 1000), READY)
    ruling = decide(counted, evidence(), silent, READY + timedelta(hours=1))
    assert (ruling.event, ruling.reason) == (E.HOLD, Reason.COVERAGE)


def test_an_override_keeps_its_precedence_after_checks_have_failed() -> None:
    """flagger #1149: a skip was ignored once checks had failed."""
    doubtful = run(ready(), evidence(V.INCONCLUSIVE))
    promoted = after(doubtful, E.OPERATOR_PROMOTE)
    assert run(promoted, evidence(V.INCONCLUSIVE)).state is RolloutState.PROMOTED


def test_no_traffic_does_not_fail_a_rollout() -> None:
    """flagger #1035, argo-rollouts #1905: no traffic failed the release."""
    silent = after(make(), E.START)
    nothing = [None] * 30
    ended = run(silent, *nothing)
    assert ended.state is RolloutState.PAUSED
    assert ended.pause is not None
    assert ended.pause.reason is Reason.NO_TRAFFIC
    assert ended.candidate_share == pytest.approx(0.01)


def test_inconclusive_never_ages_into_a_promotion() -> None:
    """argo-rollouts #3850: an inconclusive run was repeated until it promoted."""
    spec = with_policies(on_inconclusive=DeadlinePolicy(then=Response.HOLD))
    waited = run(ready(spec=spec), *[evidence(V.INCONCLUSIVE)] * 1000)
    assert waited.stage is not None
    assert (waited.state, waited.stage.index) == (RolloutState.PROGRESSING, 0)


@pytest.mark.parametrize("verdict", [V.MEASUREMENT_ERROR, V.INSUFFICIENT_DATA])
def test_a_run_whose_measurements_all_failed_is_not_successful(verdict: Verdict) -> None:
    """argo-rollouts #4479: a run with only errors was called Successful."""
    ended = run(ready(2), *[evidence(verdict, verdict, verdict)] * 1000)
    assert ended.state is RolloutState.PAUSED


def test_a_run_stopped_with_no_measurement_is_not_successful() -> None:
    """argo-rollouts #4479: terminated with zero measurements meant Successful."""
    ended = run(ready(2), *[None] * 1000)
    assert ended.state is RolloutState.PAUSED
    empty = replace(evidence(), metrics=(), may_advance=True)
    assert decide(ready(2), empty, HEALTHY, READY).event is E.HOLD


def test_an_answer_that_cannot_be_read_is_an_error_not_a_pass() -> None:
    """argo-rollouts #4535: null or non-JSON answers passed every condition."""
    ruling = decide(ready(2), evidence(V.MEASUREMENT_ERROR), HEALTHY, READY)
    assert (ruling.event, ruling.reason) == (E.HOLD, Reason.MEASUREMENT_ERROR)


def test_promotion_waits_for_every_verdict_of_the_step() -> None:
    """argo-rollouts #943: an experiment ended well while its analysis still ran."""
    for refusal in (V.INCONCLUSIVE, V.INSUFFICIENT_DATA, V.MEASUREMENT_ERROR):
        assert decide(ready(2), evidence(refusal=refusal), HEALTHY, READY).event is E.HOLD


def test_the_share_never_rises_on_a_tick_with_a_breach() -> None:
    """argo-rollouts #222: a failing trend promoted until the limit was reached."""
    for role, event in ((Role.GUARDRAIL, E.ROLLBACK), (Role.SIGNAL, E.PAUSE)):
        metric = replace(REFUSAL, role=role, gating=False)
        good = evidence()
        metrics = (good.metrics[0], figures(metric, V.REGRESSED))
        spec = replace(SPEC, metrics=(SPEC.metrics[0], metric))
        breached = replace(good, metrics=metrics)
        assert decide(ready(2, spec), breached, HEALTHY, READY).event is event


def test_a_bad_version_is_not_shipped_because_an_analysis_did_not_stop_it() -> None:
    """argo-rollouts #1411: the failed analysis did not stop the rollout."""
    script = [evidence(share=1.0), evidence(refusal=V.REGRESSED), evidence(), evidence()]
    assert run(ready(), *script).state is RolloutState.ROLLED_BACK


def test_a_group_without_data_is_not_a_perfect_score() -> None:
    """kayenta: a metric group with no data scored 100."""
    assessment = evidence(V.PASS, V.INSUFFICIENT_DATA)
    assert decide(ready(2), assessment, HEALTHY, READY).event is E.HOLD


def test_near_zero_traffic_aborts_nothing() -> None:
    """suna #3403: one error among few requests took versions back."""
    few = evidence(V.INSUFFICIENT_DATA, V.INSUFFICIENT_DATA)
    assert run(ready(), *[few] * 20).state is RolloutState.PROGRESSING


def test_a_paused_rollout_waits_for_a_person_however_long() -> None:
    """No state but the ramp's own ever becomes a promotion by waiting."""
    paused = after(ready(2), E.PAUSE)
    ruling = decide(paused, evidence(), HEALTHY, NOW + MONTH)
    assert ruling.event is E.HOLD
    assert decide(after(ready(2), E.OPERATOR_PAUSE), evidence(), HEALTHY, NOW).event is E.HOLD


def test_swapped_arms_do_not_look_like_a_pass() -> None:
    """growthbook #6020: arms were compared the wrong way round.

    The rollout knows its baseline by index 0, never by order of arrival.
    """
    rollout = make()
    assert [(arm.index, arm.name, arm.version) for arm in rollout.arms] == [
        (0, "baseline", 41),
        (1, "candidate", 42),
    ]
    assert HELPFULNESS.direction.value == "down"
