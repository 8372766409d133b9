"""Evaluations: what turns a game and a split of its data into named scores."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, get_args

import torch
from torch import Tensor

from forger.data.dataset import Data, Split
from forger.games.abilities import Answers
from forger.metrics.functional.standard_errors import spread
from forger.metrics.passport import Weights, installed_versions
from forger.randomness import generator

#: Draws behind a standard error, where the scores are computed anew for each.
DRAWS = 6


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
