"""Candidates with several seeds: mean, spread, and whether a candidate can still become the best."""

import math
import statistics
from collections.abc import Sequence

#: Standard errors by which a candidate may lie behind and still be given its next seed.
_DOUBT = 2.0


def mean_and_spread(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean over seeds and the sample standard deviation, None for one seed."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def pooled_spread(groups: Sequence[Sequence[float]]) -> float | None:
    """One standard deviation between seeds from several candidates: √(Σ squared deviations / Σ (n − 1)).

    None as long as no candidate has two seeds.
    """
    squares = sum(sum((value - statistics.fmean(group)) ** 2 for value in group) for group in groups if group)
    degrees = sum(len(group) - 1 for group in groups if group)
    return math.sqrt(squares / degrees) if degrees else None


def can_still_win(
    values: Sequence[float], seeds: int, best: float | None, spread: float | None, *, higher_is_better: bool
) -> bool:
    """Whether the mean over all seeds could still be better than the best candidate's.

    With i of S seeds known, the mean over all S lies around the mean over i with standard deviation
    s √(1/i − 1/S); two of them are granted.

    Args:
        values: of the seeds so far, at least one.
        seeds: how many there are to be, S.
        best: mean over all seeds of the best candidate, None if there is none yet.
        spread: s, between seeds of one candidate, None if not known yet.
        higher_is_better: the direction.
    """
    if best is None or spread is None:
        return True
    sign = 1 if higher_is_better else -1
    doubt = _DOUBT * spread * math.sqrt(1 / len(values) - 1 / seeds)
    return sign * (statistics.fmean(values) - best) + doubt > 0
