"""Evaluations: what turns a game and a split of its data into named scores."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any

from annotated_types import Ge, MinLen
from torch import Tensor

from forger.data.images import Data
from forger.data.loader import share
from forger.data.ranges import to_uint8
from forger.metrics import extractors
from forger.metrics.passport import installed_versions
from forger.metrics.reference import Reference, default_cache
from forger.metrics.scores import Scores, higher_is_better
from forger.randomness import generator


class Evaluation(ABC):
    """Named scores of a game on one split. Uses only what the game offers: ``sample``, ``reconstruct``, …

    Under DDP every rank calls it and gets the same numbers.
    """

    @abstractmethod
    def evaluate(self, game: Any, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        """Scores by name, on ``n`` fakes (where the evaluation draws any) with latents of ``seed``."""

    @abstractmethod
    def higher_is_better(self, name: str) -> bool:
        """The direction of a score."""

    def check(self, data: Data) -> None:  # noqa: B027 (most take any data)
        """Raise ValueError, before anything is trained, for data that can't be scored like this."""

    def passport(self, game: Any, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        """What must agree before two of these scores may be compared."""
        return {
            "split": f"{data.name}/{split}",
            "fingerprint": data.fingerprint,
            "n_fake": n,
            "seed": seed,
            "versions": installed_versions(),
        }


class SampleQuality(Evaluation):
    """Scores of samples against real images in the feature space of an extractor.

    Args:
        extractor: ``digits``, ``inception``, an import path of a module, or an exported program's file.
        scores: names of `forger.metrics.scores` (``fd``, ``is``, ``kd``, ``precision``, …).
        weights: file of the extractor's weights, where it needs one.
        splits: of the Inception Score.
    """

    def __init__(
        self,
        extractor: str,
        scores: Annotated[Sequence[str], MinLen(1)] = ("fd", "is"),
        weights: str | None = None,
        splits: Annotated[int, Ge(1)] = 1,
    ) -> None:
        self.extractor = extractors.build(extractor, weights)
        self.names = list(scores)
        self.splits = splits
        self._scores: dict[str, Scores] = {}

    def evaluate(self, game: Any, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        scores = self._prepared(data, split).to(game.device)
        scores.reset()
        labels = self._labels(data, split, n) if getattr(game, "classes", 0) else None
        mine = share(n, game.rank, game.world)
        fakes = game.sample(n, labels, generator(seed, "scores"), only=mine)
        scores.update(to_uint8(fakes), None if labels is None else labels[mine].to(fakes.device))
        return scores.compute()

    def higher_is_better(self, name: str) -> bool:
        return higher_is_better(name)

    def check(self, data: Data) -> None:
        self.extractor.check(data.test.arrays["image"][:1])

    def passport(self, game: Any, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        weights = "ema" if getattr(game, "average", None) is not None else "raw"
        return self._prepared(data, split).passport(n, weights=weights, seed=seed).to_dict()

    def _prepared(self, data: Data, split: str) -> Scores:
        if split not in self._scores:
            cache = default_cache()
            real = Reference.build(
                self.extractor, data.splits[split].arrays["image"], split=f"{data.name}/{split}", cache=cache
            )
            train = None
            if "memorisation" in self.names:
                train = Reference.build(
                    self.extractor, data.train.arrays["image"], split=f"{data.name}/train", cache=cache
                )
            self._scores[split] = Scores(self.extractor, real, self.names, train=train, splits=self.splits)
        return self._scores[split]

    @staticmethod
    def _labels(data: Data, split: str, n: int) -> Tensor:
        """Labels in the proportions of the split, repeated where ``n`` is larger."""
        labels = data.splits[split].arrays["label"]
        return labels.repeat(-(-n // len(labels)))[:n]
