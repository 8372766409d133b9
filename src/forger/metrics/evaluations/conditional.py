"""Evaluation of a conditional generator: whether samples are of the class that was asked for."""

import logging
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor

from forger.data.dataset import Data, Split
from forger.data.pixels.ranges import BYTES, ValueRange
from forger.games.abilities import Samples
from forger.metrics.evaluations.base import Evaluation, weights_of
from forger.metrics.evaluations.once import once_for
from forger.metrics.features import extractors
from forger.metrics.features.base import as_pixels, extract
from forger.randomness import generator

#: Images that the support vector machine is trained on and judged by, at most.
TRAINED, JUDGED = 5_000, 2_000
#: Principal components of larger pictures: as many right on Fashion-MNIST as by all pixels, in a fifth of the time.
COMPONENTS = 64

log = logging.getLogger(__name__)


class ConditionalAccuracy(Evaluation[Samples]):
    """Scores of fakes whose labels were asked for, equally many of each class.

    - `agreement_<extractor>`: share of the fakes in which a classifier, trained on real images alone, sees the
      class that was asked for;
    - `train_on_fake`: accuracy on the real images of the split of a classifier trained on the fakes alone (Ravuri
      & Vinyals 2019, classification accuracy score), beside `train_on_real`, the same one trained on the real
      training images (5,000 at most): a support vector machine on the pixels, or on their first 64 principal
      components where there are more, judged on 2,000 images at most.

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
        self._warned = False

    def evaluate(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        if not game.classes:
            if not self._warned:
                log.info("no classes can be asked for in this game: no agreement, no train_on_fake")
                self._warned = True
            return {}
        labels = torch.arange(self.n) % game.classes
        fakes = as_pixels(game.sample(self.n, labels, generator(seed, "conditional")), data.values).cpu()
        logits = extract(self.extractor.of(data.values), fakes).logits
        if logits is None or logits.shape[1] != game.classes:
            raise ValueError(f"the {self.extractor.name} extractor does not tell {game.classes} classes apart")
        real = data.splits[split]
        return {
            f"agreement_{self.extractor.name}": float((logits.argmax(1) == labels).double().mean()),
            "train_on_fake": accuracy(classifier(fakes, labels, data.values), real, data.values),
            "train_on_real": once_for(
                real, "train_on_real", lambda: accuracy(_trained_on_real(data), real, data.values)
            ),
        }

    def names_of(self, game: object) -> list[str]:
        told = getattr(game, "classes", 0)
        return [f"agreement_{self.extractor.name}", "train_on_fake", "train_on_real"] if told else []

    def higher_is_better(self, name: str) -> bool:
        return True

    def check(self, data: Data) -> None:
        if not data.classes:
            raise ValueError(f"{data.name} has no classes to ask for: take metrics=digits, or others without labels")
        logits = extract(self.extractor.of(data.values), data.test.arrays["image"][:1]).logits
        if logits is None or logits.shape[1] != data.classes:
            raise ValueError(f"the {self.extractor.name} extractor does not tell {data.classes} classes apart")

    def passport(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        return super().passport(game, data, split, n=self.n, seed=seed) | {
            "extractor": self.extractor.name,
            "weights_sha256": self.extractor.weights_sha256,
            "weights": weights_of(game),
        }


def _trained_on_real(data: Data) -> Any:
    train = data.train.arrays
    return once_for(data.train, "classifier", lambda: classifier(train["image"], train["label"], data.values))


def classifier(images: Tensor, labels: Tensor, values: ValueRange = BYTES) -> Any:
    """A support vector machine trained on images (n, c, h, w) and their labels; on a random 5,000 if n is larger.

    Its training takes time in n² and in the number of pixels, so all of a large set would take hours.
    """
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    some = some_rows(len(images), TRAINED)
    pixels = unit_pixels(images[some], values)
    axes = PCA(min(COMPONENTS, len(some)), random_state=0) if pixels.shape[1] > COMPONENTS else "passthrough"
    return make_pipeline(axes, SVC()).fit(pixels, labels[some].numpy())


def accuracy(fitted: Any, real: Split, values: ValueRange = BYTES) -> float:
    """Share of the real images of a split, of a random 2,000 if there are more, that a `classifier` tells right."""
    some = some_rows(len(real), JUDGED)
    return float(fitted.score(unit_pixels(real.arrays["image"][some], values), real.arrays["label"][some].numpy()))


def some_rows(n: int, most: int) -> Tensor:
    """Rows of all of n images, or of ``most`` drawn at random where there are more."""
    return torch.arange(n) if n <= most else torch.randperm(n, generator=generator(0, "conditional", "some"))[:most]


def unit_pixels(images: Tensor, values: ValueRange) -> Any:
    return (values.of_255(images.flatten(1)).float() / 255).numpy()
