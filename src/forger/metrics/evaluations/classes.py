"""Evaluation of the classes that a generator covers, where a classifier can read them from its images."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from forger.data.dataset import Data
from forger.data.pixels.ranges import to_uint8
from forger.games.abilities import Samples, told_by_data
from forger.metrics.evaluations.base import Evaluation, proportional
from forger.metrics.features import extractors
from forger.metrics.features.base import Extractor, extract
from forger.metrics.functional.modes import class_modes
from forger.randomness import generator


class ClassCoverage(Evaluation[Samples]):
    """Metz et al. 2017, section 3.3.1: `modes`, the classes seen among `n` images, and `kl_modes` to their true shares.

    With as many channels as the classes have digits (`data=stacked_digits`) the classifier reads one digit in
    each: 1,000 modes. The true shares are those of the training labels; a conditional game is asked for its classes
    in the same shares. Samples are drawn with the game's default weights; if those are a moving average, `modes_raw`
    and `kl_modes_raw` are scores of the live weights.

    Args:
        extractor: whose logits classify one channel: ``digits``, or any other that gives logits.
        weights: file of the extractor's weights, where it needs one.
        preprocessing: of a module or exported program, as `ModuleExtractor` takes it.

    Raises:
        ValueError: data without labels, or with other classes than the classifier tells apart.
    """

    def __init__(
        self,
        extractor: str = "digits",
        weights: str | None = None,
        preprocessing: Mapping[str, Any] | None = None,
    ) -> None:
        # Not named `extractor`, since it reads single channels, not whole images.
        self.classifier = extractors.build(extractor, weights, **preprocessing or {})

    def evaluate(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        truth = torch.bincount(data.train.arrays["label"], minlength=data.classes)

        def scores(samples: Tensor) -> dict[str, float]:
            values = class_modes(stacked_classes(self.classifier, to_uint8(samples).cpu()), truth)
            return {"modes": values["modes"], "kl_modes": values["kl"]}

        labels = proportional(data.train.arrays["label"], n, seed) if game.classes and told_by_data(game) else None
        return of_both_weights(game, scores, labels, n=n, seed=seed)

    def higher_is_better(self, name: str) -> bool:
        return not name.startswith("kl_modes")

    def check(self, data: Data) -> None:
        image = data.test.arrays["image"][:1]
        logits = extract(self.classifier, image.reshape(-1, 1, *image.shape[2:])).logits
        if logits is None:
            raise ValueError(f"the {self.classifier.name} extractor gives no logits to tell classes by")
        if data.classes != logits.shape[1] ** len(logits):
            found = f"{logits.shape[1]} classes in each of {len(logits)} channels"
            raise ValueError(
                f"{data.name} has {data.classes} classes, the {self.classifier.name} extractor tells {found}"
            )

    def passport(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        return super().passport(game, data, split, n=n, seed=seed) | {
            "extractor": self.classifier.name,
            "weights_sha256": self.classifier.weights_sha256,
            "fingerprint": data.train.fingerprint,  # the true shares are its
        }


def of_both_weights(
    game: Samples, scores: Callable[[Tensor], dict[str, float]], labels: Tensor | None = None, *, n: int, seed: int
) -> dict[str, float]:
    """Scores of ``n`` samples; for a game with a moving average also `NAME_raw`, scores of samples by the live weights.

    Both use the same latents and ``labels``; without labels the game chooses them.
    """
    values = scores(game.sample(n, labels, generator(seed, "scores")))
    if game.averaged:
        with game.live_weights():
            live = scores(game.sample(n, labels, generator(seed, "scores")))
        values |= {f"{name}_raw": value for name, value in live.items()}
    return values


def stacked_classes(classifier: Extractor, images: Tensor, batch_size: int = 4096) -> Tensor:
    """The modes of stacked digits, int64 (n,) on the CPU: what the classifier reads in the channels.

    uint8 (n, c, h, w) → the c classes as the digits of one number, red first.

    Raises:
        ValueError: images whose channels the classifier does not take.
    """
    n, channels, height, width = images.shape
    logits = extract(classifier, images.reshape(n * channels, 1, height, width), batch_size).logits
    assert logits is not None, f"{classifier.name} gives no logits"
    classes = logits.shape[1]
    places = classes ** torch.arange(channels - 1, -1, -1)
    return logits.argmax(dim=1).reshape(n, channels) @ places
