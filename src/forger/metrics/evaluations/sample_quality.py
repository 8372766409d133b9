"""Evaluation of samples against real images, in the feature space of an extractor."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from annotated_types import Ge, MinLen
from torch import Tensor

from forger.data.dataset import Data
from forger.data.imagesets import split_of
from forger.data.loader import share
from forger.data.pixels.ranges import BYTES, ValueRange
from forger.games.abilities import Samples
from forger.metrics.evaluations.base import Evaluation, labels_to_ask, nfe_of, weights_of
from forger.metrics.features import extractors
from forger.metrics.features.base import as_pixels
from forger.metrics.features.statistics import read_statistics
from forger.metrics.functional.standard_errors import Estimate
from forger.metrics.scores.collection import Scores, plain_names
from forger.metrics.scores.names import (
    depends_on_reference,
    higher_is_better,
    memorises,
    plain_name,
    refuse_without_images,
    score_name,
)
from forger.randomness import generator

T = TypeVar("T")
#: Samples that a game makes at a time.
CHUNK = 4096


class SampleQuality(Evaluation[Samples]):
    """Scores of samples against real images in the feature space of an extractor.

    Args:
        extractor: a name, an import path or a file, as `forger.metrics.features.extractors.build` takes it.
        scores: names of `forger.metrics.scores.names` (``fd``, ``is``, ``kd``, ``precision``, …).
        weights: file of the extractor's weights, where it needs one.
        splits: of the Inception Score.
        preprocessing: of a module or exported program, as `ModuleExtractor` takes it (``size``, ``antialias``, …), or
            of Inception (``resize``, ``precision``).
        reference: what fakes are compared with: the ``split`` that is scored, or ``train``, by which the names of
            scores end in ``_train``, as ``fid_train``.
        file: published statistics to compare with instead (`read_statistics`).

    Raises:
        ValueError: extractor, scores and reference do not fit each other.
    """

    def __init__(
        self,
        extractor: str,
        scores: Annotated[Sequence[str], MinLen(1)] = ("fd", "is"),
        weights: str | None = None,
        splits: Annotated[int, Ge(1)] = 1,
        preprocessing: Mapping[str, Any] | None = None,
        reference: Literal["split", "train"] = "split",
        file: str | None = None,
    ) -> None:
        self.extractor = extractors.build(extractor, weights, **preprocessing or {})
        suffix = "_train" if reference == "train" else ""
        self.names = [name.removesuffix(suffix) for name in scores]
        self.splits = splits
        self.reference = reference
        self._suffix = suffix
        self._known = None if file is None else read_statistics(Path(file))
        if self._known is not None:
            refuse_without_images(self.names, self.extractor.name, self._known.name)
        if reference == "train" and memorises(self.names, self.extractor.name):
            raise ValueError(
                "memorisation compares with images other than the training images: take out reference=train"
            )
        self._scores: dict[str, Scores] = {}

    def evaluate(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        scores = self._prepared(data, split).to(game.device)
        scores.reset()
        for fakes, labels in draw_fakes(game, n, self._labels(game, data, split, n, seed), seed, data.values):
            scores.update(fakes, labels)
        return self._named(scores.compute())

    def estimate(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, Estimate]:
        """As `evaluate`, with standard errors from halves of the fakes, whose features are kept for that."""
        scores = self._prepared(data, split).to(game.device)
        labels = self._labels(game, data, split, n, seed)
        fakes = (fakes for fakes, _ in draw_fakes(game, n, labels, seed, data.values))
        return self._named(scores.estimate(fakes, labels, seed=seed))

    def higher_is_better(self, name: str) -> bool:
        return higher_is_better(name.removesuffix(self._suffix))

    @property
    def published(self) -> list[str]:
        """Names of the scores that can choose a checkpoint."""
        names = [score_name(plain_name(name, self.extractor.name), self.extractor.name) for name in self.names]
        return list(self._named(dict.fromkeys(names)))

    def check(self, data: Data) -> None:
        plain_names(self.names, self.extractor.of(data.values), data.test.arrays["image"][:1])
        if self._known is not None:
            self._prepared(data, "test")

    def passport(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        return self._prepared(data, split).passport(n, weights=weights_of(game), seed=seed, nfe=nfe_of(game)).to_dict()

    def _prepared(self, data: Data, split: str) -> Scores:
        split = "train" if self.reference == "train" else split
        if split not in self._scores:
            real = split_of(data, split) if self._known is None else self._known
            train = next((known.train_reference for known in self._scores.values()), None)
            self._scores[split] = Scores.against(
                real, self.extractor.of(data.values), self.names, splits=self.splits, train=train
            )
        return self._scores[split]

    def _named(self, values: Mapping[str, T]) -> dict[str, T]:
        return {name + self._suffix * depends_on_reference(name): value for name, value in values.items()}

    @staticmethod
    def _labels(game: Samples, data: Data, split: str, n: int, seed: int) -> Tensor | None:
        return labels_to_ask(game, data.splits[split].arrays.get("label"), n, seed)


def draw_fakes(
    game: Samples, n: int, labels: Tensor | None, seed: int, values: ValueRange = BYTES
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """This rank's share of ``n`` fakes, a chunk at a time, each with the labels (of all, (n,)) it was asked for.

    Raises:
        ValueError: NaN or infinity among them.
    """
    for indices in share(n, game.rank, game.world).split(CHUNK):
        fakes = as_pixels(game.sample(n, labels, generator(seed, "scores"), only=indices), values)
        yield fakes, None if labels is None else labels[indices].to(fakes.device)
