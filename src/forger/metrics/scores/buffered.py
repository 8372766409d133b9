"""Scores that need every feature, or every logit, at once: torchmetrics metrics that keep them."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from forger.metrics.features.base import Features
from forger.metrics.features.reference import Reference
from forger.metrics.functional import neighbours
from forger.metrics.functional.frechet import extrapolated_frechet_distance, refuse_not_finite
from forger.metrics.functional.kernel_distance import kernel_distance
from forger.metrics.functional.logits import inception_score
from forger.metrics.scores.base import FeatureMetric


class Buffered(FeatureMetric):
    """Base of scores that need every image: keeps the `columns` ("features", "logits") in float32.

    After a sync images stand in the order of a single process, if rank r of w was given images r, r + w, r + 2w, …: so
    subsets, shuffles and therefore results are the same on any number of ranks, evenly divided or not.
    """

    full_state_update = True  # `count` can't be merged, only gathered
    columns: ClassVar[tuple[str, ...]] = ("features",)
    count: Tensor

    def __init__(self, reference: Reference, columns: Sequence[str] | None = None) -> None:
        super().__init__(reference)
        self.kept = tuple(columns or self.columns)
        self.widths = {}
        for column in self.kept:
            real = getattr(reference, column)
            if real is None:
                raise ValueError(f"the {reference.extractor} extractor has no {column}, which a score needs")
            self.widths[column] = real.shape[1]
            self.add_state(column, [], dist_reduce_fx="cat")
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx=None)
        self.reset()

    def reset(self) -> None:
        super().reset()
        for column in self.kept:
            # A rank without any image must still contribute a table of the right width.
            getattr(self, column).append(torch.empty(0, self.widths[column], device=self.device, dtype=torch.float32))

    def update(self, fake: Features, labels: Tensor | None = None) -> None:
        for column in self.kept:
            values = getattr(fake, column)
            refuse_not_finite(values)
            getattr(self, column).append(values.float())
        self.count = self.count + len(fake.features)

    def gathered(self) -> dict[str, Tensor]:
        """The columns of all ranks (inside a sync) or of this one, in the order of a single process."""
        counts = self.count.flatten().tolist()
        place = torch.cat([torch.arange(n) * len(counts) + rank for rank, n in enumerate(counts)])
        order = place.argsort(stable=True).to(self.device)
        return {column: dim_zero_cat(getattr(self, column))[order] for column in self.kept}

    def values(self) -> dict[str, float]:
        return self.evaluate(self.gathered())

    def of(self, fake: Features, labels: Tensor | None = None) -> dict[str, float]:
        columns = {column: getattr(fake, column) for column in self.kept}
        for values in columns.values():
            refuse_not_finite(values)
        return self.evaluate(columns)

    def evaluate(self, fake: Mapping[str, Tensor]) -> dict[str, float]:
        """The numbers for these columns, wherever they were kept."""
        raise NotImplementedError

    def real(self, fake: Tensor) -> Tensor:
        return self.reference.features.to(fake.device)


class InceptionScore(Buffered):
    """Salimans et al. 2016, section 4: mean over `splits` of shuffled images; `is_std` with more than one."""

    names = ("is", "is_std")
    columns = ("logits",)
    of_logits = True
    higher_is_better = True

    def __init__(self, reference: Reference, splits: int = 1, seed: int = 2020) -> None:
        super().__init__(reference)
        self.splits, self.seed = splits, seed

    def evaluate(self, fake: Mapping[str, Tensor]) -> dict[str, float]:
        mean, spread = inception_score(fake["logits"], self.splits, seed=self.seed)
        return {"is": mean, "is_std": spread} if self.splits > 1 else {"is": mean}


class KernelDistance(Buffered):
    """Bińkowski et al. 2018 (KID): unbiased, over all images or `subsets` of `subset_size`; and its error."""

    names = ("kd", "kd_error")
    of_real = "features"
    higher_is_better = False
    error_of_halves = False  # it has an error of its own, by the jackknife

    def __init__(
        self, reference: Reference, subsets: int | None = None, subset_size: int = 1000, seed: int = 2020
    ) -> None:
        super().__init__(reference)
        self.subsets, self.subset_size, self.seed = subsets, subset_size, seed

    def evaluate(self, fake: Mapping[str, Tensor]) -> dict[str, float]:
        features = fake["features"]
        value, error = kernel_distance(
            features, self.real(features), subsets=self.subsets, subset_size=self.subset_size, seed=self.seed
        )
        return {"kd": value, "kd_error": error}


class ExtrapolatedFrechetDistance(Buffered):
    """Chong & Forsyth 2020 (FID∞): the distance for infinitely many fakes."""

    names = ("fd_infinity",)
    of_real = "moments"
    higher_is_better = False
    error_of_halves = False  # halves are too few images for it, and it is ten distances already

    def __init__(self, reference: Reference, seed: int = 2020) -> None:
        super().__init__(reference)
        self.seed = seed

    def evaluate(self, fake: Mapping[str, Tensor]) -> dict[str, float]:
        moments = (self.reference.mean, self.reference.cov)
        return {"fd_infinity": extrapolated_frechet_distance(fake["features"], *moments, seed=self.seed)}


class NeighbourScore(Buffered):
    """Base of scores by nearest neighbours, which find those of all subsets of the fakes at once."""

    of_real = "features"

    def evaluate(self, fake: Mapping[str, Tensor]) -> dict[str, float]:
        features = fake["features"]
        return self._named(features, [torch.arange(len(features), device=features.device)])[0]

    def of_parts(self, fake: Features, labels: Tensor | None, parts: Sequence[Tensor]) -> list[dict[str, float]]:
        return self._named(fake.features, parts)

    def _named(self, fake: Tensor, parts: Sequence[Tensor]) -> list[dict[str, float]]:
        return [dict(zip(self.names, values, strict=True)) for values in self.of_subsets(fake, parts)]

    def of_subsets(self, fake: Tensor, parts: Sequence[Tensor]) -> list[tuple[float, float]]:
        """Both scores of each subset of the fakes' features (n, d), given by its indices."""
        raise NotImplementedError


