"""Signals of a game's health: pure functions of features, logits, latents and series; one number each.

All are ratios, shares or ranks, so that one threshold serves data, losses and networks of any scale.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from forger.metrics.functional.vendi import normalised, vendi_from_outer

#: Bandwidth of the Gaussian kernel for points, as a share of the reals' root-mean-square distance: modes that lie
#: a tenth of that apart count as different.
_BANDWIDTH = 0.1
#: A latent unit that carries less than this, in nats, does not take part (about the noise of 256 images).
_LEAST_KL = 0.05


def mean_distance(x: Tensor) -> float:
    """Mean pairwise Euclidean distance of rows (n, d)."""
    return float(torch.pdist(x.float()).mean())


def vendi(features: Tensor) -> float:
    """Vendi score (Friedman & Dieng, 2023) of features (n, d), by cosines: how many different images there are."""
    x = normalised(features)
    return vendi_from_outer(x.T @ x if x.shape[1] < len(x) else x @ x.T, len(x))


def bandwidth(reals: Tensor) -> float:
    """Bandwidth for `vendi_of_points`: a tenth of the root-mean-square distance of real points (n, d)."""
    return _BANDWIDTH * float(torch.pdist(reals.double()).square().mean().sqrt())


def vendi_of_points(x: Tensor, bandwidth: float) -> float:
    """Vendi score (Friedman & Dieng, 2023) of points (n, d), with a Gaussian kernel: how many places they lie at.

    A Gaussian kernel, since the usual cosines distinguish little in few dimensions.
    """
    squared = torch.cdist(x.double(), x.double(), compute_mode="donot_use_mm_for_euclid_dist").square()
    values = torch.linalg.eigvalsh((-squared / (2 * bandwidth**2)).exp() / len(x)).clamp(min=0)
    return float(torch.special.entr(values).sum().exp())


def entropy_ratio(counts: Tensor, truth: Tensor) -> float:
    """Entropy of a histogram (k,) over that of the true one (k,): 1 is as varied as the data, 0 one class or mode.

    Of reals, n of them, the expected value is about 1 − (k − 1) / (2 n log k).
    """
    p, q = (histogram.double() / histogram.sum() for histogram in (counts, truth))
    return float(torch.special.entr(p).sum() / torch.special.entr(q).sum())


def above(first: Tensor, second: Tensor) -> float:
    """P(first > second) of two samples of numbers, ties counted half (the area under the ROC curve).

    It depends on ranks alone, so logits of any loss can be used: .5 for equal distributions, 1 for separate ones.
    """
    greater = (first[:, None] > second[None]).double() + 0.5 * (first[:, None] == second[None]).double()
    return float(greater.mean())


def sharpness(images: Tensor) -> float:
    """Mean absolute Laplacian of images (n, c, h, w), at pixels that have four neighbours: how much fine detail."""
    inner = images[..., 1:-1, 1:-1]
    around = images[..., :-2, 1:-1] + images[..., 2:, 1:-1] + images[..., 1:-1, :-2] + images[..., 1:-1, 2:]
    return float((4 * inner - around).abs().mean())


def separation(first: Tensor, second: Tensor) -> float:
    """Difference of the means of two samples of numbers over their pooled standard deviation (d′), at most 1000.

    It has no unit: a critic's logits (Wasserstein) may have any scale, and least squares' stay near 0 and 1.
    """
    difference = float(first.mean() - second.mean())
    pooled = math.sqrt((float(first.var()) + float(second.var())) / 2)
    return math.copysign(min(abs(difference) / max(pooled, 1e-12), 1000.0), difference)


def active_units(mean: Tensor, log_variance: Tensor) -> float:
    """Share of latent units whose mean KL(q(z|x) ‖ N(0, 1)) over n images, both (n, k), is above 0.05 nats."""
    kl = (mean.square() + log_variance.exp() - log_variance - 1).mean(0) / 2
    return float((kl > _LEAST_KL).double().mean())


def spectral_peak(series: Sequence[float], least_cycles: int = 3) -> float:
    """Share of a series' power in its strongest frequency and both neighbours, if it swings on undiminished.

    The straight line is taken out first, then a Hann window; frequencies with fewer than ``least_cycles``
    cycles in the series are trend, not oscillation. White noise of n values gives about 3 log(n/2) / (n/2), a
    sine 1. The share is multiplied by the amplitude of the second half over that of the first, at most 1, so that a
    damped oscillation counts little.
    """
    n = len(series)
    if n < 4 * least_cycles or not all(map(math.isfinite, series)):
        return 0.0
    x = torch.tensor(series, dtype=torch.float64)
    time = torch.linspace(-1, 1, n, dtype=torch.float64)
    x = x - x.mean() - time * (x @ time) / (time @ time)
    if float(x.std()) <= 1e-9 * max(1.0, abs(float(series[0]))):
        return 0.0
    power = torch.fft.rfft(x * torch.hann_window(n, periodic=False, dtype=torch.float64)).abs().square()
    power[0] = 0.0
    peak = least_cycles + int(power[least_cycles:].argmax())
    share = float(power[max(peak - 1, 1) : peak + 2].sum() / power.sum())
    half = n // 2
    first, second = (part.std(correction=0) for part in (x[:half], x[half:]))
    return share * min(1.0, float(second / first.clamp(min=1e-300)))


def relative_gap(value: float, best: float, higher_is_better: bool) -> float:
    """How far a score is from the best so far, as a share of the best: 0 is the best itself, 1 twice as bad."""
    return (best - value if higher_is_better else value - best) / max(abs(best), 1e-12)
