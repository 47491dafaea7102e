"""Every engine formula a second time, with numpy and scipy, sharing no code with Rust.

Written for clarity: plain arrays over all strata, no running state where it can be
avoided. The tests hold the kernel to it within 1e-9.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import integrate, special, stats

Array = npt.NDArray[np.float64]
SLICES = 64
GRID = 16


@dataclass
class Stratum:
    """Oriented counts per slice and the sums of squares of both arms."""

    n_b: Array
    n_c: Array
    x_b: Array
    x_c: Array
    xx_b: float = 0.0
    xx_c: float = 0.0


@dataclass
class Contrast:
    family: str
    ratio: float = 1.0
    difference: float = 0.0
    floor: float = 0.0
    worst: float | None = None


@dataclass
class State:
    """What all formulas read: contributions of the strata that were compared."""

    deviation: Array = field(default_factory=lambda: np.zeros(SLICES))
    share: Array = field(default_factory=lambda: np.zeros(SLICES))
    baseline_own: Array = field(default_factory=lambda: np.zeros(SLICES))
    baseline_floor: float = 0.0
    total: float = 0.0
    weight: float = 0.0
    floor: float = 0.0
    free: float = 0.0
    candidate: float = 0.0
    candidate_share: float = 0.0
    magnitude: float = 0.0
    candidate_n: float = 0.0
    worse: Array = field(default_factory=lambda: np.zeros(GRID))
    better: Array = field(default_factory=lambda: np.zeros(GRID))
    better_spread: float | None = None
    taus: tuple[float, float] | None = None


def half_normal_grid(points: int) -> Array:
    return np.asarray(stats.norm.ppf(0.5 + (np.arange(points) + 0.5) / (2 * points)))


def conditional_log_likelihoods(
    x_c: float, x_b: float, share: float, ratio: float, spread: float, points: int
) -> Array:
    """Binomial log-likelihood ratios exactly as the design writes them."""
    alternatives = ratio * np.exp(spread * half_normal_grid(points))
    boundary = share * ratio / (share * ratio + 1 - share)
    theta = share * alternatives / (share * alternatives + 1 - share)
    return x_c * np.log(theta / boundary) + x_b * np.log((1 - theta) / (1 - boundary))


def log_mean_exp(values: Array, divisor: float) -> float:
    return float(special.logsumexp(values / divisor) - math.log(len(values)))


def t_two_sided(t: float, v: float, rho: float, nu: float) -> float:
    r = rho / (v + rho)
    grown = math.log1p(t * t / nu) - math.log1p(r * t * t / nu)
    return 0.5 * math.log(r) + 0.5 * (nu + 1) * grown


def t_one_sided(t: float, v: float, rho: float, nu: float) -> float:
    r = rho / (v + rho)
    argument = t * math.sqrt((1 - r) * (nu + 1) / (nu + r * t * t))
    return math.log(2) + t_two_sided(t, v, rho, nu) + ln_t_cdf(argument, nu + 1)


def ln_t_cdf(x: float, nu: float) -> float:
    """scipy's, except in the far lower tail, where scipy underflows: there by quadrature."""
    if x > -8:
        return float(stats.t.logcdf(x, nu))

    def relative_density(s: float) -> float:
        stretched = 1 + (x * math.exp(s)) ** 2 / nu
        return math.exp(s - (nu + 1) / 2 * math.log(stretched / (1 + x * x / nu)))

    tail, _ = integrate.quad(relative_density, 0, 40, epsabs=0, epsrel=1e-12, limit=200)
    return float(stats.t.logpdf(x, nu)) + math.log(-x * tail)


def radius(v: float, rho: float, nu: float, alpha: float) -> float:
    r = rho / (v + rho)
    a = (r * alpha**2) ** (1 / (nu + 1))
    return math.inf if a <= r else math.sqrt(nu * (1 - a) / (a - r))


def variance(n: float, x: float, xx: float) -> float | None:
    return None if n < 2 else max((xx - x * x / n) / (n - 1), 0.0)


def fold(contrast: Contrast, strata: list[Stratum]) -> State:
    state = State()
    past_b, past_c = np.zeros(3), np.zeros(3)
    for s in strata:
        here_b = np.array([s.n_b.sum(), s.x_b.sum(), s.xx_b])
        here_c = np.array([s.n_c.sum(), s.x_c.sum(), s.xx_c])
        margin = _margin(contrast, past_b)
        if here_b[0] and here_c[0] and margin is not None:
            _add(state, contrast, s, margin, (variance(*past_b), variance(*past_c)))
        past_b, past_c = past_b + here_b, past_c + here_c
        if state.taus is None and past_b[0] >= 30:
            state.taus = _taus(contrast, past_b)
    return state


def _margin(contrast: Contrast, past: Array) -> tuple[float, float] | None:
    widening = max(contrast.floor, contrast.difference)
    if contrast.family == "mean" or widening == 0:
        return contrast.ratio, contrast.difference
    if past[0] < 30 or past[0] * widening < 1:
        return None
    rate = (past[1] + 0.5) / (past[0] + 1)
    floored = 1 + contrast.floor / rate if contrast.floor else 0
    return max(contrast.ratio + contrast.difference / rate, floored), 0.0


