"""Fréchet distance between Gaussians, in float64, by the cheapest exact formula that the ranks allow."""

import torch
from torch import Tensor

from forger.randomness import generator

# A squared distance below zero by more than this share of the traces is a bug, not a rounding error.
TOLERANCE = 1e-6
BLOCK = 256  # columns of a product that are computed at a time


def frechet_distance(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    """Heusel et al. 2017, equation 6: |m₁ − m₂|² + tr(C₁ + C₂ − 2 (C₁ C₂)^½), in float64.

    Means (d,), covariances (d, d), symmetric and positive semidefinite. Never below 0.

    Raises:
        ValueError: a value is not finite, or the sizes differ.
    """
    mean1, cov1, mean2, cov2 = (moment.detach().double().cpu() for moment in (mean1, cov1, mean2, cov2))
    _same_width(mean1, mean2)
    for moment in (mean1, cov1, mean2, cov2):
        refuse_not_finite(moment)
    return _assemble(mean1, mean2, cov1.trace() + cov2.trace(), _trace_root(cov1, cov2))


def frechet_distance_from_features(features1: Tensor, features2: Tensor) -> float:
    """Heusel et al. 2017, equation 6, from two sets of features (n₁, d) and (n₂, d); at least two rows each.

    With no more images than dimensions on both sides, tr (C₁ C₂)^½ is the sum of the singular values of
    A Bᵀ, the n₁ × n₂ product of the centred features: smaller than d × d, and nothing is squared on the way.
    """
    features1, features2 = (features.detach().double().cpu() for features in (features1, features2))
    _same_width(features1, features2)
    if max(len(features1), len(features2)) > features1.shape[1]:
        return frechet_distance(*moments(features1), *moments(features2))
    mean1, a = _centred(features1)
    mean2, b = _centred(features2)
    root = torch.linalg.svdvals(a @ b.T).sum()
    return _assemble(mean1, mean2, a.square().sum() + b.square().sum(), root)


def frechet_distance_to_moments(features: Tensor, mean: Tensor, cov: Tensor) -> float:
    """Heusel et al. 2017, equation 6, from features (n, d), at least two rows, to a Gaussian of (d,) and (d, d).

    With no more images than dimensions tr (C₁ C)^½ is the sum of the roots of the eigenvalues of A C Aᵀ, n × n,
    for the centred features A.
    """
    features, mean, cov = (values.detach().double().cpu() for values in (features, mean, cov))
    _same_width(features, mean)
    if len(features) > features.shape[1]:
        return frechet_distance(*moments(features), mean, cov)
    refuse_not_finite(mean)
    refuse_not_finite(cov)
    found, a = _centred(features)
    return _assemble(found, mean, a.square().sum() + cov.trace(), _sum_of_roots(a @ cov @ a.T))


def extrapolated_frechet_distance(
    features: Tensor, mean: Tensor, cov: Tensor, *, seed: int, sizes: int = 10, smallest: float = 0.2
) -> float:
    """Chong & Forsyth 2020, section 4 (FID∞): the distance is linear in 1/n; its value at 1/n = 0.

    `sizes` seeded subsets without replacement, evenly spaced in 1/n between `smallest`·n and all n fakes, and
    a least-squares line through their distances to the reference (mean, cov). Unlike the distance itself it
    may fall a little below 0.

    Raises:
        ValueError: too few images; the distance is not linear for subsets no larger than the number of dimensions.
    """
    n, d = features.shape
    least = int(smallest * n)
    if least <= d:
        raise ValueError(
            f"the extrapolated Fréchet distance needs more than {int(d / smallest)} images for features of "
            f"{d} dimensions, got {n}: draw more images or ask for the plain distance"
        )
    inverse = torch.linspace(1 / n, 1 / least, sizes, dtype=torch.float64)
    counts = (1 / inverse).round().long()
    distances = []
    for index, count in enumerate(counts.tolist()):
        rows = torch.randperm(n, generator=generator(seed, "frechet", index))[:count].to(features.device)
        distances.append(frechet_distance(*moments(features[rows]), mean, cov))
    design = torch.stack([torch.ones(sizes, dtype=torch.float64), 1 / counts.double()], dim=1)
    line = torch.linalg.lstsq(design, torch.tensor(distances, dtype=torch.float64)[:, None]).solution
    return float(line[0])


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (d,) and unbiased covariance (d, d) of features (n, d), in float64.

    Raises:
        ValueError: fewer than two rows or values that are not finite.
    """
    mean, scaled = _centred(features)
    return mean, scaled.T @ scaled


def _centred(features: Tensor) -> tuple[Tensor, Tensor]:
    """The mean, and A with AᵀA the unbiased covariance."""
    if len(features) < 2:
        raise ValueError(f"a covariance needs at least 2 images, got {len(features)}")
    refuse_not_finite(features)
    features = features.double()
    mean = features.mean(dim=0)
    return mean, (features - mean) / (len(features) - 1) ** 0.5


def _trace_root(cov1: Tensor, cov2: Tensor) -> Tensor:
    """tr (C₁ C₂)^½ = Σ √λ(Rᵀ C₂ R) for any R with R Rᵀ = C₁."""
    factor, failed = torch.linalg.cholesky_ex(cov1)
    if failed:
        factor, failed = torch.linalg.cholesky_ex(cov2)
        cov1, cov2 = cov2, cov1
    if failed:
        # Neither has full rank. A root of the range of one is enough, and it has only rank(C) columns.
        values, vectors = torch.linalg.eigh(cov1)
        kept = values > _noise(values)
        factor = vectors[:, kept] * values[kept].sqrt()
        product = factor.T @ cov2 @ factor
    else:
        product = _reduced(cov2, factor)
    return _sum_of_roots(product)


def _sum_of_roots(product: Tensor) -> Tensor:
    """Σ √λ of a symmetric matrix, of which the lower triangle counts."""
    values = torch.linalg.eigvalsh(product)
    # A zero eigenvalue arrives as ±1e-16 of the largest, whose root would be 1e-8: count those as zero.
    return values[values > _noise(values)].sqrt().sum()


def _reduced(cov: Tensor, factor: Tensor) -> Tensor:
    """The lower triangle of Lᵀ C L for a lower triangular L; values above the diagonal are undefined.

    A third of the work of the two whole products: neither the zeros of L nor the other triangle are computed.
    """
    product = torch.zeros_like(cov)
    for start in range(0, len(cov), BLOCK):
        columns = slice(start, start + BLOCK)
        product[start:, columns] = factor[start:, start:].T @ (cov[start:, start:] @ factor[start:, columns])
    return product


def _noise(values: Tensor) -> Tensor:
    """Eigenvalues below this are rounding errors: the usual threshold of a numerical rank."""
    largest = values.max().clamp(min=0) if values.numel() else values.new_zeros(())
    return largest * values.numel() * torch.finfo(values.dtype).eps


def _assemble(mean1: Tensor, mean2: Tensor, traces: Tensor, root: Tensor) -> float:
    between = (mean1 - mean2).square().sum()
    distance = float(between + traces - 2 * root)
    if distance < 0:
        assert -distance <= TOLERANCE * float(traces + between), f"Fréchet distance {distance}: not rounding"
        return 0.0
    return distance


def _same_width(one: Tensor, other: Tensor) -> None:
    if one.shape[-1] != other.shape[-1]:
        raise ValueError(
            f"features of {one.shape[-1]} and {other.shape[-1]} dimensions do not compare: "
            "use one extractor for both sets"
        )


def refuse_not_finite(values: Tensor) -> None:
    if not bool(torch.isfinite(values).all()):
        raise ValueError("features contain NaN or infinity: a score of them would mean nothing")
