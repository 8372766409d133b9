"""Scores from nearest neighbours in feature space: float64, in blocks, so that no n × n matrix is held."""

from collections.abc import Iterator

import torch
from torch import Tensor

from forger.metrics.frechet import refuse_not_finite
from forger.randomness import generator

BLOCK = 512  # rows of a distance matrix that exist at a time


def precision_recall(fake: Tensor, real: Tensor, k: int = 3) -> tuple[float, float]:
    """Kynkäänniemi et al. 2019, equation 1: share of fakes in the real manifold, of reals in the fake one.

    The manifold of a set (n, d) is the union of balls around its points, each reaching the k-th neighbour.

    Raises:
        ValueError: values that are not finite or no more than k images.
    """
    fake, real = _prepared(fake, real, k)
    real_radius, fake_radius = neighbour_radius(real, k), neighbour_radius(fake, k)
    precision = torch.cat([(block <= real_radius).any(dim=1) for block in _distances(fake, real)])
    recall = torch.cat([(block <= fake_radius).any(dim=1) for block in _distances(real, fake)])
    return float(precision.double().mean()), float(recall.double().mean())


def density_coverage(fake: Tensor, real: Tensor, k: int = 5) -> tuple[float, float]:
    """Naeem et al. 2020, equations 5 and 6: both use the balls of the reals, so an outlying fake changes little.

    Density: real balls around a fake, over k (about 1 for the real distribution). Coverage: share of real
    balls with a fake inside.

    Raises:
        ValueError: as for `precision_recall`.
    """
    fake, real = _prepared(fake, real, k)
    radius = neighbour_radius(real, k)
    inside = torch.zeros((), dtype=torch.float64, device=fake.device)
    nearest = torch.full_like(radius, float("inf"))
    for block in _distances(fake, real):
        inside += (block < radius).sum()
        nearest = torch.minimum(nearest, block.min(dim=0).values)
    return float(inside / (k * len(fake))), float((nearest < radius).double().mean())


def memorisation(
    fake: Tensor, train: Tensor, held_out: Tensor, *, seed: int, typical: Tensor | None = None
) -> tuple[float, float]:
    """Whether fakes lie nearer to the training images than new images do: two numbers, by nearest neighbours.

    Share: fakes nearer to a training image than to a held-out one, with equally many of either (a seeded
    subset of the larger set); ties count half. About 0.5 when nothing was memorised, 1 for copies. Ratio:
    mean distance of a fake to its nearest training image over that of a held-out image. About 1, 0 for
    copies. `typical`: the `typical_distance` of the same images, where it is known already.
    """
    fake, train = _prepared(fake, train, 0)
    held_out = _prepared(held_out, train, 0)[0]
    equal = min(len(train), len(held_out))
    rows = [
        torch.randperm(len(x), generator=generator(seed, "memorisation", i))[:equal].to(x.device)
        for i, x in enumerate((train, held_out))
    ]
    to_train = nearest_distance(fake, train[rows[0]])
    to_held_out = nearest_distance(fake, held_out[rows[1]])
    share = (to_train < to_held_out).double() + 0.5 * (to_train == to_held_out).double()
    typical = typical_distance(train, held_out) if typical is None else typical
    return float(share.mean()), float(nearest_distance(fake, train).mean() / typical)


def typical_distance(train: Tensor, held_out: Tensor) -> Tensor:
    """Mean distance of a held-out image to its nearest training image, float64 ()."""
    return nearest_distance(*_prepared(held_out, train, 0)).mean()


def neighbour_radius(points: Tensor, k: int) -> Tensor:
    """Distance of every point to its k-th nearest neighbour among the others, float64 (n,)."""
    # The smallest of all distances of a point is the one to itself.
    return torch.cat([block.kthvalue(k + 1, dim=1).values for block in _distances(points, points)])


def nearest_distance(points: Tensor, others: Tensor) -> Tensor:
    """Distance of every point to the nearest of the others, float64 (n,)."""
    # The root of the smallest square equals the smallest root, bit by bit, and is cheaper.
    return torch.cat([block.min(dim=1).values for block in _squares(points, others)]).clamp_(min=0).sqrt_()


def _prepared(points: Tensor, others: Tensor, k: int) -> tuple[Tensor, Tensor]:
    if points.shape[1] != others.shape[1]:
        raise ValueError(f"features of {points.shape[1]} and {others.shape[1]} dimensions do not compare")
    for features in (points, others):
        refuse_not_finite(features)
        if len(features) <= k:
            raise ValueError(f"{k} neighbours need more than {k} images, got {len(features)}")
    return points.double(), others.double()


def _distances(points: Tensor, others: Tensor) -> Iterator[Tensor]:
    """Euclidean distances (block, m), a block of points at a time."""
    return (block.clamp_(min=0).sqrt_() for block in _squares(points, others))


def _squares(points: Tensor, others: Tensor) -> Iterator[Tensor]:
    """The squares of the distances, up to rounding."""
    # Near the origin |x|² + |y|² − 2xᵀy loses less to rounding.
    centre = others.mean(dim=0)
    others = others - centre
    squares = others.square().sum(dim=1)
    for block in (points - centre).split(BLOCK):
        squared = block.square().sum(dim=1, keepdim=True) + squares
        squared -= 2 * block @ others.T
        yield squared
