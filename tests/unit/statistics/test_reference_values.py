"""Published reference values of the formulas the engine uses or is compared with."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.peers import primitives
from pitcanary import _native
from tests.unit.statistics import reference

CONDITIONAL = [
    pytest.param(1.0, 1.0, 2.7495539871, id="no margin"),
    pytest.param(1.25, 1.0, 1.0903772130, id="margin 1.25"),
    pytest.param(1.0, 2.0, 1.2524158463, id="two observations count like one"),
]


@pytest.mark.parametrize(("ratio", "effect", "expected"), CONDITIONAL)
def test_conditional_mixture(ratio: float, effect: float, expected: float) -> None:
    found = _native.event_mixture(
        20, 190, share=0.05, ratio=ratio, spread=math.log(2), points=32, design_effect=effect
    )
    assert found == pytest.approx(expected, abs=1e-9)
    values = reference.conditional_log_likelihoods(20, 190, 0.05, ratio, math.log(2), 32)
    assert reference.log_mean_exp(values, effect) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("sides", "expected"), [(1, 3.1525053459), (2, 2.4604072030)])
def test_t_mixture(sides: int, expected: float) -> None:
    assert _native.t_mixture(3.2, 1e6, 1e4, 63, sides) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("alpha", "expected"), [(0.05, 3.3897108570), (0.01, 3.9217640792)])
def test_radius(alpha: float, expected: float) -> None:
    assert _native.interval_radius(1e6, 1e4, 63, alpha) == pytest.approx(expected, abs=1e-9)
    assert reference.radius(1e6, 1e4, 63, alpha) == pytest.approx(expected, abs=1e-9)


def test_sample_ratio_of_ssrm() -> None:
    found = _native.log_sample_ratio([60, 63, 32], [0.4, 0.4, 0.2], 1.0)
    assert found is not None
    uniform = primitives.log_dirichlet_multinomial([60, 63, 32], [0.4, 0.4, 0.2], [1, 1, 1])
    assert uniform == pytest.approx(-4.183813982, abs=1e-8)
    own = primitives.log_dirichlet_multinomial([60, 63, 32], [0.4, 0.4, 0.2], [0.4, 0.4, 0.2])
    assert found == pytest.approx(own, abs=1e-9)


def test_sample_ratio_of_savvi() -> None:
    """Counts at its stopping time; savvi's prior is 100 times the expected shares."""
    shares = [0.1, 0.4, 0.5]
    found = _native.log_sample_ratio([40, 129, 233], shares, 100.0)
    assert found is not None
    assert math.exp(-found) == pytest.approx(0.04845591105969517, rel=1e-9)


def test_normal_mixture_of_confseq() -> None:
    rho = primitives.normal_mixture_rho(100, 0.05, sides=2)
    assert rho == pytest.approx(12.60056, rel=1e-6)
    assert primitives.log_normal_mixture(10, 100, rho, sides=2) == pytest.approx(
        -0.6510052, rel=1e-6
    )
    assert primitives.normal_mixture_bound(100, 0.05, rho, sides=2) == pytest.approx(
        30.35209, rel=1e-6
    )
    one_sided = primitives.normal_mixture_rho(100, 0.05, sides=1)
    bound = primitives.normal_mixture_bound(100, 0.05, one_sided, sides=1)
    assert bound == pytest.approx(27.66071, rel=1e-6)
    assert primitives.log_normal_mixture(10, 100, one_sided, sides=1) == pytest.approx(
        -0.06502391, rel=1e-6
    )


def test_gamma_exponential_of_confseq() -> None:
    rho = primitives.normal_mixture_rho(100, 0.05, sides=1)
    assert primitives.log_gamma_exponential(10, 100, rho, c=2) == pytest.approx(
        -0.2490165, rel=1e-6
    )
    assert primitives.gamma_exponential_bound(100, 0.05, rho, c=2) == pytest.approx(
        33.02017, rel=1e-6
    )


def test_beta_binomial_of_confseq() -> None:
    rho = primitives.normal_mixture_rho(100, 0.05, sides=2)
    two = primitives.log_beta_binomial(10, 100, rho, (0.2, 0.8), sides=2)
    assert two == pytest.approx(-0.6941012, rel=1e-6)
    rho = primitives.normal_mixture_rho(100, 0.05, sides=1)
    one = primitives.log_beta_binomial(10, 100, rho, (0.2, 0.8), sides=1)
    assert one == pytest.approx(-0.07134019, rel=1e-6)


@pytest.mark.parametrize(
    ("successes", "n", "t_opt", "low", "high"),
    [(700, 1000, 100, 0.651629, 0.745949), (5, 50, 50, 0.013021, 0.269264)],
)
def test_bernoulli_interval_of_confseq(
    successes: int, n: int, t_opt: float, low: float, high: float
) -> None:
    found = primitives.bernoulli_interval(successes, n, t_opt, alpha=0.05)
    assert found == pytest.approx((low, high), abs=1e-5)


def test_asymptotic_sequence_is_the_normal_mixture() -> None:
    """Waudby-Smith and others' boundary equals Howard and others' with v = 1 / se²."""
    t, rho, alpha = 250.0, 0.3, 0.05
    product = t * rho**2
    theirs = math.sqrt(
        2 * (product + 1) / (t**2 * rho**2) * math.log(math.sqrt(product + 1) / alpha)
    )
    ours = primitives.normal_mixture_bound(t, alpha, rho**-2, sides=2) / t
    assert theirs == pytest.approx(ours, rel=1e-9)


def test_sequential_interval_of_growthbook() -> None:
    baseline, candidate = (1396.87, 52377.9767, 3000), (2422.7, 134698.29, 3461)
    found = primitives.growthbook_sequential(baseline, candidate, tuning=1000)
    assert found == pytest.approx((0.50336, -0.55844, 1.56516), abs=1e-5)


def test_turner_two_by_two() -> None:
    ya, yb = [1, 1, 1, 1, 1, 1, 0, 1, 1, 1], [0, 0, 1, 0, 1, 0, 0, 0, 0, 0]
    assert primitives.turner_two_by_two(ya, yb) == pytest.approx(11.1502948848, rel=1e-9)


def test_mixture_sprt_is_the_normal_mixture() -> None:
    found = primitives.log_msprt(0.02, 1e-4, 0.01)
    expected = primitives.log_normal_mixture(0.02 / 1e-4, 1e4, 1e4, sides=2)
    assert found == pytest.approx(expected, rel=1e-12)


def test_o_brien_fleming_constant() -> None:
    """Five looks at one-sided .05: the constant 1.749, here by simulation."""
    rng = np.random.default_rng(20261123)
    steps = rng.standard_normal((200_000, 5))
    z = steps.cumsum(axis=1) / np.sqrt(np.arange(1, 6))
    crossed = (z >= 1.749 * np.sqrt(5 / np.arange(1, 6))).any(axis=1).mean()
    assert crossed == pytest.approx(0.05, abs=0.002)
