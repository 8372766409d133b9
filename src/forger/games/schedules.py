"""Learning-rate factors as pure functions of the images shown, so that resuming needs no state."""

import math
from typing import Annotated

from annotated_types import Ge, Le

Share = Annotated[float, Ge(0), Le(1)]


def linear(images: int, *, budget: Annotated[int, Ge(1)], start: Share = 0.0, final: Share = 0.0) -> float:
    """1 until ``start`` (a share of the budget), then straight down to ``final`` at the end of the budget."""
    progress = _progress(images, budget, start)
    return 1 + (final - 1) * progress


def cosine(images: int, *, budget: Annotated[int, Ge(1)], start: Share = 0.0, final: Share = 0.0) -> float:
    """1 until ``start`` (a share of the budget), then down half a cosine to ``final`` (Loshchilov & Hutter, 2017)."""
    progress = _progress(images, budget, start)
    return final + (1 - final) * (1 + math.cos(math.pi * progress)) / 2


def _progress(images: int, budget: int, start: float) -> float:
    return min(1.0, max(0.0, (images / budget - start) / max(1 - start, 1e-12)))
