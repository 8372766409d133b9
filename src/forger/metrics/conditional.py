"""Evaluation of a conditional generator: whether samples are of the class that was asked for."""

import logging
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor

from forger.data.dataset import Data, Split
from forger.games.abilities import Samples
from forger.metrics import extractors
from forger.metrics.evaluation import Evaluation, weights_of
from forger.metrics.features import as_uint8, extract
from forger.randomness import generator

log = logging.getLogger(__name__)


class ConditionalAccuracy(Evaluation[Samples]):
    """Scores of fakes whose labels were asked for, equally many of each class.

    - `agreement_<extractor>`: share of the fakes in which a classifier, trained on real images alone, sees the
      class that was asked for;
    - `train_on_fake`: accuracy on the real images of the split of a classifier trained on the fakes alone (Ravuri
      & Vinyals 2019, classification accuracy score), beside `train_on_real`, the same one trained on the real
      training images: a support vector machine on the pixels.

    Args:
        extractor: whose logits classify: ``digits``, or any other with as many logits as there are classes.
        weights: file of the extractor's weights, where it needs one.
        preprocessing: of a module or exported program, as `ModuleExtractor` takes it.
        n: number of fakes, whatever the other evaluations take.

    An unconditional game has none of these scores; one line in the log says so.

    Raises:
        ValueError: data without classes.
    """

    def __init__(
        self,
        extractor: str = "digits",
        weights: str | None = None,
        n: Annotated[int, Ge(2)] = 2000,
        preprocessing: Mapping[str, Any] | None = None,
    ) -> None:
        self.extractor = extractors.build(extractor, weights, **preprocessing or {})
        self.n = n
        self._on_real: dict[str, float] = {}
        self._told = False

    def evaluate(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        if not game.classes:
            if not self._told:
                log.info("no classes can be asked for in this game: no agreement, no train_on_fake")
                self._told = True
            return {}
        labels = torch.arange(self.n) % game.classes
        fakes = as_uint8(game.sample(self.n, labels, generator(seed, "conditional"))).cpu()
        logits = extract(self.extractor, fakes).logits
        if logits is None or logits.shape[1] != game.classes:
            raise ValueError(f"the {self.extractor.name} extractor does not tell {game.classes} classes apart")
        real = data.splits[split]
        if split not in self._on_real:
            self._on_real[split] = transfer(data.train.arrays["image"], data.train.arrays["label"], real)
        return {
            f"agreement_{self.extractor.name}": float((logits.argmax(1) == labels).double().mean()),
            "train_on_fake": transfer(fakes, labels, real),
            "train_on_real": self._on_real[split],
        }

    def higher_is_better(self, name: str) -> bool:
        return True

    def check(self, data: Data) -> None:
        if not data.classes:
            raise ValueError(f"{data.name} has no classes to ask for: take metrics=digits, or others without labels")
        self.extractor.check(data.test.arrays["image"][:1])
        logits = extract(self.extractor, data.test.arrays["image"][:1]).logits
        if logits is None or logits.shape[1] != data.classes:
            raise ValueError(f"the {self.extractor.name} extractor does not tell {data.classes} classes apart")

    def passport(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        return super().passport(game, data, split, n=self.n, seed=seed) | {
            "extractor": self.extractor.name,
            "weights_sha256": self.extractor.weights_sha256,
            "weights": weights_of(game),
        }


def transfer(images: Tensor, labels: Tensor, real: Split) -> float:
    """Accuracy on real images of a support vector machine trained on these uint8 images and labels."""
    from sklearn.svm import SVC

    def pixels(x: Tensor) -> Any:
        return (x.flatten(1).float() / 255).numpy()

    classifier = SVC().fit(pixels(images), labels.numpy())
    return float(classifier.score(pixels(real.arrays["image"]), real.arrays["label"].numpy()))
