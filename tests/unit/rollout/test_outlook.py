"""What people are told can happen next."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pitcanary.model.action import Action, Event
from pitcanary.model.rollout import Rollout
from pitcanary.model.verdict import Verdict
from pitcanary.rollout.gate import decide
from pitcanary.rollout.outlook import next_line, next_steps
from tests.unit.rollout.cases import HEALTHY, MINUTE, NOW, READY, after, evidence, make, ready

E, V = Event, Verdict


def line(rollout: Rollout, *verdicts: Verdict, minutes: int = 11) -> str:
    ruling = decide(rollout, evidence(*verdicts), HEALTHY, NOW + minutes * MINUTE)
    return next_line(next_steps(rollout, ruling))


def test_a_running_stage_says_what_raises_what_takes_back_and_what_waits() -> None:
    assert line(ready(), V.PASS, V.INCONCLUSIVE) == (
        "if `refusal` passes and nothing else fails → advance 5%; "
        "if `error` or `refusal` shows harm → rollback; "
        "if `helpfulness` shows harm → pause; "
        "at 2026-11-24 14:10 UTC → pause"
    )


def test_before_its_least_time_a_stage_says_from_when_it_may_rise() -> None:
    text = line(ready(), minutes=3)
    assert text.startswith("from 2026-11-23 14:10 UTC if every gating metric passes → advance 5%; ")


def test_the_last_stage_promotes() -> None:
    assert "→ promote;" in line(ready(2), V.INCONCLUSIVE)


def test_a_pause_waits_for_a_person_and_guards_stay() -> None:
    text = line(after(ready(), E.OPERATOR_PAUSE))
    assert text == "if a person resumes → resume; if `error` or `refusal` shows harm → rollback"


def test_a_signal_may_recover() -> None:
    ruling = decide(ready(), evidence(helpfulness=V.REGRESSED), HEALTHY, READY)
    paused = after(ready(), ruling.event)
    again = decide(paused, evidence(helpfulness=V.REGRESSED), HEALTHY, READY)
    assert next_steps(paused, again)[0].action is Action.RESUME


def test_pending_and_promoting_say_what_they_wait_for() -> None:
    assert line(make()) == "if the next tick comes → start 1%"
    assert "→ complete" in line(after(ready(2), E.PROMOTE))


@pytest.mark.parametrize("event", [E.ROLLBACK, E.OPERATOR_ABORT])
def test_an_ended_rollout_has_nothing_next(event: Event) -> None:
    ruling = decide(ready(), evidence(), HEALTHY, READY)
    assert next_steps(after(ready(), event), ruling) == ()


def test_whoever_shows_the_line_chooses_the_clock() -> None:
    ruling = decide(ready(), evidence(V.INCONCLUSIVE), HEALTHY, READY)
    steps = next_steps(ready(), ruling)
    text = next_line(steps, show=lambda at: f"in {at - READY}")
    assert f"in {timedelta(hours=24, minutes=-1)}" in text
