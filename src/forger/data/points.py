"""Points in one or two dimensions with a known density, with which a GAN can be compared."""

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Gt, MinLen
from torch import Tensor

from forger.data.dataset import Data, Split
from forger.data.mixture import Mixture
from forger.randomness import generator


def gaussian_1d(
    means: Annotated[Sequence[float], MinLen(1)] = (1.0,),
    stds: Annotated[Sequence[Annotated[float, Gt(0)]], MinLen(1)] = (0.5,),
    weights: Sequence[Annotated[float, Gt(0)]] | None = None,
    n: Annotated[int, Ge(1)] = 100_000,
) -> Data:
    """A density on the line (Goodfellow et al. 2014, figure 1): one Gaussian, or a mixture of several.

    `means`, `stds` and `weights` (equal unless given; scaled to sum 1) have one entry for each component. `n`
    points to train on, 10,000 each for validation and test.
    """
    if len({len(means), len(stds), len(weights or means)}) > 1:
        counts = f"{len(means)} means, {len(stds)} stds" + (f", {len(weights)} weights" if weights else "")
        raise ValueError(f"a mixture needs as many means as stds and weights, got {counts}")
    share = torch.tensor(list(weights or [1.0] * len(means)))
    density = Mixture(torch.tensor(list(means)).reshape(-1, 1), torch.tensor(list(stds)), share / share.sum())
    return _drawn("gaussian_1d", density, n, labels=False)


def ring8(n: Annotated[int, Ge(1)] = 100_000) -> Data:
    """Eight Gaussians of σ 0.02 on a circle of radius 2 (Metz et al. 2017); the label is the mode."""
    angle = torch.arange(8) * (2 * math.pi / 8)
    return _drawn("ring8", _equal(2 * torch.stack([angle.cos(), angle.sin()], 1), 0.02), n)


def grid25(n: Annotated[int, Ge(1)] = 100_000) -> Data:
    """25 Gaussians of σ 0.05 on a 5×5 grid about 0, spacing 2 (Srivastava et al. 2017); label = mode."""
    line = torch.arange(-4.0, 5.0, 2.0)
    return _drawn("grid25", _equal(torch.cartesian_prod(line, line), 0.05), n)


def _equal(means: Tensor, std: float) -> Mixture:
    k = len(means)
    return Mixture(means, torch.full((k,), std), torch.full((k,), 1 / k))


def _drawn(name: str, density: Mixture, n: int, labels: bool = True) -> Data:
    def split(part: str, count: int) -> Split:
        points, component = density.sample_labelled(count, generator(0, name, part))
        return Split({"image": points, "label": component} if labels else {"image": points})

    return Data(
        name,
        train=split("train", n),
        validation=split("validation", 10_000),
        test=split("test", 10_000),
        classes=len(density.means) if labels else 0,
        kind="points",
        density=density,
    )
