"""Evaluations: what turns a game and a split of its data into named scores."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, TypeVar, get_args

import torch
from annotated_types import Ge, MinLen
from torch import Tensor

from forger.data.dataset import Data, Split
from forger.data.loader import share
from forger.games.abilities import Answers, Samples
from forger.metrics import extractors
from forger.metrics.features import Features, as_uint8
from forger.metrics.passport import Weights, installed_versions
from forger.metrics.reference import Reference, default_cache
from forger.metrics.rows import Rows
from forger.metrics.scores import Scores, higher_is_better, plain_name, refuse_without_logits, score_name
from forger.metrics.statistics import spread
from forger.randomness import generator

#: Draws behind a standard error, where the scores are computed anew for each.
DRAWS = 6
#: Samples that a game makes at a time.
CHUNK = 4096


class Measured(NamedTuple):
    """A score and its standard error, which is its spread over other draws of images; None if unknown."""

    value: float
    error: float | None = None


#: What a game must offer to be scored (`forger.games.abilities`).
G = TypeVar("G", bound=Answers)


class Evaluation(ABC, Generic[G]):
    """Named scores of a game on one split; ``Evaluation[Samples]`` are of games that sample, and so on.

    Under DDP every rank calls it and gets the same numbers.
    """

    _asks: ClassVar[type] = object

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        asked = [kind for base in vars(cls).get("__orig_bases__", ()) for kind in get_args(base)]
        if asked and isinstance(asked[0], type):
            cls._asks = asked[0]

    @abstractmethod
    def evaluate(self, game: G, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        """Scores by name, on ``n`` fakes (where the evaluation draws any) with latents of ``seed``."""

    def measured(self, game: G, data: Data, split: str, *, n: int, seed: int) -> dict[str, Measured]:
        """As `evaluate`, with standard errors: the spread over generator seeds, of which ``seed`` is the first."""
        draws = [self.evaluate(game, data, split, n=n, seed=seed + i) for i in range(DRAWS)]
        return measured(draws[0], spread(draws))

    @abstractmethod
    def higher_is_better(self, name: str) -> bool:
        """The direction of a score."""

    def check(self, data: Data) -> None:
        """Raise ValueError, before anything is trained, for data that can't be scored like this."""

    def fits(self, game: object) -> None:
        """Raise ValueError, before anything is trained, for a game that can't be scored like this."""
        if not isinstance(game, self._asks):
            needed = re.sub(r"(?<!^)(?=[A-Z])", " ", self._asks.__name__).lower()
            raise ValueError(f"it needs a game that {needed}, and {type(game).__name__} does not")

    def passport(self, game: G, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        """What must agree before two of these scores may be compared."""
        return {
            "split": f"{data.name}/{split}",
            "fingerprint": data.splits[split].fingerprint,
            "n_fake": n,
            "seed": seed,
            "versions": installed_versions(),
        }


class OfRealImages(Evaluation[G]):
    """Base of evaluations that draw no fakes: they look at real images, and count those.

    Their standard errors are the spread over halves of the images.
    """

    def passport(self, game: G, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        count = min(n, len(data.splits[split]))
        return super().passport(game, data, split, n=count, seed=seed) | {"n_real": count}

    def measured(self, game: G, data: Data, split: str, *, n: int, seed: int) -> dict[str, Measured]:
        values = self.evaluate(game, data, split, n=n, seed=seed)
        if len(data.splits[split]) < 4:
            return measured(values)
        halves = [halved(data, split, seed=seed + i) for i in range(DRAWS)]
        return measured(values, spread([self.evaluate(game, half, split, n=n, seed=seed) for half in halves]))


class SampleQuality(Evaluation[Samples]):
    """Scores of samples against real images in the feature space of an extractor.

    Args:
        extractor: a name, an import path or a file, as `forger.metrics.extractors.build` takes it.
        scores: names of `forger.metrics.scores` (``fd``, ``is``, ``kd``, ``precision``, …).
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


def weights_of(game: Answers) -> Weights:
    """Which of a game's weights its samples are drawn with."""
    return "ema" if game.averaged else "only"


def proportional(labels: Tensor, n: int, seed: int) -> Tensor:
    """``n`` labels in the proportions of those given, drawn by the seed; the order of those given does not matter.

    Each class is drawn as often as its share says, to within one; exactly, if ``n`` is a multiple of their number.

    Args:
        labels: int64 (m,), those of the real images.
        n: how many to draw.
        seed: of the metric.

    Returns:
        int64 (n,), in random order.
    """
    stream = generator(seed, "labels")
    start = torch.rand((), generator=stream, dtype=torch.float64)
    rows = (torch.arange(n) + start) * (len(labels) / n)  # evenly spaced
    drawn = labels.sort().values[rows.long().clamp(max=len(labels) - 1)]
    return drawn[torch.randperm(n, generator=stream)]


def measured(values: Mapping[str, float], errors: Mapping[str, float] = {}) -> dict[str, Measured]:
    """Values by name with what is known of their errors."""
    return {name: Measured(value, errors.get(name)) for name, value in values.items()}


def halved(data: Data, split: str, *, seed: int) -> Data:
    """The data with a random half of one split, drawn for each of its tables; the other splits are unchanged."""
    part = data.splits[split]

    def half(table: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
        n = len(next(iter(table.values()), ()))
        rows = torch.randperm(n, generator=generator(seed, "halves", name))[: n // 2]
        return {key: array[rows] for key, array in table.items()}

    smaller = Split(half(part.arrays, "arrays"), half(part.independent, "independent"))
    if split in data.extra:
        return replace(data, extra={**data.extra, split: smaller})
    return replace(data, **{split: smaller})