def _taus(contrast: Contrast, past: Array) -> tuple[float, float] | None:
    n, x, _ = past
    if contrast.family == "rate":
        rate = (x + 0.5) / (n + 1)
        tau = min(rate * math.log(2), 0.2 * math.sqrt(rate * (1 - rate)))
        return tau, tau
    mean, deviation = x / n, math.sqrt(variance(*past) or 0.0)
    margin = abs(contrast.difference + (contrast.ratio - 1) * mean)
    positive = [tau for tau in (0.2 * deviation, margin, 1e-3 * abs(mean)) if tau > 0]
    return (positive[0], margin or positive[0]) if positive else None


def _add(
    state: State,
    contrast: Contrast,
    s: Stratum,
    margin: tuple[float, float],
    past: tuple[float | None, float | None],
) -> None:
    r0, d = margin
    n_b, n_c, x_b, x_c = s.n_b.sum(), s.n_c.sum(), s.x_b.sum(), s.x_c.sum()
    f_b, f_c = n_b / (n_b + n_c), n_c / (n_b + n_c)
    m = (x_c + x_b - d * n_c) / (r0 * n_c + n_b)
    if contrast.family == "rate":
        m = min(max(m, 0.0), 1.0)
    state.deviation += f_b * (s.x_c - s.n_c * (r0 * m + d)) - r0 * f_c * (s.x_b - s.n_b * m)
    state.share += f_b * s.n_c * n_b / (r0 * n_c + n_b) + r0 * f_c * s.n_b * n_c / (r0 * n_c + n_b)
    state.total += f_b * x_c - r0 * f_c * x_b - d * n_b * n_c / (n_b + n_c)
    state.weight += n_b * n_c / (n_b + n_c)
    state.baseline_own += r0 * f_c * (s.x_b - s.n_b * x_b / n_b)
    state.candidate += f_b * x_c
    state.candidate_share += f_b**2 * n_c
    state.candidate_n += n_c
    state.magnitude += f_b * (abs(x_c) + n_c * abs(d)) + r0 * f_c * abs(x_b)

    def floor(of_candidate: float, of_baseline: float) -> float:
        return float(f_b**2 * n_c * of_candidate + r0**2 * f_c**2 * n_b * of_baseline)

    if contrast.family == "rate":
        mu, p_b, p_c = min(r0 * m + d, 1.0), x_b / n_b, x_c / n_c
        state.floor += floor(mu * (1 - mu), m * (1 - m))
        state.free += floor(p_c * (1 - p_c), p_b * (1 - p_b))
        state.baseline_floor += r0**2 * f_c**2 * n_b * p_b * (1 - p_b)
        if state.better_spread is None:
            state.better_spread = max(math.log(r0), 0.2)
        state.worse += conditional_log_likelihoods(x_c, x_b, f_c, r0, math.log(2), GRID)
        state.better += conditional_log_likelihoods(x_c, x_b, f_c, r0, -state.better_spread, GRID)
        return
    known_b = _first(variance(n_b, x_b, s.xx_b), past[0])
    known_c = _first(variance(n_c, x_c, s.xx_c), past[1])
    state.floor += floor(_first(known_c, known_b) or 0.0, _first(known_b, known_c) or 0.0)
    state.baseline_floor += r0**2 * f_c**2 * n_b * (_first(known_b, known_c) or 0.0)


def _first(value: float | None, other: float | None) -> float | None:
    return other if value is None else value


@dataclass
class Result:
    log_worse: float
    log_better: float
    estimate: float
    information: float
    design_effect: float


def evidence(contrast: Contrast, state: State) -> Result:
    estimate = state.total / state.weight if state.weight else 0.0
    residual = state.deviation - estimate * state.share
    spread = float(((residual - residual.mean()) ** 2).sum() * SLICES / (SLICES - 1))
    null_spread = float((state.deviation**2).sum())
    noise = (state.magnitude / 2**30) ** 2
    unseen = 0.0
    if contrast.worst is not None and state.candidate_n:
        distance = contrast.worst - state.candidate / state.weight
        unseen = state.candidate_share * 3 * distance**2 / state.candidate_n
    v_up = max(state.floor, spread, noise)
    own = float((state.baseline_own**2).sum() * SLICES / (SLICES - 1))
    repeated = state.floor * _effect(own, state.baseline_floor)
    v_down = max(repeated + unseen, null_spread, noise)
    information = state.weight**2 / v_up if v_up else 0.0
    if contrast.family == "rate":
        effect = _effect(spread, state.free)
        up = log_mean_exp(state.worse, effect)
        down = log_mean_exp(state.better, _effect(v_down, state.floor))
        return Result(up, down, estimate, information, effect)
    effect = _effect(spread, state.floor)
    if state.taus is None or state.candidate_n < 30 or not v_up or not v_down:
        return Result(0.0, 0.0, estimate, information, effect)
    up = _engine_t(state.total, state.weight, v_up, state.taus[0])
    down = _engine_t(-state.total, state.weight, v_down, state.taus[1])
    return Result(up, down, estimate, information, effect)


def _engine_t(total: float, weight: float, v: float, tau: float) -> float:
    return t_one_sided(total / math.sqrt(v), weight**2 / v, tau**-2, SLICES - 1)


def _effect(spread: float, independent: float) -> float:
    return max(spread / independent, 1.0) if independent > 0 else 1.0
