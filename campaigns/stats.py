"""The statistics of experiments, free of the database. SciPy is loaded when a function needs it: it takes seconds."""

import math
from collections.abc import Sequence
from typing import Any, Literal, cast

Shape = Literal["pocock", "obrien-fleming"]
MAX_LOOKS = 100
NODES = 301  # of the quadrature over each look's statistic; the bounds are then right to 6 digits


def two_proportions(success_a: int, n_a: int, success_b: int, n_b: int) -> tuple[float, float]:
    """The pooled z test of two shares (Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions, 2003).

    Returns `(z, p)`: z is positive when the share of a is the larger, p is two-sided. Where both groups have no
    success, or nothing but successes, the shares are equal: `(0.0, 1.0)`. Raises `ValueError` for an empty group or for
    successes outside 0 to n.
    """
    for name, success, n in (("a", success_a, n_a), ("b", success_b, n_b)):
        if n <= 0:
            raise ValueError(f"n_{name}: must be positive")
        if not 0 <= success <= n:
            raise ValueError(f"success_{name}: must be from 0 to n_{name}")
    pooled = (success_a + success_b) / (n_a + n_b)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
    if error == 0:
        return 0.0, 1.0
    z = (success_a / n_a - success_b / n_b) / error
    return z, math.erfc(abs(z) / math.sqrt(2))


def sample_size(base: float, lift: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """How many people each of two arms needs to tell `base` from `base + lift` (both shares) in a two-sided test.

    The variance is that of the base rate under the null and that of both arms under the alternative (as Fleiss, Levin
    and Paik, with the base rate for the pooled one). Raises `ValueError`, naming the argument, for a share outside 0 to
    1 and for no lift.
    """
    from scipy.stats import norm

    _check_open_share("base", base)
    _check_open_share("power", power)
    _check_open_share("alpha", alpha)
    other = base + lift
    if lift == 0 or not 0 <= other <= 1:
        raise ValueError("lift: must not be 0, and base + lift must be from 0 to 1")
    under_null = norm.isf(alpha / 2) * math.sqrt(2 * base * (1 - base))
    under_alternative = norm.isf(1 - power) * math.sqrt(base * (1 - base) + other * (1 - other))
    return math.ceil(float(((under_null + under_alternative) / lift) ** 2))


def srm(observed: Sequence[int], expected: Sequence[float]) -> float:
    """The p value of a sample ratio mismatch: Pearson's chi-squared test of the counts against the planned ratio.

    `expected` may be shares, weights or counts. A small p (below 0.001 is usual) says that people were not assigned as
    planned, so that the experiment proves nothing (Fabijan et al., KDD 2019). Raises `ValueError`.
    """
    from scipy.stats import chisquare

    if len(observed) != len(expected) or len(observed) < 2:  # noqa: PLR2004
        raise ValueError("observed: needs at least two counts, as many as expected has")
    if min(observed) < 0 or sum(observed) == 0:
        raise ValueError("observed: must be counts, not all of them 0")
    if min(expected) <= 0:
        raise ValueError("expected: must be positive")
    scale = sum(observed) / sum(expected)
    return float(chisquare(observed, [scale * weight for weight in expected]).pvalue)


def group_sequential(looks: int, alpha: float = 0.05, shape: Shape = "pocock") -> list[float]:
    """The bounds of |z| at each of `looks` equally spaced looks, so that all of them together err with `alpha`.

    Two-sided. Pocock's bounds are all equal (Biometrika 64, 1977); those of O'Brien and Fleming fall as 1/sqrt(look)
    (Biometrics 35, 1979), so that early looks hardly spend anything. Found by the recursive integration of Armitage,
    McPherson and Rowe (JRSS A 132, 1969). Raises `ValueError`, naming the argument.
    """
    from scipy.optimize import brentq

    if not 1 <= looks <= MAX_LOOKS:
        raise ValueError(f"looks: must be from 1 to {MAX_LOOKS}")
    _check_open_share("alpha", alpha)
    if shape not in ("pocock", "obrien-fleming"):
        raise ValueError("shape: must be pocock or obrien-fleming")
    falling = shape == "obrien-fleming"

    def bounds(constant: float) -> list[float]:
        return [constant * (math.sqrt(looks / look) if falling else 1.0) for look in range(1, looks + 1)]

    # A constant between that of one look and that of Bonferroni's correction, with room on both sides.
    constant = brentq(lambda c: _error_rate(bounds(c)) - alpha, 1e-6, 20.0, xtol=1e-9)
    return bounds(cast(float, constant))


def _error_rate(bounds: Sequence[float]) -> float:
    """The probability that |z| passes a bound at any look when there is no effect.

    The sum of k independent standard normal steps is followed through the region where no bound was passed; its
    density at each look is that of the look before, folded with one more step.
    """
    import numpy as np

    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    places: Any = np.zeros(1)
    mass: Any = np.ones(1)  # density times quadrature weight
    for look, bound in enumerate(bounds, start=1):
        # Beyond 10 standard deviations there is nothing to integrate.
        edge = min(bound, 10.0) * math.sqrt(look)
        here = edge * nodes
        steps = here[:, None] - places[None, :]
        density = np.exp(-0.5 * steps**2) @ mass / math.sqrt(2 * math.pi)
        places, mass = here, density * weights * edge
    return float(1 - mass.sum())


def _check_open_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name}: must be between 0 and 1")
