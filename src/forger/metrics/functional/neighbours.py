"""Scores from nearest neighbours in feature space, in float64."""

from collections.abc import Sequence

import torch
from torch import Tensor

from forger.metrics.functional.distances import covered, nearest, within
from forger.metrics.functional.frechet import refuse_not_finite
from forger.randomness import generator

#: Neighbours by which a subset's are found: in a random half, few points have fewer than k members among these.
_LISTED = 10
#: Fakes that are looked at for memorisation, at most: a share of this many is known to 0.01.
MEMORISATION_FAKES = 2_500


def precision_recall(
    fake: Tensor, real: Tensor, parts: Sequence[Tensor], k: int = 3, *, radius: Tensor | None = None
) -> list[tuple[float, float]]:
    """Kynkäänniemi et al. 2019, equation 1: share of fakes in the real manifold, of reals in the fake one.

    The manifold of a set (n, d) is the union of balls around its points, each reaching the k-th neighbour. Both are
    computed for several subsets of the fakes, `parts`, each given by its indices, for hardly more than for one.
    `radius`: the `neighbour_radius` of the reals, where it is known already.

    Raises:
        ValueError: values that are not finite or no more than k images.
    """
    _check(fake, real, k, least=min(map(len, parts)))
    radius = neighbour_radius(real, k) if radius is None else radius
    precise = covered(real, radius[None], fake)[0]
    recalled = covered(fake, _radius_in_parts(fake, parts, k), real)
    return [(_share(precise[part]), _share(reals)) for part, reals in zip(parts, recalled, strict=True)]


def density_coverage(
    fake: Tensor, real: Tensor, parts: Sequence[Tensor], k: int = 5, *, radius: Tensor | None = None
) -> list[tuple[float, float]]:
    """Naeem et al. 2020, equations 5 and 6: both use the balls of the reals, so an outlying fake changes little.

    Density: real balls around a fake, over k (about 1 for the real distribution). Coverage: share of real
    balls with a fake inside. `parts`, `radius` and `Raises:` as for `precision_recall`.
    """
    _check(fake, real, k, least=min(map(len, parts)))
    radius = neighbour_radius(real, k) if radius is None else radius
    members = _members(parts, len(fake))
    balls = torch.zeros(len(fake), dtype=torch.float64, device=fake.device)
    filled = torch.zeros(len(parts), len(real), dtype=torch.bool, device=fake.device)
    for i, j, distance in within(real, radius, fake):
        i, j = i[distance < radius[i]], j[distance < radius[i]]
        balls += j.bincount(minlength=len(fake))
        for inside, member in zip(filled, members, strict=True):
            inside[i[member[j]]] = True
    return [(float(balls[part].mean() / k), _share(reals)) for part, reals in zip(parts, filled, strict=True)]


def memorisation(
    fake: Tensor,
    train: Tensor,
    held_out: Tensor,
    parts: Sequence[Tensor],
    *,
    seed: int,
    typical: Tensor | None = None,
) -> list[tuple[float, float]]:
    """Whether fakes lie nearer to the training images than new images do: two numbers, by nearest neighbours.

    Share: fakes nearer to a training image than to a held-out one, with equally many of either (a seeded
    subset of the larger set); ties count half. About 0.5 when nothing was memorised, 1 for copies. Ratio:
    mean distance of a fake to its nearest training image over that of a held-out image. About 1, 0 for
    copies. Of more than 2,500 fakes a random 2,500 are looked at. `parts` as for `precision_recall`; `typical`: the
    `typical_distance` of the same images, where it is known.
    """
    if len(fake) > MEMORISATION_FAKES:
        looked = torch.randperm(len(fake), generator=generator(seed, "memorisation", "fakes"))[:MEMORISATION_FAKES]
        looked = looked.to(fake.device)
        parts = [member[looked].nonzero().flatten() for member in _members(parts, len(fake))]
        fake = fake[looked]
    _check(fake, train, 0, least=min(map(len, parts)))
    _check(held_out, train, 0, least=len(held_out))
    equal = min(len(train), len(held_out))
    rows = [
        torch.randperm(len(x), generator=generator(seed, "memorisation", i))[:equal].to(x.device)
        for i, x in enumerate((train, held_out))
    ]
    to_train = nearest_distance(fake, train[rows[0]])
    to_held_out = nearest_distance(fake, held_out[rows[1]])
    share = (to_train < to_held_out).double() + 0.5 * (to_train == to_held_out).double()
    typical = typical_distance(train, held_out) if typical is None else typical
    distance = nearest_distance(fake, train)
    return [(float(share[part].mean()), float(distance[part].mean() / typical)) for part in parts]


def typical_distance(train: Tensor, held_out: Tensor) -> Tensor:
    """Mean distance of a held-out image to its nearest training image, float64 ()."""
    _check(held_out, train, 0, least=len(held_out))
    return nearest_distance(held_out, train).mean()


def neighbour_radius(points: Tensor, k: int) -> Tensor:
    """Distance of every point to its k-th nearest neighbour among the others, float64 (n,)."""
    # The nearest of all is the point itself.
    return nearest(points, points, k + 1)[0][:, k].contiguous()


def nearest_distance(points: Tensor, others: Tensor) -> Tensor:
    """Distance of every point to the nearest of the others, float64 (n,)."""
    return nearest(points, others, 1)[0][:, 0]


def _radius_in_parts(points: Tensor, parts: Sequence[Tensor], k: int) -> Tensor:
    """`neighbour_radius` in subsets of the points, given by their rows: (parts, n), -1 for those that are not in it."""
    n = len(points)
    distances, indices = nearest(points, points, min(n, k + 1 + _LISTED))
    others = indices != torch.arange(n, device=points.device)[:, None]
    result = torch.full((len(parts), n), -1.0, dtype=torch.float64, device=points.device)
    for radius, member in zip(result, _members(parts, n), strict=True):
        part = member.nonzero().flatten()
        count = (others & member[indices])[part].cumsum(dim=1)
        enough = count[:, -1] >= k
        place = (count[enough] >= k).to(torch.uint8).argmax(dim=1, keepdim=True)
        radius[part[enough]] = distances[part[enough]].gather(1, place).flatten()
        rest = part[~enough]
        if len(rest):
            radius[rest] = nearest(points[rest], points[part], k + 1)[0][:, k]
    return result


def _members(parts: Sequence[Tensor], n: int) -> Tensor:
    """Which of n rows are in each part: bool (parts, n)."""
    members = torch.zeros(len(parts), n, dtype=torch.bool, device=parts[0].device)
    for member, part in zip(members, parts, strict=True):
        member[part] = True
    return members


def _share(found: Tensor) -> float:
    return float(found.double().mean())


def _check(points: Tensor, others: Tensor, k: int, *, least: int) -> None:
    if points.shape[1] != others.shape[1]:
        raise ValueError(f"features of {points.shape[1]} and {others.shape[1]} dimensions do not compare")
    for features in (points, others):
        refuse_not_finite(features)
    for count in (least, len(others)):
        if count <= k:
            raise ValueError(f"{k} neighbours need more than {k} images, got {count}")
