"""Evaluations of points whose true density is known: distances of generator and discriminator from it."""

from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor

from forger.data.dataset import Data
from forger.data.mixture import Mixture
from forger.games.abilities import Discriminates, Samples
from forger.metrics.evaluations.base import Evaluation
from forger.metrics.evaluations.classes import of_both_weights
from forger.metrics.functional.modes import jensen_shannon, point_modes
from forger.randomness import generator

#: How far beyond its outermost modes a density on the line is evaluated, in their σ.
_MARGIN = 5.0


class DensityMatch(Evaluation[Samples]):
    """Goodfellow et al. 2014, figure 1 as numbers: generator against density, D against its optimum.

    - `jsd`: Jensen-Shannon divergence of `n` samples to the true density, in nats (0 to log 2);

    and where there is a discriminator

    - `d_from_half`: largest |D(x) − 1/2| within `reach` σ of a mode, where equilibrium makes D 1/2;
    - `d_from_optimum`: mean |D(x) − p/(p + q)| (proposition 1) over data and samples alike, with q, the
      generator's density, as a histogram.

    Args:
        bins: of the histograms, over all modes with 5 σ on either side.
        reach: how far around its modes the data count as having mass, in σ.

    Raises:
        ValueError: data that are not points on a line.
    """

    def __init__(self, bins: Annotated[int, Ge(2)] = 200, reach: Annotated[float, Ge(0)] = 2.0) -> None:
        self.bins = bins
        self.reach = reach

    def evaluate(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        density = known_density(data, dimension=1)
        low, high = interval(density)
        samples = game.sample(n, None, generator(seed, "scores")).cpu()
        found = {"jsd": jensen_shannon(samples, density.pdf, low, high, self.bins)}
        if isinstance(game, Discriminates):
            found |= self._judgement(game, density, samples)
        return found

    def _judgement(self, game: Discriminates, density: Mixture, samples: Tensor) -> dict[str, float]:
        low, high = interval(density)
        centres, p, q = densities(density, samples, self.bins)
        gap = (game.discriminate(centres.float()).cpu() - optimal_discriminator(p, q)).abs()
        places = torch.linspace(low, high, 10 * self.bins)[:, None]
        near = places[((places - density.means.T).abs() <= self.reach * density.std).any(1)]
        return {
            "d_from_half": float((game.discriminate(near) - 0.5).abs().max()),
            "d_from_optimum": float((gap * (p + q)).sum() / (p + q).sum()),
        }

    def higher_is_better(self, name: str) -> bool:
        return False

    def passport(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        return super().passport(game, data, split, n=n, seed=seed) | {"bins": self.bins, "reach": self.reach}


class ModeCoverage(Evaluation[Samples]):
    """Srivastava et al. 2017, section 4.1: `modes`, `high_quality`, `kl_modes` and `spread` of `n` samples.

    As in `forger.metrics.functional.modes.point_modes`. Samples are drawn with the game's default weights; if those are
    a moving average, `modes_raw` and so on are scores of the live weights. A perfect sampler has `high_quality` 98.89%
    and `spread` 1; a higher quality or a lower spread means that modes have shrunk.

    Raises:
        ValueError: data without a known mixture.
    """

    def evaluate(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        density = known_density(data)

        def scores(samples: Tensor) -> dict[str, float]:
            values = point_modes(samples.cpu(), density.means, density.std, density.weights)
            return {"kl_modes" if name == "kl" else name: value for name, value in values.items()}

        return of_both_weights(game, scores, n=n, seed=seed)

    def higher_is_better(self, name: str) -> bool:
        return not name.startswith("kl_modes")

    def check(self, data: Data) -> None:
        known_density(data)


def known_density(data: Data, dimension: int | None = None) -> Mixture:
    """The true density of synthetic points.

    Raises:
        ValueError: there is none, or not in this dimension.
    """
    if data.density is None:
        raise ValueError(f"{data.name} has no known density: this needs data=gaussian, ring8 or grid25")
    found = data.density.means.shape[1]
    if dimension not in (None, found):
        raise ValueError(f"{data.name} is {found}-dimensional; this needs data=gaussian")
    return data.density


def interval(density: Mixture) -> tuple[float, float]:
    """The part of the line that holds a 1-D density: all modes, and 5 σ on either side."""
    means = density.means.flatten()
    return float((means - _MARGIN * density.std).min()), float((means + _MARGIN * density.std).max())


def densities(density: Mixture, samples: Tensor, bins: int) -> tuple[Tensor, Tensor, Tensor]:
    """The line in equal bins: their centres (bins, 1), true density p and that of samples q, both (bins,)."""
    low, high = interval(density)
    width = (high - low) / bins
    centres = low + width * (torch.arange(bins, dtype=torch.float64) + 0.5)
    counts = torch.histc(samples.double().flatten(), bins, low, high)
    return centres[:, None], density.pdf(centres[:, None]), counts / (len(samples) * width)


def optimal_discriminator(p: Tensor, q: Tensor) -> Tensor:
    """Goodfellow et al. 2014, proposition 1: D*(x) = p / (p + q); 1/2 where neither has mass."""
    total = p + q
    return torch.where(total > 0, p / total.clamp(min=torch.finfo(total.dtype).tiny), 0.5)
