"""Write `student_t.json` and `normal_quantile.json` with 50 digits of precision.

Uses mpmath only, so the vectors share no code with the kernel or with scipy.

    pip install mpmath
    python tests/vectors/generate_special.py
"""

from __future__ import annotations

import json
from pathlib import Path

from mpmath import betainc, erfc, findroot, log, mp, mpf, sqrt

mp.dps = 50
FOLDER = Path(__file__).parent
ARGUMENTS = [-1e5, -1e3, -64.0, -20.0, -8.0, -3.2, -1.75, -1.7, -1.0, -0.25, -1e-6]
DEGREES = [1.0, 2.5, 31.0, 63.0, 64.0, 127.0, 1e4]
TAILS = [(2 * 16 - 2 * j - 1) / (4 * 16) for j in range(16)] + [0.5, 1e-3, 1e-9, 1e-100]


def ln_lower_tail(x: float, degrees: float) -> mpf:
    """ln F(x) for x ≤ 0 through the incomplete beta function."""
    n, t = mpf(degrees), mpf(x)
    return log(betainc(n / 2, mpf("0.5"), 0, n / (n + t * t), regularized=True) / 2)


def student_t() -> list[dict[str, float]]:
    cases = []
    for degrees in DEGREES:
        for x in ARGUMENTS:
            lower = ln_lower_tail(x, degrees)
            upper = mp.log1p(-mp.exp(lower))
            cases.append({"x": x, "degrees": degrees, "ln_cdf": float(lower)})
            cases.append({"x": -x, "degrees": degrees, "ln_cdf": float(upper)})
    return cases


def normal_quantile() -> list[dict[str, float]]:
    def upper(tail: float) -> float:
        guess = sqrt(max(mpf(0), -2 * log(2 * mpf(tail))))
        return float(findroot(lambda z: log(erfc(z / sqrt(2)) / 2) - log(mpf(tail)), guess))

    return [{"tail": tail, "z": upper(tail)} for tail in TAILS]


if __name__ == "__main__":
    for name, cases in (("student_t", student_t()), ("normal_quantile", normal_quantile())):
        text = json.dumps(cases, indent=0).replace("\n", " ").replace("}, {", "},\n{")
        (FOLDER / f"{name}.json").write_text(text + "\n")
