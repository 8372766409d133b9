"""Schedules: values as pure functions of the images shown, so that resuming needs no state.

A learning rate takes one as a factor, other numbers take one in their place (`forger.annealing`). `budget` is in real
images, usually the run's; `start` and `end` are shares of it, before and after which a value stays.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from annotated_types import Ge, Gt, Le, MinLen

Share = Annotated[float, Ge(0), Le(1)]
Budget = Annotated[int, Ge(1)]
Positive = Annotated[float, Gt(0)]


def constant(images: int, *, value: float) -> float:
    """The same value always."""
    return value


def linear(
    images: int, *, budget: Budget, start: Share = 0.0, end: Share = 1.0, final: float = 0.0, initial: float = 1.0
) -> float:
    """``initial`` until ``start``, then straight to ``final`` at ``end``, and no further."""
    return initial + (final - initial) * _progress(images, budget, start, end)


def cosine(
    images: int,
    *,
    budget: Budget,
    start: Share = 0.0,
    end: Share = 1.0,
    final: float = 0.0,
    initial: float = 1.0,
    warm_up: Share = 0.0,
    cold: float = 0.0,
) -> float:
    """``initial`` until ``start``, then half a cosine to ``final`` at ``end`` (Loshchilov & Hutter, 2017), as `linear`.

    R3GAN (Huang et al., 2024) anneals everything by it over a burn-in, ``budget``. Its authors' code can also begin
    with a straight line from ``cold`` to ``initial`` at ``warm_up``, which comes before ``start``.
    """
    if images < warm_up * budget:
        return linear(images, budget=budget, end=warm_up, initial=cold, final=initial)
    progress = _progress(images, budget, max(start, warm_up), end)
    return final + (initial - final) * (1 + math.cos(math.pi * progress)) / 2


def exponential(
    images: int,
    *,
    budget: Budget,
    final: Positive,
    start: Share = 0.0,
    end: Share = 1.0,
    initial: Positive = 1.0,
) -> float:
    """``initial`` until ``start``, then to ``final`` at ``end``, by the same factor in equal times; as `linear`."""
    return initial * (final / initial) ** _progress(images, budget, start, end)


def piecewise(
    images: int,
    *,
    budget: Budget,
    points: Annotated[Sequence[tuple[Share, float]], MinLen(1)],
    steps: bool = False,
) -> float:
    """Straight from each (share of the budget, value) to the next, or in ``steps``: the value of the last one reached.

    Raises:
        ValueError: shares that do not rise.
    """
    if any(a >= b for (a, _), (b, _) in pairwise(points)):
        raise ValueError("points: their shares of the budget must rise")
    share, value = images / budget, points[0][1]
    for (a, before), (b, after) in pairwise(points):
        if share >= b:
            value = after
        elif share > a and not steps:
            return before + (after - before) * (share - a) / (b - a)
    return value


def _progress(images: int, budget: int, start: float, end: float) -> float:
    return min(1.0, max(0.0, (images / budget - start) / max(end - start, 1e-12)))
