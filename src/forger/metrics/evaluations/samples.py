"""Evaluation of samples against real images, in the feature space of an extractor."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import torch
from annotated_types import Ge, MinLen
from torch import Tensor

from forger.data.dataset import Data
from forger.data.loader import share
from forger.games.abilities import Samples
from forger.metrics.evaluations.base import Evaluation, Measured, measured, proportional, weights_of
from forger.metrics.features import extractors
from forger.metrics.features.base import Features, as_uint8
from forger.metrics.features.reference import Reference, default_cache
from forger.metrics.scores.buffered import Rows
from forger.metrics.scores.collection import Scores, higher_is_better, plain_name, refuse_without_logits, score_name
from forger.randomness import generator

#: Samples that a game makes at a time.
CHUNK = 4096


class SampleQuality(Evaluation[Samples]):
    """Scores of samples against real images in the feature space of an extractor.

    Args:
        extractor: a name, an import path or a file, as `forger.metrics.features.extractors.build` takes it.
        scores: names of `forger.metrics.scores.collection` (``fd``, ``is``, ``kd``, ``precision``, …).
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
        for features, labels in self._fakes(game, data, split, n, seed):
            scores.observe(features, labels)
        return scores.compute()

    def measured(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, Measured]:
        """As `evaluate`, with standard errors from halves of the fakes, whose features are kept for that."""
        scores = self._prepared(data, split).to(game.device)
        kept = Rows(scores.reference, self._columns(scores)).to(game.device)
        for features, _ in self._fakes(game, data, split, n, seed):
            kept.update(features)
        with kept.sync_context():
            rows = kept.gathered()
        features = Features(rows["features"], rows.get("logits"))
        labels = self._labels(game, data, split, n, seed)
        labels = None if labels is None else labels.to(game.device)
        values, errors = scores.measured(features, labels, seed=seed)
        return measured(values, errors)

    def higher_is_better(self, name: str) -> bool:
        return higher_is_better(name)

    @property
    def published(self) -> list[str]:
        """Names of the scores that can choose a checkpoint."""
        return [score_name(plain_name(name, self.extractor.name), self.extractor.name) for name in self.names]

    def check(self, data: Data) -> None:
        assert self.published  # refuses a name that no score has
        if self.extractor(data.test.arrays["image"][:1]).logits is None:
            refuse_without_logits([plain_name(name, self.extractor.name) for name in self.names], self.extractor.name)

    def passport(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        return self._prepared(data, split).passport(n, weights=weights_of(game), seed=seed).to_dict()

    def _fakes(
        self, game: Samples, data: Data, split: str, n: int, seed: int
    ) -> Iterator[tuple[Features, Tensor | None]]:
        """Features of this rank's fakes and the labels that were asked for, a chunk at a time."""
        labels = self._labels(game, data, split, n, seed)
        for mine in share(n, game.rank, game.world).split(CHUNK):
            fakes = as_uint8(game.sample(n, labels, generator(seed, "scores"), only=mine))
            asked = None if labels is None else labels[mine].to(fakes.device)
            for part in torch.arange(len(fakes)).split(512):
                yield self.extractor(fakes[part]), None if asked is None else asked[part]

    @staticmethod
    def _columns(scores: Scores) -> list[str]:
        return ["features"] if scores.reference.logits is None else ["features", "logits"]

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
    def _labels(game: Samples, data: Data, split: str, n: int, seed: int) -> Tensor | None:
        """Labels to ask a conditional game for."""
        return proportional(data.splits[split].arrays["label"], n, seed) if game.classes else None
