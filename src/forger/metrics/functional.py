"""Scores as pure functions of features, logits and images: one or two numbers, computed in float64, seeded."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from forger.metrics.frechet import refuse_not_finite

BLOCK = 1024  # rows of a distance or kernel matrix that exist at a time


def inception_score(logits: Tensor, splits: int = 1, *, seed: int | None = None) -> tuple[float, float]:
    """Salimans et al. 2016, section 4: exp E KL(p(y|x) ‖ p(y)) of logits (n, k); mean and spread over splits.

    `seed` shuffles the rows with the stream that torch-fidelity uses (its default seed is 2020), None keeps
    their order.

    Raises:
        ValueError: fewer images than splits.
    """
    n = len(logits)
    if n < max(2, splits):
        raise ValueError(f"an Inception Score over {splits} splits needs at least {max(2, splits)} images, got {n}")
    refuse_not_finite(logits)
    if seed is not None:
        # NumPy's legacy stream: an equal seed gives torch-fidelity's own splits.
        order = np.random.RandomState(seed).permutation(n)
        logits = logits[torch.from_numpy(order).to(logits.device)]
    log_p = logits.double().log_softmax(dim=1)
    values = []
    for i in range(splits):
        part = log_p[i * n // splits : (i + 1) * n // splits]
        # log of the mean probability, computed on the log scale, so that a class that never occurs gives no NaN.
        log_q = part.logsumexp(dim=0) - np.log(len(part))
        values.append((part.exp() * (part - log_q)).sum(dim=1).mean().exp())
    scores = torch.stack(values)
    return float(scores.mean()), float(scores.std(correction=0))


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


def vendi_score(features: Tensor) -> float:
    """Friedman & Dieng 2023, definition 3.1: exp of the entropy of the eigenvalues of K/n, K the cosines.

    An effective number of different images, between 1 and min(n, d). K/n and the d × d matrix of normalised
    outer products share their eigenvalues.
    """
    refuse_not_finite(features)
    return vendi_from_outer(normalised(features).T @ normalised(features), len(features))


def normalised(features: Tensor) -> Tensor:
    return torch.nn.functional.normalize(features.double(), dim=1)


def vendi_from_outer(outer: Tensor, n: int) -> float:
    """The Vendi score of n images from Σ x xᵀ of their normalised features (d, d)."""
    values = torch.linalg.eigvalsh(outer.cpu() / n).clamp(min=0)
    return float(torch.special.entr(values).sum().exp())


def agreement(logits: Tensor, labels: Tensor) -> float:
    """Share of images whose most likely class is the label that was asked for."""
    return float((logits.argmax(dim=1) == labels).double().mean())


def psnr(images: Tensor, truth: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of uint8 images against the truth, over all pixels of all images."""
    same_images(images, truth)
    return decibels(float((images.double() - truth.double()).square().mean()))


def decibels(error: float, peak: float = 255.0) -> float:
    """Peak signal-to-noise ratio, 10 log10(peak² / error), of a mean squared error; infinite for 0."""
    return 10 * math.log10(peak**2 / error) if error > 0 else math.inf


def ssim(images: Tensor, truth: Tensor) -> float:
    """Wang et al. 2004: mean structural similarity of uint8 images, Gaussian window of 11×11 with σ 1.5."""
    return float(ssim_of_each(images, truth).mean())


def ssim_of_each(images: Tensor, truth: Tensor) -> Tensor:
    """As `ssim`, of each image: float64 (n,)."""
    same_images(images, truth)
    if min(images.shape[-2:]) < 11:
        raise ValueError(f"SSIM looks through a window of 11x11, the images are {tuple(images.shape[-2:])}")
    value = structural_similarity_index_measure(images.double(), truth.double(), data_range=255.0, reduction="none")
    assert isinstance(value, Tensor)
    return value.reshape(len(images))


def same_images(images: Tensor, truth: Tensor) -> None:
    """Raise ValueError for images that are no uint8, or of two shapes."""
    if images.dtype != torch.uint8 or truth.dtype != torch.uint8:
        raise ValueError(f"images are compared as uint8 in [0, 255], got {images.dtype} and {truth.dtype}")
    if images.shape != truth.shape:
        raise ValueError(f"images of shape {tuple(images.shape)} do not pair with {tuple(truth.shape)}")
