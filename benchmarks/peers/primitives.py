"""Sequential tests of other systems and papers, with numpy and scipy.

Used by benchmarks and tests only; nothing here decides about a rollout. Each function
names its source, and `tests/unit/statistics/test_reference_values.py` holds it to the
source's own published values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from scipy import optimize, special, stats


def normal_mixture_rho(v_opt: float, alpha: float, *, sides: int) -> float:
    """The mixture's precision that is narrowest at `v_opt` (Howard et al. 1810.08240)."""
    level = math.log(1 / (alpha if sides == 2 else 2 * alpha))
    return v_opt / (2 * level + math.log(1 + 2 * level))


def log_normal_mixture(s: float, v: float, rho: float, *, sides: int) -> float:
    """Normal mixture over the drift of a sum `s` with variance `v` (equations 14 and 15)."""
    two = 0.5 * math.log(rho / (v + rho)) + s * s / (2 * (v + rho))
    if sides == 2:
        return two
    return math.log(2) + two + float(stats.norm.logcdf(s / math.sqrt(v + rho)))


def normal_mixture_bound(v: float, alpha: float, rho: float, *, sides: int) -> float:
    """The sum at which the mixture reaches 1/alpha."""
    return _bound(lambda s: log_normal_mixture(s, v, rho, sides=sides), alpha, v)


def log_msprt(estimate: float, variance: float, tau: float) -> float:
    """Mixture SPRT of Johari et al. 1512.04922: normal mixture with variance tau² of the effect."""
    total = variance + tau * tau
    exponent = (tau * estimate) ** 2 / (2 * variance * total)
    return 0.5 * math.log(variance / total) + exponent


def log_gamma_exponential(s: float, v: float, rho: float, *, c: float) -> float:
    """Gamma-exponential mixture for sub-exponential sums (Howard et al., proposition 9)."""
    a, b = rho / c**2, (v + rho) / c**2
    x = (c * s + v + rho) / c**2
    leading = a * math.log(a) - special.gammaln(a) - math.log(special.gammainc(a, a))
    trailing = special.gammaln(b) + math.log(special.gammainc(b, x)) - b * math.log(x)
    return float(leading + trailing + (c * s + v) / c**2)


def gamma_exponential_bound(v: float, alpha: float, rho: float, *, c: float) -> float:
    """The sum at which that mixture reaches 1/alpha."""
    return _bound(lambda s: log_gamma_exponential(s, v, rho, c=c), alpha, v)


def log_beta_binomial(
    s: float, v: float, rho: float, limits: tuple[float, float], *, sides: int
) -> float:
    """Beta-binomial mixture for increments within (−g, h) (Howard et al., proposition 7)."""
    g, h = limits
    r = max(rho - g * h, 1e-3 * g * h)
    cut = 1.0 if sides == 2 else h / (g + h)

    def log_beta(extra: float, sum_: float) -> float:
        a = (r + extra - g * sum_) / (g * (g + h))
        b = (r + extra + h * sum_) / (h * (g + h))
        return float(special.betaln(a, b) + math.log(special.betainc(a, b, cut)))

    constant = v / (g * h) * math.log(g + h)
    constant -= (v + h * s) / (h * (g + h)) * math.log(g)
    constant -= (v - g * s) / (g * (g + h)) * math.log(h)
    return constant + log_beta(v, s) - log_beta(0.0, 0.0)


def bernoulli_interval(
    successes: int, n: int, t_opt: float, *, alpha: float
) -> tuple[float, float]:
    """Anytime-valid interval of a probability by the two-sided beta-binomial mixture."""

    def log_e(p: float) -> float:
        variance = p * (1 - p)
        rho = normal_mixture_rho(t_opt * variance, 0.05, sides=2)
        s = successes - n * p
        return log_beta_binomial(s, n * variance, rho, (p, 1 - p), sides=2) + math.log(alpha)

    mean = successes / n
    return (
        float(optimize.brentq(log_e, 1e-9, mean, xtol=1e-12)),
        float(optimize.brentq(log_e, mean, 1 - 1e-9, xtol=1e-12)),
    )


def log_dirichlet_multinomial(
    counts: Sequence[int], shares: Sequence[float], prior: Sequence[float]
) -> float:
    """Log Bayes factor of a split other than `shares` (Lindon and Malek 2011.03567)."""
    total = float(special.gammaln(sum(prior)) - special.gammaln(sum(prior) + sum(counts)))
    for n, share, a in zip(counts, shares, prior, strict=True):
        total += float(special.gammaln(a + n) - special.gammaln(a)) - n * math.log(share)
    return total


def growthbook_sequential(
    baseline: tuple[float, float, int],
    candidate: tuple[float, float, int],
    *,
    alpha: float = 0.05,
    tuning: float = 5000,
) -> tuple[float, float, float]:
    """GrowthBook's sequential interval of the relative effect: estimate, low, high.

    Arms are (sum, sum of squares, n). Asymptotic sequence of Waudby-Smith et al.
    2103.06476, delta method for the ratio.
    """
    (mean_a, var_a), (mean_b, var_b) = _moments(*baseline), _moments(*candidate)
    estimate = mean_b / mean_a - 1
    variance = var_b / mean_a**2 + var_a * mean_b**2 / mean_a**4
    n = baseline[2] + candidate[2]
    level = -2 * math.log(alpha)
    rho_squared = (level + math.log(level + 1)) / tuning
    grown = n * rho_squared + 1
    reach = math.sqrt(2 * grown * math.log(math.sqrt(grown) / alpha) / (n * rho_squared))
    half = math.sqrt(variance) * reach
    return estimate, estimate - half, estimate + half


def _moments(total: float, squares: float, n: int) -> tuple[float, float]:
    """Mean, and the variance of the mean."""
    mean = total / n
    return mean, (squares - total * total / n) / (n - 1) / n


def turner_two_by_two(
    baseline: Sequence[int], candidate: Sequence[int], *, prior: float = 0.18
) -> float:
    """E-value of Turner, Ly and Grünwald 2106.02693 for blocks of one observation per arm.

    Plug-in posterior means before each block, against their average.
    """
    log_e = 0.0
    sums = [0, 0]
    for n, block in enumerate(zip(baseline, candidate, strict=True)):
        thetas = [(total + prior) / (n + 2 * prior) for total in sums]
        null = sum(thetas) / 2
        for theta, y in zip(thetas, block, strict=True):
            log_e += math.log(theta / null if y else (1 - theta) / (1 - null))
        sums = [total + y for total, y in zip(sums, block, strict=True)]
    return math.exp(log_e)


def _bound(log_e: Callable[[float], float], alpha: float, start: float) -> float:
    high = start
    while log_e(high) < -math.log(alpha):
        high *= 2
    return float(optimize.brentq(lambda s: log_e(s) + math.log(alpha), 0.0, high, xtol=1e-12))