class PrecisionRecall(NeighbourScore):
    """Kynkäänniemi et al. 2019: quality and variety, by balls up to the k-th neighbour."""

    names = ("precision", "recall")
    higher_is_better = True

    def __init__(self, reference: Reference, k: int = 3) -> None:
        super().__init__(reference)
        self.k = k

    def of_subsets(self, fake: Tensor, parts: Sequence[Tensor]) -> list[tuple[float, float]]:
        radius = self.reference.radius(self.k).to(fake.device)
        return neighbours.precision_recall(fake, self.real(fake), parts, self.k, radius=radius)


class DensityCoverage(NeighbourScore):
    """Naeem et al. 2020: quality and variety, robust against outliers."""

    names = ("density", "coverage")
    higher_is_better = True

    def __init__(self, reference: Reference, k: int = 5) -> None:
        super().__init__(reference)
        self.k = k

    def of_subsets(self, fake: Tensor, parts: Sequence[Tensor]) -> list[tuple[float, float]]:
        radius = self.reference.radius(self.k).to(fake.device)
        return neighbours.density_coverage(fake, self.real(fake), parts, self.k, radius=radius)


class Memorisation(NeighbourScore):
    """Whether fakes are nearer to training images than the held-out reference is; see `neighbours.memorisation`."""

    names = ("memorisation", "neighbour_ratio")
    higher_is_better = False

    def __init__(self, reference: Reference, train: Reference, seed: int = 2020) -> None:
        super().__init__(reference)
        if train.fingerprint == reference.fingerprint:
            raise ValueError("memorisation compares training images with held-out ones: both are the same here")
        self.train_features, self.seed = train.features, seed
        self._typical: Tensor | None = None

    def of_subsets(self, fake: Tensor, parts: Sequence[Tensor]) -> list[tuple[float, float]]:
        train, held_out = self.train_features.to(fake.device), self.real(fake)
        if self._typical is None:
            self._typical = neighbours.typical_distance(train, held_out)
        typical = self._typical.to(fake.device)
        return neighbours.memorisation(fake, train, held_out, parts, seed=self.seed, typical=typical)
