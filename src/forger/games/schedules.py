"""Factors (on a learning rate, on noise) as pure functions of the images shown, so that resuming needs no state."""

import math
from typing import Annotated

from annotated_types import Ge, Gt, Le

Share = Annotated[float, Ge(0), Le(1)]


def linear(
    images: int, *, budget: Annotated[int, Ge(1)], start: Share = 0.0, end: Share = 1.0, final: Share = 0.0
) -> float:
    """1 until ``start``, then straight down to ``final`` at ``end`` (both shares of the budget), and no further."""
    progress = _progress(images, budget, start, end)
    return 1 + (final - 1) * progress


def cosine(
    images: int, *, budget: Annotated[int, Ge(1)], start: Share = 0.0, end: Share = 1.0, final: Share = 0.0
) -> float:
    """1 until ``start``, then down half a cosine to ``final`` at ``end`` (Loshchilov & Hutter, 2017), as `linear`."""
    progress = _progress(images, budget, start, end)
    return final + (1 - final) * (1 + math.cos(math.pi * progress)) / 2


def exponential(
    images: int,
    *,
    budget: Annotated[int, Ge(1)],
    final: Annotated[float, Gt(0), Le(1)],
    start: Share = 0.0,
    end: Share = 1.0,
) -> float:
    """1 until ``start``, then down to ``final`` at ``end``, by the same factor in equal times; as `linear`."""
    return final ** _progress(images, budget, start, end)


def _progress(images: int, budget: int, start: float, end: float) -> float:
    return min(1.0, max(0.0, (images / budget - start) / max(end - start, 1e-12)))
