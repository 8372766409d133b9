"""Evaluation of samples against real images, in the feature space of an extractor."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from annotated_types import Ge, MinLen
from torch import Tensor

from forger.data.dataset import Data
from forger.data.imagesets import split_of
from forger.data.loader import share
from forger.games.abilities import Samples
from forger.metrics.evaluations.base import Evaluation, labels_to_ask, weights_of
from forger.metrics.features import extractors
from forger.metrics.features.base import as_uint8
from forger.metrics.functional.standard_errors import Estimate
from forger.metrics.scores.collection import Scores, plain_names
from forger.metrics.scores.names import higher_is_better, plain_name, score_name
from forger.randomness import generator

#: Samples that a game makes at a time.
CHUNK = 4096


class SampleQuality(Evaluation[Samples]):
    """Scores of samples against real images in the feature space of an extractor.

    Args:
        extractor: a name, an import path or a file, as `forger.metrics.features.extractors.build` takes it.
        scores: names of `forger.metrics.scores.names` (``fd``, ``is``, ``kd``, ``precision``, …).
        weights: file of the extractor's weights, where it needs one.
        splits: of the Inception Score.
        preprocessing: of a module or exported program, as `ModuleExtractor` takes it (``size``, ``antialias``, …).
    """

    def __init__(
        self,
        extractor: str,
        scores: Annotated[Sequence[str], MinLen(1)] = ("fd", "is"),
        weights: str | None = None,
        splits: Annotated[int, Ge(1)] = 1,
        preprocessing: Mapping[str, Any] | None = None,
    ) -> None:
        self.extractor = extractors.build(extractor, weights, **preprocessing or {})
        self.names = list(scores)
        self.splits = splits
        self._scores: dict[str, Scores] = {}

    def evaluate(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        scores = self._prepared(data, split).to(game.device)
        scores.reset()
        for fakes, labels in draw_fakes(game, n, self._labels(game, data, split, n, seed), seed):
            scores.update(fakes, labels)
        return scores.compute()

    def estimate(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, Estimate]:
        """As `evaluate`, with standard errors from halves of the fakes, whose features are kept for that."""
        scores = self._prepared(data, split).to(game.device)
        labels = self._labels(game, data, split, n, seed)
        return scores.estimate((fakes for fakes, _ in draw_fakes(game, n, labels, seed)), labels, seed=seed)

    def higher_is_better(self, name: str) -> bool:
        return higher_is_better(name)

    @property
    def published(self) -> list[str]:
        """Names of the scores that can choose a checkpoint."""
        return [score_name(plain_name(name, self.extractor.name), self.extractor.name) for name in self.names]

    def check(self, data: Data) -> None:
        plain_names(self.names, self.extractor, data.test.arrays["image"][:1])

    def passport(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        return self._prepared(data, split).passport(n, weights=weights_of(game), seed=seed).to_dict()

    def _prepared(self, data: Data, split: str) -> Scores:
        if split not in self._scores:
            real = split_of(data, split)
            self._scores[split] = Scores.against(real, self.extractor, self.names, splits=self.splits)
        return self._scores[split]

    @staticmethod
    def _labels(game: Samples, data: Data, split: str, n: int, seed: int) -> Tensor | None:
        return labels_to_ask(game.classes, data.splits[split].arrays.get("label"), n, seed)


def draw_fakes(game: Samples, n: int, labels: Tensor | None, seed: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    """This rank's share of ``n`` fakes, uint8, a chunk at a time, each with the labels (of all, (n,)) it was asked for.

    Raises:
        ValueError: NaN or infinity among them.
    """
    for indices in share(n, game.rank, game.world).split(CHUNK):
        fakes = as_uint8(game.sample(n, labels, generator(seed, "scores"), only=indices))
        yield fakes, None if labels is None else labels[indices].to(fakes.device)
