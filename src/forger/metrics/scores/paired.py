"""Scores of images against their right answers: torchmetrics metrics over running sums in float64."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from forger.metrics.features.base import FixedPrecision
from forger.metrics.features.perceptual import Distance
from forger.metrics.functional.image_quality import decibels, same_images, ssim


class Paired(FixedPrecision, Metric):
    """Mean over all images of a value each; `update(images, truth)` takes uint8 (n, c, h, w) twice.

    `compute()` syncs over ranks first, so all ranks must call it.

    Raises:
        ValueError: images that do not pair.
    """

    full_state_update = False
    is_differentiable = False
    total: Tensor
    count: Tensor

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    @abstractmethod
    def per_image(self, images: Tensor, truth: Tensor) -> Tensor:
        """float64 (n,)."""

    def update(self, images: Tensor, truth: Tensor) -> None:
        same_images(images, truth)
        self.total += self.per_image(images, truth).sum()
        self.count += len(images)

    def compute(self) -> Tensor:
        return self.total / self.count


class PeakSignalNoiseRatio(Paired):
    """Peak signal-to-noise ratio in dB, of the squared error over all pixels of all images; infinite for equal ones."""

    higher_is_better = True

    def per_image(self, images: Tensor, truth: Tensor) -> Tensor:
        return (images.double() - truth.double()).square().flatten(1).mean(1)

    def compute(self) -> Tensor:
        error = super().compute()
        return torch.full_like(error, decibels(float(error)))


class StructuralSimilarity(Paired):
    """Wang et al. 2004: mean SSIM, Gaussian window of 11×11 with σ 1.5; images of 11 pixels or more."""

    higher_is_better = True

    def per_image(self, images: Tensor, truth: Tensor) -> Tensor:
        return ssim(images, truth)


class PerceptualDistance(Paired):
    """Mean of a `Distance` (LPIPS, or of a network's features)."""

    higher_is_better = False

    def __init__(self, distance: Distance, **options: Any) -> None:
        super().__init__(**options)
        self.distance = distance

    def per_image(self, images: Tensor, truth: Tensor) -> Tensor:
        return self.distance(images, truth).double()
