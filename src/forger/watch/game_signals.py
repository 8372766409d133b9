"""Signals of a game's samples, its discriminator and its latents at one moment."""

import math

import torch
from torch import Tensor

from forger.data.dataset import Data, Split
from forger.data.pixels.ranges import ValueRange
from forger.games.abilities import Answers, Denoises, Discriminates, InfersPosteriors, Samples, told_by_data
from forger.metrics.features.base import Extractor
from forger.randomness import generator
from forger.watch.signals import (
    above,
    active_units,
    bandwidth,
    entropy_ratio,
    mean_distance,
    separation,
    sharpness,
    vendi,
    vendi_of_points,
)

#: Extractors with more parameters are too slow for the processor; principal components are used instead.
_LARGE = 5_000_000
#: Number of principal components of images without an extractor.
_COMPONENTS = 32


class GameSignals:
    """Signals of a game at one moment, from the same few latents and real images every time.

    Uses whichever of these the game offers, with the live weights, where trouble shows first: samples, a discriminator,
    posteriors. Features are the extractor's; without one, raw coordinates of points, and principal components of
    images (those of the reals, about their mean). Call it without gradients and with the random state kept.

    Args:
        data: its train split is what fakes are compared with; its validation split is held out from D.
        n: fakes, and reals of either split at most.
        extractor: of the run's scores, if they have one.
        seed: of the latents.
    """

    def __init__(self, data: Data, n: int, extractor: Extractor | None = None, seed: int = 0) -> None:
        self.data = data
        self.n = n
        self.extractor = extractor
        self.seed = seed
        self._real: _Reals | None = None

    def __call__(self, game: Answers) -> dict[str, float]:
        """Signals by name; of a game that can't be sampled only those of its latents, or none."""
        with game.live_weights():
            return self._signals(game)

    def _signals(self, game: Answers) -> dict[str, float]:
        real = self._reals(game.device)
        values: dict[str, float] = {}
        if isinstance(game, Samples):
            labels = real.labels if told_by_data(game) else None
            stream = generator(self.seed, "watch")
            fakes = game.sample(len(real.train), labels, stream)
            if not bool(torch.isfinite(fakes).all()):
                return {"watch/finite_share": float(torch.isfinite(fakes).double().mean())}
            values |= self.diversity(fakes, real)
            if isinstance(game, Discriminates):
                values |= self._separation(game, fakes, labels, real)
            if isinstance(game, Denoises):
                values["watch/held_out_error_ratio"] = _error_ratio(game, real)
        if isinstance(game, InfersPosteriors):
            values["watch/active_units"] = active_units(*(x.cpu() for x in game.posterior(real.held_out)))
        return values

    def diversity(self, fakes: Tensor, real: "_Reals") -> dict[str, float]:
        """How varied fakes (in [-1, 1], or points) are, against as many reals."""
        features, logits = real.featurise(fakes)
        values = {
            "watch/vendi_ratio": real.vendi_score(features) / real.vendi,
            "watch/distance_ratio": mean_distance(features) / real.distance,
        }
        if not real.points:
            values["watch/sharpness_ratio"] = sharpness(fakes) / max(real.sharpness, 1e-12)
        density = self.data.density
        if density is not None and len(density.means) > 1:
            nearest = torch.cdist(fakes.cpu(), density.means.to(fakes.dtype)).argmin(1)
            counts = torch.bincount(nearest, minlength=len(density.means))
            values["watch/mode_entropy"] = entropy_ratio(counts, density.weights)
        if logits is not None:
            values["watch/class_entropy"] = entropy_ratio(histogram(logits), real.classes)
        return values

    def _separation(
        self, game: Discriminates, fakes: Tensor, labels: Tensor | None, real: "_Reals"
    ) -> dict[str, float]:
        held_out_labels = real.held_out_labels if labels is not None else None
        train, held_out, fake = (
            _logits(game.discriminate(images, given))
            for images, given in ((real.train, labels), (real.held_out, held_out_labels), (fakes, labels))
        )
        return {
            "watch/held_out_accuracy": float(((held_out > 0).double().mean() + (fake < 0).double().mean()) / 2),
            "watch/held_out_gap": float(held_out.mean() - fake.mean()),
            "watch/held_out_auc": above(held_out, fake),
            "watch/held_out_separation": separation(held_out, fake),
            "watch/memory_auc": above(train, held_out),
        }

    def _reals(self, device: torch.device) -> "_Reals":
        if self._real is None:
            self._real = _Reals(self.data, self.n, self._usable(device), device)
        return self._real

    def _usable(self, device: torch.device) -> Extractor | None:
        if self.extractor is None or self.data.kind == "points":
            return None
        size = sum(parameter.numel() for parameter in self.extractor.parameters())
        return None if device.type == "cpu" and size > _LARGE else self.extractor.of(self.data.values).to(device)


class _Reals:
    """Real samples of both splits, spread evenly over them, and what fakes are measured by."""

    def __init__(self, data: Data, n: int, extractor: Extractor | None, device: torch.device) -> None:
        self.train, self.labels = _some(data.train, data.values, n, device)
        self.held_out, self.held_out_labels = _some(data.validation, data.values, n, device)
        self.points = data.kind == "points"
        self.values = data.values
        self.extractor = extractor
        if extractor is None and not self.points:
            flat = self.train.flatten(1)
            self.mean = flat.mean(0)
            self.axes = torch.linalg.svd(flat - self.mean, full_matrices=False).Vh[:_COMPONENTS].T
        features, logits = self.featurise(self.train)
        self.sharpness = 0.0 if self.points else sharpness(self.train)
        self.bandwidth = bandwidth(features) if self.points else 0.0
        self.vendi, self.distance = self.vendi_score(features), mean_distance(features)
        self.classes = torch.ones(1) if logits is None else histogram(logits)

    def featurise(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features, and logits if there are any, of images in [-1, 1], or points; on the CPU, which has float64."""
        if self.points:
            return images.cpu(), None
        if self.extractor is not None:
            features, logits = self.extractor(self.values.to_pixels(images))
            return features.cpu(), None if logits is None else logits.cpu()
        return ((images.flatten(1).clamp(-1, 1) - self.mean) @ self.axes).cpu(), None

    def vendi_score(self, features: Tensor) -> float:
        return vendi_of_points(features, self.bandwidth) if self.points else vendi(features)


def _error_ratio(game: Denoises, real: _Reals) -> float:
    """Error on unseen images over that on training images: how much of its answers is memory."""
    told = told_by_data(game)
    train = game.denoising_error(real.train, real.labels if told else None)
    return game.denoising_error(real.held_out, real.held_out_labels if told else None) / train


def histogram(logits: Tensor) -> Tensor:
    """How often each class is the most likely one: (n, k) → (k,)."""
    return torch.bincount(logits.argmax(1), minlength=logits.shape[1])


def _some(split: Split, values: ValueRange, n: int, device: torch.device) -> tuple[Tensor, Tensor | None]:
    index = torch.linspace(0, len(split) - 1, min(n, len(split))).round().long()
    images = split.arrays["image"][index].to(device)
    labels = split.arrays.get("label")
    return values.to_float(images) if images.ndim == 4 else images, None if labels is None else labels[index]


def _logits(probabilities: Tensor) -> Tensor:
    """Logits (n,) of float32 probabilities, which know nothing beyond ±16; of a map of them the mean."""
    logits = torch.logit(probabilities.cpu().double(), eps=math.exp(-16))
    return logits.flatten(1).mean(1) if logits.ndim > 1 else logits
