"""Evaluations of translations between two domains; a test may have pairs that the training did not."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from forger.data.dataset import Data
from forger.data.pixels.ranges import to_float
from forger.games.abilities import Direction, Translates
from forger.metrics.evaluations.base import OfRealImages
from forger.metrics.features import extractors
from forger.metrics.features.base import as_pixels, extract
from forger.metrics.features.perceptual import Distance
from forger.metrics.functional.image_quality import psnr
from forger.metrics.scores.paired import Paired, PeakSignalNoiseRatio, PerceptualDistance, StructuralSimilarity

#: Functions that turn images of B into ones that an extractor was trained on.
Undo = Literal["nothing", "inversion", "quarter_turn"]


class OfTranslations(OfRealImages[Translates]):
    """An evaluation of all images of a split, translated; it draws no fakes of its own."""

    def passport(self, game: Translates, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        return super().passport(game, data, split, n=len(data.splits[split]), seed=seed)

    def higher_is_better(self, name: str) -> bool:
        return True

    def check(self, data: Data) -> None:
        if "target" not in data.test.independent:
            raise ValueError(f"{data.name} has no second domain, so nothing is translated")


class Cycle(OfTranslations):
    """How well the translations undo each other, in dB: `psnr_cycle_a` (A→B→A) and `psnr_cycle_b` (B→A→B).

    Needs no right translations, and does not show whether they are right: a cycle with permuted classes closes too.
    """

    def fits(self, game: object) -> None:
        super().fits(game)
        if isinstance(game, Translates) and "ba" not in game.directions:
            raise ValueError(f"it needs a game that translates back, and {type(game).__name__} does not")

    def evaluate(self, game: Translates, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        part = data.splits[split]
        a, b = part.arrays["image"], part.independent["target"]
        return {
            "psnr_cycle_a": psnr(translated(game, translated(game, a, "ab"), "ba"), a),
            "psnr_cycle_b": psnr(translated(game, translated(game, b, "ba"), "ab"), b),
        }


class HiddenTruth(OfTranslations):
    """Distance from right translations that were not shown in training: A→B and, with names in `_back`, maybe B→A.

    - `psnr` in dB, of the squared error over all pixels of all images; `ssim`, of images of 11 pixels or more;
    - the `distance`, where one is given, under its name (`lpips_alex`, `distance_digits`); lower is better.

    Args:
        distance: a perceptual distance from the right translation.

    Raises:
        ValueError: data without "truth".
    """

    def __init__(self, distance: Distance | None = None) -> None:
        self.distance = distance

    def evaluate(self, game: Translates, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        image, truth = (data.splits[split].arrays[name] for name in ("image", "truth"))
        pairs = {"": (translated(game, image, "ab"), truth)}
        if "ba" in game.directions:
            pairs["_back"] = translated(game, truth, "ba"), image
        scores = {}
        for way, (made, right) in pairs.items():
            metrics: dict[str, Paired] = {"psnr": PeakSignalNoiseRatio()}
            if min(image.shape[2:]) >= 11:
                metrics["ssim"] = StructuralSimilarity()
            if self.distance is not None:
                metrics[self.distance.name] = PerceptualDistance(self.distance)
            for name, metric in metrics.items():
                metric.update(made, right)
                scores[name + way] = float(metric.compute())
        return scores

    def higher_is_better(self, name: str) -> bool:
        return self.distance is None or not name.startswith(self.distance.name)

    def check(self, data: Data) -> None:
        super().check(data)
        if "truth" not in data.test.arrays:
            raise ValueError(f"{data.name} does not know the right translations: take metrics=translation_unpaired")
        if self.distance is not None:
            self.distance.check(data.test.arrays["image"][:1])

    def passport(self, game: Translates, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        network = {} if self.distance is None else self.distance.about
        return super().passport(game, data, split, n=n, seed=seed) | network


class ClassPreserved(OfTranslations):
    """Whether images keep their class when translated, by an extractor's logits.

    - `class_preserved`: share of the A→B translations that still are of their image's class;
      `class_preserved_back`: the same for B→A; `class_after_cycle`: for A→B→A, if the game translates back;
    - `class_renamed`: the share under the best one-to-one renaming of the classes. If it is far above
      `class_preserved` and the cycle closes, the game has exchanged classes. `classes_fixed`: how many classes that
      renaming leaves unchanged.

    Args:
        undo: turns an image of B into one that the extractor was trained on.
        extractor: whose logits classify images of A.
        weights: file of the extractor's weights, where it needs one.
        preprocessing: of a module or exported program, as `ModuleExtractor` takes it.

    Raises:
        ValueError: data or an extractor without classes.
    """

    def __init__(
        self,
        undo: Undo = "nothing",
        extractor: str = "digits",
        weights: str | None = None,
        preprocessing: Mapping[str, Any] | None = None,
    ) -> None:
        self.undo: Undo = undo
        self.extractor = extractors.build(extractor, weights, **preprocessing or {})

    def evaluate(self, game: Translates, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        part = data.splits[split]
        image, label = part.arrays["image"], part.arrays["label"]
        target, target_label = part.independent["target"], part.independent["target_label"]
        there = translated(game, image, "ab")
        seen = self._classes(undone(there, self.undo))
        renamed, fixed = best_renaming(label, seen, data.classes)
        scores = {"class_preserved": _share(seen == label)}
        if "ba" in game.directions:
            scores["class_preserved_back"] = _share(self._classes(translated(game, target, "ba")) == target_label)
            scores["class_after_cycle"] = _share(self._classes(translated(game, there, "ba")) == label)
        return {**scores, "class_renamed": renamed, "classes_fixed": fixed}

    def check(self, data: Data) -> None:
        super().check(data)
        if not data.classes or "target_label" not in data.test.independent:
            raise ValueError(f"{data.name} has no classes to be preserved: take metrics=translation_unpaired")
        self.extractor.check(data.test.arrays["image"][:1])
        logits = extract(self.extractor, data.test.arrays["image"][:1]).logits
        if logits is None or logits.shape[1] != data.classes:
            raise ValueError(f"the {self.extractor.name} extractor does not tell the {data.classes} classes apart")

    def passport(self, game: Translates, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        return super().passport(game, data, split, n=n, seed=seed) | {
            "extractor": self.extractor.name,
            "weights_sha256": self.extractor.weights_sha256,
            "undo": self.undo,
        }

    def _classes(self, images: Tensor) -> Tensor:
        logits = extract(self.extractor, images).logits
        assert logits is not None  # `check`
        return logits.argmax(1)


def translated(game: Translates, images: Tensor, direction: Direction) -> Tensor:
    """uint8 images (n, c, h, w) as the game translates them, uint8 on the CPU."""
    return as_pixels(game.translate(to_float(images), direction)).cpu()


def undone(images: Tensor, undo: Undo) -> Tensor:
    """uint8 images of B (n, c, h, w), as they were in A."""
    if undo == "inversion":
        return 255 - images
    return images.rot90(-1, (2, 3)) if undo == "quarter_turn" else images


def best_renaming(label: Tensor, seen: Tensor, classes: int) -> tuple[float, int]:
    """The largest share of agreement under any one-to-one renaming of the classes, and how many keep theirs."""
    counts = torch.zeros(classes, classes, dtype=torch.long)
    counts.index_put_((label, seen), torch.ones_like(label), accumulate=True)
    before, after = linear_sum_assignment(counts.numpy(), maximize=True)
    return float(counts[before, after].sum()) / len(label), int((before == after).sum())


def _share(agreed: Tensor) -> float:
    return float(agreed.double().mean())
