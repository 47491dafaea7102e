"""The kernel equals the independent version of every formula, for any cells."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pitcanary import _native
from pitcanary._native import Fold
from tests.unit.statistics import reference
from tests.unit.statistics.cells import Strata, mean_arm, rate_arm, run, strata, stratum


def assert_agree(fold: Fold, contrast: reference.Contrast, data: Strata) -> None:
    found = run(fold, data).evidence()
    state = reference.fold(contrast, [stratum(*pair) for pair in data])
    expected = reference.evidence(contrast, state)
    for name in ("log_worse", "log_better", "estimate", "information", "design_effect"):
        want = getattr(expected, name)
        assert getattr(found, name) == pytest.approx(want, rel=1e-9, abs=1e-9), name


@given(strata(rate_arm()), st.floats(1.0, 4.0))
def test_engine_r(data: Strata, ratio: float) -> None:
    assert_agree(Fold("rate", "up", ratio, 0.0), reference.Contrast("rate", ratio), data)


@given(strata(rate_arm()), st.floats(1e-3, 0.3))
def test_engine_r_with_a_floor(data: Strata, floor: float) -> None:
    contrast = reference.Contrast("rate", 1.1, floor=floor)
    assert_agree(Fold("rate", "up", 1.1, 0.0, floor=floor), contrast, data)


@given(strata(rate_arm()), st.floats(1e-3, 0.3))
def test_engine_r_with_a_difference(data: Strata, difference: float) -> None:
    contrast = reference.Contrast("rate", 1.0, difference)
    assert_agree(Fold("rate", "up", 1.0, difference), contrast, data)


@given(strata(mean_arm()), st.floats(0.5, 2.0), st.floats(0, 500))
def test_engine_t(data: Strata, ratio: float, difference: float) -> None:
    contrast = reference.Contrast("mean", ratio, difference)
    assert_agree(Fold("mean", "up", ratio, difference), contrast, data)


@given(strata(mean_arm()))
def test_engine_t_with_a_worst_value(data: Strata) -> None:
    contrast = reference.Contrast("mean", 1.0, 50.0, worst=6000.0)
    assert_agree(Fold("mean", "up", 1.0, 50.0, worst=6000.0), contrast, data)


@given(strata(mean_arm()), st.sampled_from([0.01, 0.05, 0.2]))
def test_interval(data: Strata, alpha: float) -> None:
    estimate, low, high = run(Fold("mean", "up", 1.0, 0.0), data).interval(alpha)
    contrast = reference.Contrast("mean")
    state = reference.fold(contrast, [stratum(*pair) for pair in data])
    expected = reference.evidence(contrast, state)
    if state.taus is None or expected.information == 0:
        assert (low, high) == (-math.inf, math.inf)
        return
    reach = reference.radius(expected.information, state.taus[0] ** -2, 63, alpha)
    reach /= math.sqrt(expected.information)
    assert estimate == pytest.approx(expected.estimate, rel=1e-9, abs=1e-9)
    assert high == pytest.approx(expected.estimate + reach, rel=1e-9, abs=1e-9)
    assert low == pytest.approx(expected.estimate - reach, rel=1e-9, abs=1e-9)


@given(st.floats(-1e3, 1e3), st.floats(1.0, 300.0))
def test_student_t(x: float, degrees: float) -> None:
    # scipy keeps eight digits near 0; tests/vectors/student_t.json asks for twelve.
    expected = float(stats.t.logcdf(x, degrees))
    if math.isfinite(expected):
        found = _native.student_t_ln_cdf(x, degrees)
        assert found == pytest.approx(expected, rel=1e-8, abs=1e-14)


@given(st.floats(-30, 30), st.floats(0, 1e9), st.floats(1e-3, 1e6), st.floats(5, 200))
def test_t_mixtures(t: float, v: float, rho: float, nu: float) -> None:
    two = _native.t_mixture(t, v, rho, nu, 2)
    assert two == pytest.approx(reference.t_two_sided(t, v, rho, nu), rel=1e-9, abs=1e-9)
    one = _native.t_mixture(t, v, rho, nu, 1)
    assert one == pytest.approx(reference.t_one_sided(t, v, rho, nu), rel=1e-9, abs=1e-9)


@given(st.integers(1, 40), st.floats(1, 40))
def test_the_t_mixture_is_an_e_value(scale: int, nu: float) -> None:
    """Its mean under t with the same degrees of freedom is 1, by quadrature in the quantiles."""
    points = (np.arange(20_000) + 0.5) / 20_000
    values = stats.t.ppf(points, nu)
    e_values = [math.exp(_native.t_mixture(float(t), 1.0, 10.0 * scale, nu, 2)) for t in values]
    assert sum(e_values) / len(e_values) == pytest.approx(1.0, abs=0.02)
