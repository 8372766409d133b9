"""Standard errors of scores: their spread over other draws of images."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from forger.randomness import generator


class Estimate(NamedTuple):
    """A score and its standard error, which is its spread over other draws of images; None if unknown."""

    value: float
    error: float | None = None


def estimates(values: Mapping[str, float], errors: Mapping[str, float] = {}) -> dict[str, Estimate]:
    """Scores by name with what is known of their errors."""
    return {name: Estimate(value, errors.get(name)) for name, value in values.items()}


def halves(n: int, *, seed: int, repeats: int = 20) -> list[Tensor]:
    """The indices, int64, of random halves of ``n`` images: a score's `spread` over them is its standard error.

    This is the delete-half jackknife. For a score that is smooth in the distribution, halves
    drawn without replacement vary around the whole set as the whole set varies around the truth. For a Fréchet
    distance near its least value, where it is quadratic, the error comes out too large by up to a factor of 2. (With
    halves / √2 by up to 1.4, but too small by 1.4 everywhere else.) Several seeds of the generator are better.

    Raises:
        ValueError: fewer than 4 images.
    """
    if n < 4:
        raise ValueError(f"the error of a score needs at least 4 images, got {n}")
    return [torch.randperm(n, generator=generator(seed, "halves", i))[: n // 2] for i in range(repeats)]


def spread(draws: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Standard deviations over draws of the same scores, by name; NaN where a draw was not finite."""
    with np.errstate(invalid="ignore"):  # infinity minus infinity is NaN
        return {name: float(np.std([draw[name] for draw in draws], ddof=1)) for name in draws[0]}
