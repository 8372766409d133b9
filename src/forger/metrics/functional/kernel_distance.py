"""The kernel distance of two sets of features, in float64."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from forger.metrics.functional.frechet import refuse_not_finite

BLOCK = 1024  # rows of a kernel matrix that exist at a time


def kernel_distance(
    fake: Tensor, real: Tensor, *, subsets: int | None = None, subset_size: int = 1000, seed: int = 2020
) -> tuple[float, float]:
    """Bińkowski et al. 2018, section 3: unbiased MMD², kernel (xᵀy/d + 1)³; the value and its standard error.

    All images at once: the error is the jackknife's, a little too large where both distributions are equal. With
    `subsets`, the mean over that many pairs of subsets, drawn as torch-fidelity draws them; the error is then
    that of drawing alone.

    Raises:
        ValueError: fewer than 3 images, or fewer than `subset_size`.
    """
    fake, real = fake.double(), real.double()
    for features in (fake, real):
        refuse_not_finite(features)
        if len(features) < 3:
            raise ValueError(f"a kernel distance needs at least 3 images, got {len(features)}")
    if subsets is None:
        return _unbiased_mmd(fake, real)
    if min(len(fake), len(real)) < subset_size:
        raise ValueError(
            f"subsets of {subset_size} images can't be drawn from {len(fake)} fakes and {len(real)} reals: "
            "take smaller subsets, or none"
        )
    rng = np.random.RandomState(seed)
    values = []
    for _ in range(subsets):
        rows = [torch.from_numpy(rng.choice(len(x), subset_size, replace=False)).to(x.device) for x in (fake, real)]
        values.append(_unbiased_mmd(fake[rows[0]], real[rows[1]])[0])
    return float(np.mean(values)), float(np.std(values) / subsets**0.5)


def _unbiased_mmd(x: Tensor, y: Tensor) -> tuple[float, float]:
    n, m = len(x), len(y)
    over_x, over_y = _summed_kernel(x), _summed_kernel(y)
    within_x, within_y = over_x(x) - _kernel(x, x), over_y(y) - _kernel(y, y)
    between_x, between_y = over_y(x), over_x(y)
    sum_x, sum_y, sum_xy = within_x.sum(), within_y.sum(), between_x.sum()
    value = sum_x / (n * (n - 1)) + sum_y / (m * (m - 1)) - 2 * sum_xy / (n * m)
    # The value with one image left out, for every image; what does not depend on which one is left out.
    without_x = (sum_x - 2 * within_x) / ((n - 1) * (n - 2)) - 2 * (sum_xy - between_x) / ((n - 1) * m)
    without_y = (sum_y - 2 * within_y) / ((m - 1) * (m - 2)) - 2 * (sum_xy - between_y) / (n * (m - 1))
    variance = (n - 1) * without_x.var(correction=0) + (m - 1) * without_y.var(correction=0)
    return float(value), float(variance.sqrt())


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    """k(xᵢ, yᵢ), row by row."""
    return ((x * y).sum(dim=1) / x.shape[1] + 1) ** 3


def _summed_kernel(y: Tensor) -> Callable[[Tensor], Tensor]:
    """Σⱼ k(xᵢ, yⱼ) for every i, as a function of x."""
    d = y.shape[1]
    if (d + 1) * (d + 2) // 2 >= len(y):
        return lambda x: torch.cat([((rows @ y.T / d + 1) ** 3).sum(dim=1) for rows in x.split(BLOCK)])

    # (xᵀy/d + 1)³ is a cubic form in (x/√d, 1), so the third moments of y are enough: no n × m matrix.
    def homogeneous(rows: Tensor) -> Tensor:
        return torch.cat([rows / d**0.5, rows.new_ones(len(rows), 1)], dim=1)

    def products(rows: Tensor) -> Tensor:
        return torch.cat([rows[:, a : a + 1] * rows[:, a:] for a in range(d + 1)], dim=1)

    moments = torch.zeros((d + 1) * (d + 2) // 2, d + 1, dtype=y.dtype, device=y.device)
    for rows in map(homogeneous, y.split(BLOCK)):
        moments += products(rows).T @ rows
    a, b = torch.triu_indices(d + 1, d + 1, device=y.device)
    moments[a != b] *= 2  # a product of two different coordinates stands for both orders
    return lambda x: torch.cat(
        [((products(rows) @ moments) * rows).sum(dim=1) for rows in map(homogeneous, x.split(BLOCK))]
    )
