"""Mode coverage: whether a generator makes everything that is in the data, where the modes are known."""

from collections.abc import Callable

import torch
from torch import Tensor

from forger.metrics.functional.frechet import refuse_not_finite

REACH = 3.0  # a point further than this many σ from every mode is of low quality
LEAST = 0.25  # a mode counts as covered from this share of its true share on


def point_modes(points: Tensor, means: Tensor, std: Tensor | float, weights: Tensor | None = None) -> dict[str, float]:
    """Srivastava et al. 2017 (VEEGAN), section 4.1: points (n, d) against a mixture of k isotropic Gaussians.

    `means` (k, d), `std` one number or (k,), `weights` (k,) or None for equal ones. Returns

    - `modes`: modes with at least a quarter of their share of the n points within 3σ (strict coverage);
    - `high_quality`: share of points within 3σ of their mode (in 2-D 98.89% for a perfect sampler);
    - `kl`: KL(points ‖ truth) between the histograms of nearest modes, in nats;
    - `spread`: width of the points of a mode within 3σ, about their own centre, over that of a perfect sampler; mean
      over the covered modes, NaN if there are none.

    Raises:
        ValueError: points of another dimension, or values that are not finite.
    """
    if points.ndim != 2 or points.shape[1] != means.shape[1] or len(points) == 0:
        raise ValueError(f"points must have shape (n, {means.shape[1]}), got {tuple(points.shape)}")
    refuse_not_finite(points)
    points, means = points.double(), means.double().to(points.device)
    k, d = means.shape
    sigma = torch.as_tensor(std).to(means).expand(k)
    share = _histogram(torch.ones(k) if weights is None else weights).to(means.device)

    scaled = torch.cdist(points, means, compute_mode="donot_use_mm_for_euclid_dist") / sigma
    distance, mode = scaled.min(dim=1)
    good = distance <= REACH
    counts = torch.bincount(mode[good], minlength=k)
    covered = counts >= LEAST * share * len(points)

    # Second moments of every mode's good points, without a loop over modes.
    first = torch.zeros_like(means).index_add_(0, mode[good], points[good] - means[mode[good]])
    second = means.new_zeros(k).index_add_(0, mode[good], (points - means[mode]).square().sum(dim=1)[good])
    variance = (second - first.square().sum(dim=1) / counts.clamp(min=1)) / (counts - 1).clamp(min=1)
    # A Gaussian cut at 3σ is narrower: its variance is P(χ²_{d+2} < 9) / P(χ²_d < 9) of the whole one's.
    half = torch.tensor([d / 2 + 1, d / 2], dtype=torch.float64, device=means.device)
    inside = torch.special.gammainc(half, torch.full_like(half, REACH**2 / 2))
    spread = (variance / (d * inside[0] / inside[1])).sqrt() / sigma
    return {
        "modes": float(covered.sum()),
        "high_quality": float(good.double().mean()),
        "kl": kl_divergence(torch.bincount(mode, minlength=k), share),
        "spread": float(spread[covered].mean()),
    }


def class_modes(classes: Tensor, truth: Tensor | int = 1000) -> dict[str, float]:
    """Metz et al. 2017, section 3.3.1: `modes` seen at least once among classes (n,), `kl` to the truth.

    `truth`: true counts or shares (k,), or k for equal ones. KL(classes ‖ truth) in nats; a perfect sampler
    of n images has about (k − 1) / 2n.
    """
    share = torch.ones(truth) if isinstance(truth, int) else truth
    counts = torch.bincount(classes.flatten().cpu(), minlength=len(share))
    if len(counts) > len(share):
        raise ValueError(f"class {len(counts) - 1} among the images, but the truth has {len(share)} modes")
    return {"modes": float((counts > 0).sum()), "kl": kl_divergence(counts, share)}


def kl_divergence(counts: Tensor, truth: Tensor) -> float:
    """KL(counts ‖ truth) in nats, both scaled to sum 1; infinite where something occurs whose true share is 0."""
    p = _histogram(counts)
    return float((torch.xlogy(p, p) - torch.xlogy(p, _histogram(truth).to(p.device))).sum())


def jensen_shannon(samples: Tensor, pdf: Callable[[Tensor], Tensor], low: float, high: float, bins: int = 200) -> float:
    """Lin 1991: Jensen-Shannon divergence in nats, between samples on a line, (n,) or (n, 1), and a density.

    Both as histograms of `bins` equal bins between `low` and `high`, and one for all that lies outside.
    `pdf`: points (m, 1) → densities (m,). Between 0 and log 2; n perfect samples give about bins / 8n.
    """
    refuse_not_finite(samples)
    samples = samples.detach().double().flatten().cpu()
    cells = 32  # midpoint rule within a bin
    width = (high - low) / (bins * cells)
    places = low + width * (torch.arange(bins * cells, dtype=torch.float64) + 0.5)
    mass = pdf(places[:, None]).detach().double().cpu().reshape(bins, cells).sum(dim=1) * width
    inside = (samples >= low) & (samples < high)
    index = ((samples[inside] - low) / (high - low) * bins).long().clamp(max=bins - 1)
    p = torch.bincount(index, minlength=bins).double() / len(samples)
    p = torch.cat([p, 1 - p.sum()[None]])
    q = _histogram(torch.cat([mass, (1 - mass.sum()).clamp(min=0)[None]]))
    middle = (p + q) / 2
    return float(sum((torch.xlogy(x, x) - torch.xlogy(x, middle)).sum() for x in (p, q)) / 2)


def _histogram(counts: Tensor) -> Tensor:
    return counts.double() / counts.double().sum()
