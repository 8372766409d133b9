"""Evaluation of codes that a generator learnt without labels: which classes they turned out to be."""

from collections.abc import Mapping
from typing import Annotated, Any, Protocol, runtime_checkable

import torch
from annotated_types import Ge
from torch import Tensor

from forger.data.dataset import Data
from forger.games.abilities import Classifies, Samples
from forger.metrics.evaluations.base import Evaluation, weights_of
from forger.metrics.evaluations.translation import best_renaming
from forger.metrics.features import extractors
from forger.metrics.features.base import as_pixels, extract
from forger.randomness import generator


@runtime_checkable
class SamplesCodes(Samples, Classifies, Protocol):
    """A game that samples from codes of its own and reads them from images."""

    codes: int


class CodeAccuracy(Evaluation[SamplesCodes]):
    """Chen et al. 2016 (InfoGAN), section 7.2: whether codes are classes, under the best one-to-one assignment of them.

    - `code_accuracy`: share of the real images of the split whose class is the one assigned to the code that the
      discriminator's head reads from them;
    - `code_agreement_<extractor>`: share of samples in which a classifier, trained on real images alone, sees the class
      assigned to the code that they were made of, equally many of each code.

    Each score has the assignment that is best for it. Where there are fewer codes than classes some classes get none.

    Args:
        extractor: whose logits classify samples: ``digits``, or any other with as many logits as there are classes.
        weights: file of the extractor's weights, where it needs one.
        preprocessing: of a module or exported program, as `ModuleExtractor` takes it.
        n: number of samples, whatever the other evaluations take.

    Raises:
        ValueError: data without classes, or a game without codes.
    """

    def __init__(
        self,
        extractor: str = "digits",
        weights: str | None = None,
        n: Annotated[int, Ge(2)] = 1000,
        preprocessing: Mapping[str, Any] | None = None,
    ) -> None:
        self.extractor = extractors.build(extractor, weights, **preprocessing or {})
        self.n = n

    def evaluate(self, game: SamplesCodes, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        real = data.splits[split].arrays
        read = game.classify(data.values.to_float(real["image"])).argmax(1).cpu()
        codes = torch.arange(self.n) % game.codes
        fakes = as_pixels(game.sample(self.n, codes, generator(seed, "codes")), data.values).cpu()
        logits = extract(self.extractor.of(data.values), fakes).logits
        assert logits is not None, "what `check` refuses"
        return {
            "code_accuracy": _assigned(real["label"], read, data.classes, game.codes),
            f"code_agreement_{self.extractor.name}": _assigned(logits.argmax(1), codes, data.classes, game.codes),
        }

    def names_of(self, game: object) -> list[str]:
        return ["code_accuracy", f"code_agreement_{self.extractor.name}"]

    def higher_is_better(self, name: str) -> bool:
        return True

    def check(self, data: Data) -> None:
        if not data.classes:
            raise ValueError(f"{data.name} has no classes that codes could turn out to be")
        logits = extract(self.extractor.of(data.values), data.test.arrays["image"][:1]).logits
        if logits is None or logits.shape[1] != data.classes:
            raise ValueError(f"the {self.extractor.name} extractor does not tell {data.classes} classes apart")

    def fits(self, game: object) -> None:
        super().fits(game)
        if not getattr(game, "codes", 0):
            raise ValueError("its generator is told no codes; +model/objectives=infogan adds them")

    def passport(self, game: SamplesCodes, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        return super().passport(game, data, split, n=self.n, seed=seed) | {
            "extractor": self.extractor.name,
            "weights_sha256": self.extractor.weights_sha256,
            "weights": weights_of(game),
        }


def _assigned(classes: Tensor, codes: Tensor, of_classes: int, of_codes: int) -> float:
    """The largest share of agreement under any one-to-one assignment of codes to classes."""
    return best_renaming(classes, codes, max(of_classes, of_codes))[0]
