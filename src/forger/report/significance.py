"""Student's, Welch's and Holm's methods: which differences between variants are significant.

Closed forms on summaries instead of `scipy.stats`, which takes a millisecond a pair; the tests compare the two.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtr, stdtrit


@dataclass(frozen=True)
class Summary:
    """A variant's score over its seeds: mean, standard deviation (n − 1), and half the 95% interval of the mean.

    ``sd`` and ``half`` are None for a single seed, whose spread is unknown.
    """

    n: int
    mean: float
    sd: float | None
    half: float | None


@dataclass(frozen=True)
class Difference:
    """One variant less another: estimate, half its 95% interval, and the two-sided p-value."""

    estimate: float
    half: float
    p: float


def summary(values: Sequence[float]) -> Summary:
    """Mean ± t₀.₉₇₅,ₙ₋₁ · s / √n of at least one finite value."""
    n = len(values)
    mean = math.fsum(values) / n
    if n == 1:
        return Summary(1, mean, None, None)
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    return Summary(n, mean, sd, _quantile(n - 1) * sd / math.sqrt(n))


def difference(a: Summary, b: Summary) -> Difference | None:
    """Compare two variants by Welch's test, whose spreads may differ.

    Runs with the same seed are not taken as pairs: variants begin with other weights or drift apart within rounds, and
    with few seeds the degrees of freedom that pairing costs weigh more than the little that the runs have in common.

    None if either has fewer than two seeds: chance can't be judged then.
    """
    if a.sd is None or b.sd is None:
        return None
    va, vb = a.sd**2 / a.n, b.sd**2 / b.n
    estimate, total = a.mean - b.mean, va + vb
    if total == 0:  # no spread at all
        return Difference(estimate, 0.0, 0.0 if estimate else 1.0)
    error = math.sqrt(total)
    degrees = total**2 / (va**2 / (a.n - 1) + vb**2 / (b.n - 1))  # Welch–Satterthwaite
    p = 2 * float(stdtr(degrees, -abs(estimate) / error))
    return Difference(estimate, _quantile(degrees) * error, p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm (1979): p-values corrected for their number, in the given order.

    The k-th smallest of m is multiplied by m − k + 1, and none may fall below the one before it.
    """
    m = len(p_values)
    corrected = [0.0] * m
    running = 0.0
    for k, index in enumerate(sorted(range(m), key=p_values.__getitem__)):
        running = max(running, min(1.0, (m - k) * p_values[index]))
        corrected[index] = running
    return corrected


def _quantile(degrees: float) -> float:
    return float(stdtrit(degrees, 0.975))
