"""The gate: one rule after the other, then the laws that all of them keep."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitcanary.model.action import Event, Reason
from pitcanary.model.assessment import Assessment
from pitcanary.model.health import Health
from pitcanary.model.metric import Role
from pitcanary.model.rollout import Rollout, RolloutState
from pitcanary.model.spec import DeadlinePolicy, Horizon, Response, Stage
from pitcanary.model.verdict import Verdict
from pitcanary.rollout.gate import Ruling, decide, worth_recording
from pitcanary.rollout.machine import Cause, apply
from tests.unit.rollout.cases import (
    ERROR,
    HEALTHY,
    HELPFULNESS,
    MINUTE,
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
HOUR = timedelta(hours=1)
DEADLINE = timedelta(hours=24, minutes=10)


def rule(
    assessment: Assessment | None = None,
    health: Health = HEALTHY,
    rollout: Rollout | None = None,
    now: datetime = READY,
) -> Ruling:
    return decide(rollout or ready(), assessment, health, now)


def outcome(ruling: Ruling) -> tuple[Event, Reason]:
    return ruling.event, ruling.reason


# --- what raises the share --------------------------------------------------------


def test_a_pass_of_every_gating_metric_opens_the_next_stage() -> None:
    ruling = rule(evidence())
    assert outcome(ruling) == (E.ADVANCE, Reason.PASSED)
    assert "stage 1 of 3" in ruling.rule
    assert "5%" in ruling.rule


def test_a_pass_at_the_last_stage_promotes() -> None:
    assert outcome(rule(evidence(), rollout=ready(stage=2))) == (E.PROMOTE, Reason.PASSED)


def test_the_first_tick_starts() -> None:
    assert outcome(rule(rollout=make())) == (E.START, Reason.STARTED)


@pytest.mark.parametrize(
    ("error", "refusal", "expected"),
    [
        (V.PASS, V.INCONCLUSIVE, Reason.WAITING_EVIDENCE),
        (V.INCONCLUSIVE, V.INCONCLUSIVE, Reason.WAITING_EVIDENCE),
        (V.PASS, V.INSUFFICIENT_DATA, Reason.INSUFFICIENT_DATA),
        (V.INCONCLUSIVE, V.INSUFFICIENT_DATA, Reason.INSUFFICIENT_DATA),
        (V.PASS, V.MEASUREMENT_ERROR, Reason.MEASUREMENT_ERROR),
        (V.INSUFFICIENT_DATA, V.MEASUREMENT_ERROR, Reason.MEASUREMENT_ERROR),
    ],
)
def test_anything_but_a_pass_holds(error: Verdict, refusal: Verdict, expected: Reason) -> None:
    ruling = rule(evidence(error, refusal))
    assert outcome(ruling) == (E.HOLD, expected)
    assert "refusal" in ruling.metrics
    assert (ruling.deadline, ruling.then) == (NOW + DEADLINE, Response.PAUSE)


def test_a_metric_taken_out_by_an_operator_does_not_block() -> None:
    assessment = replace(evidence(refusal=V.MUTED), may_advance=True)
    assert rule(assessment).event is E.ADVANCE


def test_nothing_raises_the_share_when_every_metric_is_muted() -> None:
    assessment = replace(evidence(V.MUTED, V.MUTED), may_advance=True)
    assert rule(assessment).event is E.HOLD


def test_a_metric_that_the_evidence_does_not_know_is_named() -> None:
    ruling = rule(replace(evidence(), metrics=evidence().metrics[:1]))
    assert outcome(ruling) == (E.HOLD, Reason.INSUFFICIENT_DATA)
    assert ruling.metrics == ("refusal",)


def test_an_assessment_for_a_smaller_share_is_none() -> None:
    assert rule(evidence(share=0.01), rollout=ready(stage=1)).event is E.HOLD
    assert rule(evidence(share=0.05), rollout=ready(stage=1)).event is E.ADVANCE


def test_the_full_stage_is_judged_at_what_the_candidate_owns() -> None:
    assert rule(evidence(share=0.95), rollout=ready(stage=2)).event is E.PROMOTE


# --- what takes the candidate back ------------------------------------------------


@pytest.mark.parametrize(
    "rollout",
    [
        pytest.param(make(), id="pending"),
        pytest.param(ready(), id="progressing"),
        pytest.param(after(ready(), E.PAUSE), id="paused by the gate"),
        pytest.param(after(ready(), E.OPERATOR_PAUSE), id="paused by a person"),
        pytest.param(after(ready(stage=2), E.PROMOTE), id="promoting"),
    ],
)
@pytest.mark.parametrize(
    "health",
    [
        pytest.param(HEALTHY, id="healthy"),
        pytest.param(Health(), id="nobody reports"),
        pytest.param(replace(HEALTHY, sample_ratio_log_e=50.0), id="wrong split"),
        pytest.param(replace(HEALTHY, evidence_age=HOUR), id="stale"),
    ],
)
def test_harm_takes_the_candidate_back_from_every_state(rollout: Rollout, health: Health) -> None:
    ruling = rule(evidence(refusal=V.REGRESSED), health, rollout)
    assert outcome(ruling) == (E.ROLLBACK, Reason.REGRESSED)
    assert ruling.metrics == ("refusal",)
    assert after(rollout, ruling.event).state is RolloutState.ROLLED_BACK


def test_harm_that_no_metric_owns_alone_takes_it_back_as_well() -> None:
    assessment = replace(evidence(V.INCONCLUSIVE), harmed=True, suspects=("error",))
    assert outcome(rule(assessment)) == (E.ROLLBACK, Reason.REGRESSED)


def test_a_metric_that_only_reports_decides_nothing() -> None:
    reported = replace(REFUSAL, role=Role.REPORT)
    good = evidence()
    metrics = (good.metrics[0], figures(reported, V.REGRESSED), good.metrics[2])
    rollout = ready(spec=replace(SPEC, metrics=(ERROR, reported, HELPFULNESS)))
    assert rule(replace(good, metrics=metrics), rollout=rollout).event is E.ADVANCE


@pytest.mark.parametrize(
    ("trips", "fleet", "event"),
    [
        pytest.param(1, 1, E.ROLLBACK, id="one in a fleet of one"),
        pytest.param(1, 10, E.HOLD, id="one of many holds the ramp"),
        pytest.param(2, 10, E.ROLLBACK, id="two of many"),
        pytest.param(1, 0, E.ROLLBACK, id="one that is gone again"),
    ],
)
def test_tripped_breakers(trips: int, fleet: int, event: Event) -> None:
    health = replace(
        HEALTHY, breaker_trips=trips, sidecars_expected=fleet, sidecars_reporting=fleet
    )
    assert outcome(rule(evidence(), health)) == (event, Reason.BREAKER)


def test_an_override_is_not_taken_back_by_the_harm_it_knew_of() -> None:
    overridden = replace(after(ready(), E.OPERATOR_PROMOTE), muted=("refusal",))
    # What is muted is out of today's average, and the running maximum remembers it.
    known = replace(evidence(refusal=V.MUTED), harmed=True, log_e_peak=4.0)
    assert outcome(rule(known, rollout=overridden)) == (E.COMPLETE, Reason.FLEET_SERVES)
    unnamed = replace(known, log_e=3.1)
    assert outcome(rule(unnamed, rollout=overridden)) == (E.ROLLBACK, Reason.REGRESSED)
    worse = evidence(V.REGRESSED, V.REGRESSED)
    ruling = rule(worse, rollout=overridden)
    assert outcome(ruling) == (E.ROLLBACK, Reason.REGRESSED)
    assert ruling.metrics == ("error",)


# --- signals ----------------------------------------------------------------------


def test_a_harmed_signal_pauses_and_resumes_on_recovery() -> None:
    ruling = rule(evidence(helpfulness=V.REGRESSED))
    assert outcome(ruling) == (E.PAUSE, Reason.SIGNAL_HARMED)
    paused = pause_for(Reason.SIGNAL_HARMED)
    assert rule(evidence(helpfulness=V.REGRESSED), rollout=paused).event is E.HOLD
    recovered = rule(evidence(helpfulness=V.INCONCLUSIVE), rollout=paused)
    assert outcome(recovered) == (E.RESUME, Reason.SIGNAL_RECOVERED)


def test_a_person_who_resumes_over_a_harmed_signal_is_not_paused_again() -> None:
    paused = pause_for(Reason.SIGNAL_HARMED)
    anyway = Cause(Reason.OPERATOR, "anyway", "ada", READY, muted=("helpfulness",))
    resumed = apply(paused, E.OPERATOR_RESUME, anyway).after
    before_the_next_seal = evidence(helpfulness=V.REGRESSED)
    assert rule(before_the_next_seal, rollout=resumed).event is E.HOLD
    later = replace(HEALTHY, evidence_age=timedelta(0))
    muted = evidence(helpfulness=V.MUTED)
    assert rule(muted, later, resumed, READY + 11 * MINUTE).event is E.ADVANCE
    unaware = apply(after(ready(), E.OPERATOR_PAUSE), E.OPERATOR_RESUME, anyway).after
    assert rule(before_the_next_seal, rollout=unaware).event is E.PAUSE


@pytest.mark.parametrize("verdict", [V.MEASUREMENT_ERROR, V.INSUFFICIENT_DATA])
def test_a_signal_that_is_not_measured_has_not_recovered(verdict: Verdict) -> None:
    paused = pause_for(Reason.SIGNAL_HARMED)
    assert rule(evidence(helpfulness=verdict), rollout=paused).event is E.HOLD
    assert rule(None, rollout=paused).event is E.HOLD


def test_other_pauses_wait_for_a_person() -> None:
    for reason in (Reason.WAITING_EVIDENCE, Reason.INSUFFICIENT_DATA, Reason.HORIZON):
        ruling = rule(evidence(), rollout=pause_for(reason))
        assert outcome(ruling) == (E.HOLD, Reason.PAUSED)
        assert reason.value in ruling.rule


def pause_for(reason: Reason) -> Rollout:
    paused = after(ready(), E.PAUSE)
    assert paused.pause is not None
    return replace(paused, pause=replace(paused.pause, reason=reason))


# --- health -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"sidecars_reporting": 8}, Reason.COVERAGE, id="8 of 10 report"),
        pytest.param({"sidecars_expected": 0, "sidecars_reporting": 0}, Reason.COVERAGE, id="none"),
        pytest.param({"sample_ratio_log_e": 7.0}, Reason.SAMPLE_RATIO, id="wrong split"),
        pytest.param({"units_mixed": 101}, Reason.MULTIPLE_EXPOSURE, id="units met two arms"),
        pytest.param({"drift": True}, Reason.DRIFT, id="both arms degrade"),
        pytest.param({"evidence_age": 31 * timedelta(seconds=1)}, Reason.STALE, id="old counts"),
        pytest.param({"evidence_age": None}, Reason.STALE, id="no counts at all"),
    ],
)
def test_doubtful_evidence_holds_and_pauses_but_never_takes_back(
    change: dict[str, object], reason: Reason
) -> None:
    health = replace(HEALTHY, **change)  # type: ignore[arg-type]
    eager = with_policies(
        on_insufficient_data=DeadlinePolicy(Response.ROLLBACK, HOUR, Response.ROLLBACK)
    )
    assert outcome(rule(evidence(), health)) == (E.HOLD, reason)
    assert outcome(rule(evidence(), health, now=NOW + DEADLINE)) == (E.PAUSE, reason)
    assert outcome(rule(evidence(), health, ready(spec=eager))) == (E.PAUSE, reason)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"sidecars_reporting": 9}, id="9 of 10 report"),
        pytest.param({"sample_ratio_log_e": 6.9}, id="a split that may be chance"),
        pytest.param({"sample_ratio_log_e": None}, id="a split not tested yet"),
        pytest.param({"units_mixed": 100}, id="as many mixed units as allowed"),
        pytest.param({"units": 99, "units_mixed": 99}, id="too few units to tell"),
        pytest.param({"evidence_age": timedelta(seconds=30)}, id="two ticks old"),
        pytest.param(
            {"evidence_age": 3 * MINUTE, "flush_interval": 2 * MINUTE}, id="a slow, large fleet"
        ),
    ],
)
def test_what_is_good_enough_passes(change: dict[str, object]) -> None:
    health = replace(HEALTHY, **change)  # type: ignore[arg-type]
    assert rule(evidence(), health).event is E.ADVANCE


def test_a_silent_arm_is_no_traffic_with_its_own_policy() -> None:
    silent = after(make(), E.START).counted((500, 0), READY)
    ruling = rule(evidence(), rollout=silent)
    assert outcome(ruling) == (E.HOLD, Reason.NO_TRAFFIC)
    assert "`candidate`" in ruling.rule
    spec = with_policies(on_no_traffic=DeadlinePolicy(Response.HOLD, HOUR, Response.ROLLBACK))
    silent = after(make(spec), E.START)
    late = rule(None, rollout=silent, now=NOW + HOUR + 10 * MINUTE)
    assert outcome(late) == (E.ROLLBACK, Reason.NO_TRAFFIC)


# --- time, outcomes, deadlines, horizon --------------------------------------------


def test_a_stage_lasts_its_least_time_and_counts_its_least_outcomes() -> None:
    ruling = rule(evidence(), now=NOW + 9 * MINUTE)
    assert outcome(ruling) == (E.HOLD, Reason.WAITING_MIN_TIME)
    assert ruling.deadline == NOW + 10 * MINUTE
    spec = replace(SPEC, stages=(Stage(10_000, min_outcomes=1_001),))
    ruling = rule(evidence(), rollout=ready(spec=spec))
    assert outcome(ruling) == (E.HOLD, Reason.WAITING_MIN_OUTCOMES)
    assert "1000 of 1001" in ruling.rule


@pytest.mark.parametrize("then", list(Response))
@pytest.mark.parametrize(
    ("field", "verdict"),
    [("on_inconclusive", V.INCONCLUSIVE), ("on_insufficient_data", V.INSUFFICIENT_DATA)],
)
def test_the_owner_says_what_follows_a_deadline(
    field: str, verdict: Verdict, then: Response
) -> None:
    spec = with_policies(**{field: DeadlinePolicy(Response.HOLD, HOUR, then)})
    rollout, doubt = ready(spec=spec), evidence(verdict)
    ends = NOW + 10 * MINUTE + HOUR
    before = rule(doubt, rollout=rollout, now=ends - timedelta(microseconds=1))
    assert (before.event, before.deadline, before.then) == (E.HOLD, ends, then)
    late = replace(HEALTHY, evidence_age=timedelta(0))
    assert rule(doubt, late, rollout, ends).event.value == then.value
    assert "deadline has passed" in rule(doubt, late, rollout, ends).rule


@pytest.mark.parametrize("action", list(Response))
def test_an_eager_policy_still_waits_for_the_least_time(action: Response) -> None:
    spec = with_policies(on_no_traffic=DeadlinePolicy(action, HOUR, Response.PAUSE))
    silent = after(make(spec), E.START)
    assert rule(None, rollout=silent, now=NOW + MINUTE).event is E.HOLD
    assert rule(None, rollout=silent).event.value == action.value


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(with_policies(horizon=Horizon(11 * MINUTE)), id="by time"),
        pytest.param(with_policies(horizon=Horizon(max_outcomes=11_000)), id="by outcomes"),
    ],
)
def test_the_horizon_holds_then_pauses_and_never_promotes(spec: object) -> None:
    assert isinstance(spec, type(SPEC))
    rollout = ready(stage=2, spec=spec)
    assert outcome(rule(evidence(), rollout=rollout)) == (E.HOLD, Reason.HORIZON)
    later = READY + timedelta(hours=24)
    assert outcome(rule(evidence(), rollout=rollout, now=later)) == (E.PAUSE, Reason.HORIZON)


def test_a_stage_whose_looks_are_spent_is_at_its_horizon() -> None:
    rollout = after(make(), E.START)
    for _ in range(256):
        rollout = rollout.counted((10, 10), READY)
    assert outcome(rule(evidence(), rollout=rollout)) == (E.HOLD, Reason.HORIZON)


def test_after_a_long_outage_stages_open_one_at_a_time() -> None:
    """Overdue stages are not skipped: each needs a pass of its own."""
    much_later = NOW + timedelta(days=2)
    fresh = rule(evidence(share=0.01), rollout=ready(), now=much_later)
    advanced = after(ready(), fresh.event, at=much_later)
    assert advanced.stage is not None
    assert advanced.stage.index == 1
    again = rule(evidence(share=0.01), rollout=advanced, now=much_later)
    assert outcome(again) == (E.HOLD, Reason.WAITING_MIN_TIME)


# --- the end ----------------------------------------------------------------------


def test_a_promotion_completes_when_the_connected_fleet_serves_it() -> None:
    promoting = after(ready(stage=2), E.PROMOTE, at=READY)
    behind = replace(HEALTHY, sidecars_behind=("pod-7",))
    ruling = rule(evidence(), behind, promoting)
    assert outcome(ruling) == (E.HOLD, Reason.WAITING_FLEET)
    assert "`pod-7`" in ruling.rule
    assert rule(evidence(), HEALTHY, promoting).event is E.COMPLETE
    late = rule(evidence(), behind, promoting, READY + 15 * MINUTE)
    assert late.event is E.COMPLETE
    assert "`pod-7`" in late.rule


@pytest.mark.parametrize("event", [E.ROLLBACK, E.OPERATOR_ABORT])
def test_an_ended_rollout_is_not_decided(event: Event) -> None:
    with pytest.raises(ValueError, match="has ended"):
        rule(evidence(), rollout=after(ready(), event))


def test_what_is_worth_a_record() -> None:
    rollout = replace(ready(), reason=Reason.NO_TRAFFIC)
    same = Ruling(E.HOLD, Reason.NO_TRAFFIC, "")
    assert not worth_recording(rollout, same, sealed=False)
    assert worth_recording(rollout, same, sealed=True)
    assert worth_recording(rollout, replace(same, reason=Reason.STALE), sealed=False)
    assert worth_recording(rollout, replace(same, event=E.PAUSE), sealed=False)


# --- laws -------------------------------------------------------------------------

verdicts = st.sampled_from(Verdict)
evidences = st.none() | st.builds(evidence, verdicts, verdicts, verdicts)
healths = st.builds(
    Health,
    sidecars_expected=st.integers(0, 5),
    sidecars_reporting=st.integers(0, 5),
    sidecars_behind=st.sampled_from([(), ("a",)]),
    breaker_trips=st.sampled_from([0, 0, 0, 1, 2]),
    evidence_age=st.none() | st.timedeltas(timedelta(0), HOUR),
    sample_ratio_log_e=st.none() | st.floats(-5, 10),
    units=st.integers(0, 500),
    units_mixed=st.integers(0, 50),
    drift=st.booleans(),
)
rollouts = st.sampled_from(
    [
        make(),
        *[ready(stage) for stage in range(3)],
        after(ready(), E.PAUSE),
        pause_for(Reason.SIGNAL_HARMED),
        after(ready(), E.OPERATOR_PAUSE),
        after(ready(2), E.PROMOTE),
    ]
)
moments = st.timedeltas(timedelta(0), timedelta(days=9)).map(lambda passed: NOW + passed)


@given(rollouts, evidences, healths, moments)
def test_only_pass_everywhere_raises_a_share(
    rollout: Rollout, found: Assessment | None, health: Health, now: datetime
) -> None:
    ruling = decide(rollout, found, health, now)
    if ruling.event not in (E.ADVANCE, E.PROMOTE):
        return
    assert found is not None
    gating = [m.verdict for m in found.metrics if m.metric.gating]
    assert set(gating) <= {V.PASS, V.MUTED}
    assert V.PASS in gating
    assert rollout.state is RolloutState.PROGRESSING
    assert health.sidecars_reporting >= 0.9 * health.sidecars_expected > 0
    assert health.evidence_age is not None


@given(rollouts, evidences, healths, moments)
def test_nothing_is_taken_back_without_harm_or_breaker(
    rollout: Rollout, found: Assessment | None, health: Health, now: datetime
) -> None:
    ruling = decide(rollout, found, health, now)
    harmed = found is not None and found.harmed
    tripped = health.breaker_trips >= 2 or (
        health.breaker_trips == 1 and health.sidecars_expected <= 1
    )
    assert (ruling.event is E.ROLLBACK) == (harmed or tripped)


@given(rollouts, evidences, healths, moments)
def test_every_ruling_is_one_that_the_machine_accepts(
    rollout: Rollout, found: Assessment | None, health: Health, now: datetime
) -> None:
    ruling = decide(rollout, found, health, now)
    following = after(rollout, ruling.event, at=now)
    assert following.revision == rollout.revision + 1
    assert ruling.rule


GOOD = evidence()
FAULTS: dict[str, tuple[Assessment | None, Health]] = {
    "no assessment": (None, HEALTHY),
    "no metrics": (replace(GOOD, metrics=()), HEALTHY),
    "a metric is missing": (replace(GOOD, metrics=GOOD.metrics[:1]), HEALTHY),
    "a metric errs": (evidence(refusal=V.MEASUREMENT_ERROR), HEALTHY),
    "a guard that gates nothing errs": (evidence(helpfulness=V.MEASUREMENT_ERROR), HEALTHY),
    "too few observations": (evidence(V.INSUFFICIENT_DATA), HEALTHY),
    "inconclusive": (evidence(V.INCONCLUSIVE), HEALTHY),
    "judged for a smaller share": (replace(GOOD, share=0.001), HEALTHY),
    "stale counts": (GOOD, replace(HEALTHY, evidence_age=HOUR)),
    "counts never came": (GOOD, replace(HEALTHY, evidence_age=None)),
    "half the fleet is silent": (GOOD, replace(HEALTHY, sidecars_reporting=5)),
    "nobody is connected": (GOOD, replace(HEALTHY, sidecars_expected=0, sidecars_reporting=0)),
    "wrong split": (GOOD, replace(HEALTHY, sample_ratio_log_e=9.0)),
    "mixed units": (GOOD, replace(HEALTHY, units_mixed=2_000)),
    "both arms drift": (GOOD, replace(HEALTHY, drift=True)),
    "a breaker tripped": (GOOD, replace(HEALTHY, breaker_trips=1)),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stage", [0, 1, 2])
@pytest.mark.parametrize("days", [0, 1, 2, 6, 30])
def test_no_fault_of_the_data_ever_raises_a_share(fault: str, stage: int, days: int) -> None:
    found, health = FAULTS[fault]
    now = READY + timedelta(days=days)
    ruling = decide(ready(stage), found, health, now)
    assert ruling.event in (E.HOLD, E.PAUSE)
    if days == 0:
        assert decide(ready(stage), evidence(), HEALTHY, now).event in (E.ADVANCE, E.PROMOTE)
