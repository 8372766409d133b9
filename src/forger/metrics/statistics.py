"""How far a score would move if other images had been drawn."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from forger.randomness import generator


def half_sample_error(score: Callable[[Tensor], float], rows: Tensor, *, seed: int, repeats: int = 20) -> float:
    """Standard error of `score(rows)`: its spread over random halves of the rows (delete-half jackknife).

    For a score that is smooth in the distribution, halves without replacement vary around the whole exactly
    as the whole varies around the truth. For a Fréchet distance near its floor, where it is quadratic, they
    overstate it by up to 2 (and halves / √2 by up to 1.4, but that understates everywhere else by 1.4). Best
    are several seeds of the generator. Raises ValueError for fewer than 4 rows.
    """
    n = len(rows)
    if n < 4:
        raise ValueError(f"the error of a score needs at least 4 images, got {n}")
    halves = [torch.randperm(n, generator=generator(seed, "halves", i))[: n // 2] for i in range(repeats)]
    return float(np.std([score(rows[half.to(rows.device)]) for half in halves], ddof=1))
