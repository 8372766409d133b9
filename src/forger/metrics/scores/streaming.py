"""Scores that keep running sums instead of features: torchmetrics metrics in float64."""

import torch
from torch import Tensor

from forger.metrics.features.base import Features
from forger.metrics.features.reference import Reference
from forger.metrics.functional.frechet import (
    frechet_distance,
    frechet_distance_from_features,
    frechet_distance_to_moments,
    refuse_not_finite,
)
from forger.metrics.functional.logits import agreement
from forger.metrics.functional.vendi import normalised, vendi_from_outer, vendi_score
from forger.metrics.scores.base import FeatureMetric


class FrechetDistance(FeatureMetric):
    """Heusel et al. 2017, equation 6 (FID). Keeps float64 sums and no features: memory d² for any number."""

    names = ("fd",)
    of_real = "moments"
    higher_is_better = False
    n: Tensor
    total: Tensor
    outer: Tensor

    def __init__(self, reference: Reference) -> None:
        super().__init__(reference)
        d = len(reference.mean)
        self.add_state("n", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("total", torch.zeros(d, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("outer", torch.zeros(d, d, dtype=torch.float64), dist_reduce_fx="sum")
        # Sums are taken about the real mean: about 0 the covariance would be a small difference of large numbers.
        self.register_buffer("origin", reference.mean, persistent=False)

    def update(self, fake: Features, labels: Tensor | None = None) -> None:
        refuse_not_finite(fake.features)
        centred = fake.features.double() - self.get_buffer("origin")
        self.n = self.n + len(centred)
        self.total = self.total + centred.sum(dim=0)
        self.outer = self.outer + centred.T @ centred

    def values(self) -> dict[str, float]:
        n = int(self.n)
        if n < 2:
            raise ValueError(f"a Fréchet distance needs at least 2 images, got {n}")
        mean = self.total / n
        cov = (self.outer - n * torch.outer(mean, mean)) / (n - 1)
        origin = self.get_buffer("origin")
        return {"fd": frechet_distance(mean + origin, cov, self.reference.mean, self.reference.cov)}

    def of(self, fake: Features, labels: Tensor | None = None) -> dict[str, float]:
        rows, real = fake.features, self.reference
        if 0 < len(real) <= rows.shape[1] and len(rows) <= rows.shape[1]:
            return {"fd": frechet_distance_from_features(rows, real.features)}
        return {"fd": frechet_distance_to_moments(rows, real.mean, real.cov)}


class Vendi(FeatureMetric):
    """Friedman & Dieng 2023: effective number of different images, and its ratio to the reals'. Streaming."""

    names = ("vendi", "vendi_ratio")
    of_real = "features"
    higher_is_better = True
    n: Tensor
    outer: Tensor

    def __init__(self, reference: Reference) -> None:
        super().__init__(reference)
        d = len(reference.mean)
        self.add_state("n", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("outer", torch.zeros(d, d, dtype=torch.float64), dist_reduce_fx="sum")
        self.real = vendi_score(reference.features)

    def update(self, fake: Features, labels: Tensor | None = None) -> None:
        refuse_not_finite(fake.features)
        rows = normalised(fake.features)
        self.n = self.n + len(rows)
        self.outer = self.outer + rows.T @ rows

    def values(self) -> dict[str, float]:
        return self._values(vendi_from_outer(self.outer, int(self.n)))

    def of(self, fake: Features, labels: Tensor | None = None) -> dict[str, float]:
        return self._values(vendi_score(fake.features))

    def _values(self, value: float) -> dict[str, float]:
        return {"vendi": value, "vendi_ratio": value / self.real}


class Accuracy(FeatureMetric):
    """Share of fakes that the extractor's classifier takes for the class that was asked for. Streaming."""

    names = ("accuracy",)
    of_logits = True
    higher_is_better = True
    n: Tensor
    right: Tensor

    def __init__(self, reference: Reference) -> None:
        super().__init__(reference)
        self.add_state("n", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("right", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, fake: Features, labels: Tensor | None = None) -> None:
        logits, labels = self._asked(fake, labels)
        self.n = self.n + len(labels)
        self.right = self.right + (logits.argmax(dim=1) == labels).sum()

    def values(self) -> dict[str, float]:
        if int(self.n) == 0:
            raise ValueError("accuracy needs at least 1 image")
        return {"accuracy": int(self.right) / int(self.n)}

    def of(self, fake: Features, labels: Tensor | None = None) -> dict[str, float]:
        return {"accuracy": agreement(*self._asked(fake, labels))}

    @staticmethod
    def _asked(fake: Features, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        if labels is None or labels.ndim > 1 or fake.logits is None:
            raise ValueError("accuracy needs the classes that were asked for and an extractor with logits")
        return fake.logits, labels
