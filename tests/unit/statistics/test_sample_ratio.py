"""The split of units: silent when right, loud when wrong, multiplied over stages."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.peers.primitives import log_dirichlet_multinomial
from pitcanary.errors import EvidenceRefused
from pitcanary.statistics.sample_ratio import CONCENTRATION, StageUnits, sample_ratio

SHARES = (0.95, 0.05)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=4))
def test_stages_multiply(counts: list[tuple[int, int]]) -> None:
    found = sample_ratio([StageUnits(pair, SHARES) for pair in counts]).log_e
    prior = [CONCENTRATION * share for share in SHARES]
    expected = sum(log_dirichlet_multinomial(pair, SHARES, prior) for pair in counts)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_the_right_split_is_silent_and_a_wrong_one_is_not() -> None:
    right = sample_ratio([StageUnits((95_000, 5_000), SHARES)])
    wrong = sample_ratio([StageUnits((94_000, 6_000), SHARES)])
    assert not right.alarm
    assert right.observed == (0.95, 0.05)
    assert wrong.alarm


def test_no_unit_is_no_evidence() -> None:
    assert sample_ratio([]).log_e == 0
    empty = sample_ratio([StageUnits((0, 0), SHARES)])
    assert (empty.log_e, empty.alarm, empty.observed) == (0.0, False, ())


@pytest.mark.parametrize(
    ("counts", "shares"),
    [((1, 2), (0.5, 0.4)), ((1, 2), (1.0, 0.0)), ((1, 2, 3), SHARES), ((-1, 2), SHARES)],
)
def test_impossible_splits_are_refused(counts: tuple[int, ...], shares: tuple[float, ...]) -> None:
    with pytest.raises(EvidenceRefused, match="cannot be tested"):
        sample_ratio([StageUnits(counts, shares)])


def test_looking_often_raises_no_false_alarm() -> None:
    """2,000 rollouts, 50 looks each: at most one in a thousand may be alarmed, give or take."""
    rng = np.random.default_rng(20261123)
    alarms = 0
    for path in rng.binomial(400, 0.05, (2000, 50)).cumsum(axis=1):
        looks = zip(400 * np.arange(1, 51), path, strict=True)
        counts = [(int(total - candidate), int(candidate)) for total, candidate in looks]
        alarms += any(sample_ratio([StageUnits(pair, SHARES)]).alarm for pair in counts)
    assert alarms <= 6  # 99 % bound of 2,000 draws at .001


def test_six_instead_of_five_per_cent_is_found_early() -> None:
    rng = np.random.default_rng(20261123)
    found = []
    for path in rng.binomial(200, 0.06, (300, 150)).cumsum(axis=1):
        looks = enumerate(path, start=1)
        hit = next(
            (
                200 * look
                for look, candidate in looks
                if sample_ratio(
                    [StageUnits((200 * look - int(candidate), int(candidate)), SHARES)]
                ).alarm
            ),
            math.inf,
        )
        found.append(hit)
    assert np.median(found) <= 10_000
