"""Evaluations: what turns a game and a split of its data into named scores."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar, get_args

import torch
from torch import Tensor

from forger.data.conditions import in_turn
from forger.data.dataset import Data, Split
from forger.data.pixels.ranges import BYTES
from forger.games.abilities import Answers, Denoises, Told, told_by_data
from forger.metrics.functional.standard_errors import Estimate, estimates, spread
from forger.metrics.passport import Weights, installed_versions
from forger.randomness import generator

#: Draws behind a standard error, where the scores are computed anew for each.
DRAWS = 6


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

    def names_of(self, game: object) -> list[str]:
        """Names by which one may ask for its scores of a game, where they are known before any is made."""
        return []

    def estimate(self, game: G, data: Data, split: str, *, n: int, seed: int) -> dict[str, Estimate]:
        """As `evaluate`, with standard errors: the spread over generator seeds, of which ``seed`` is the first."""
        draws = [self.evaluate(game, data, split, n=n, seed=seed + i) for i in range(DRAWS)]
        return estimates(draws[0], spread(draws))

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
        depth = {} if data.values == BYTES else {"values": str(data.values)}
        depth |= {} if (nfe := nfe_of(game)) is None else {"nfe": nfe}
        return depth | {
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

    def estimate(self, game: G, data: Data, split: str, *, n: int, seed: int) -> dict[str, Estimate]:
        values = self.evaluate(game, data, split, n=n, seed=seed)
        return estimates(
            values, self.errors(lambda half: self.evaluate(game, half, split, n=n, seed=seed), data, split, seed)
        )

    @staticmethod
    def errors(scores: Callable[[Data], dict[str, float]], data: Data, split: str, seed: int) -> dict[str, float]:
        """Standard errors of scores of data, from halves of them; none where there are too few images."""
        if len(data.splits[split]) < 4:
            return {}
        return spread([scores(halved(data, split, seed=seed + i)) for i in range(DRAWS)])


def scores_of(
    evaluations: Iterable[Evaluation[Any]], game: Answers, data: Data, split: str, *, n: int, seed: int, errors: bool
) -> dict[str, dict[str, Any]]:
    """All scores of a game on one split, as they stand in a record (`entries`), with ``errors`` or without."""
    found: dict[str, dict[str, Any]] = {}
    for evaluation in evaluations:
        what, how = (game, data, split), {"n": n, "seed": seed}
        scores = evaluation.estimate(*what, **how) if errors else estimates(evaluation.evaluate(*what, **how))
        found |= entries(scores, evaluation.higher_is_better, evaluation.passport(*what, **how))
    return found


def entries(
    scores: Mapping[str, Estimate], higher_is_better: Callable[[str], bool], passport: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Scores as they stand in a record: name → value, standard error, direction and passport."""
    return {
        name: {"value": value, "error": error, "higher_is_better": higher_is_better(name), "passport": dict(passport)}
        for name, (value, error) in scores.items()
    }


def weights_of(game: Answers) -> Weights:
    """Which of a game's weights its samples are drawn with."""
    return "ema" if game.averaged else "only"


def nfe_of(game: Answers) -> int | None:
    """Evaluations of its network behind a sample, of a game that makes samples step by step."""
    return game.nfe if isinstance(game, Denoises) else None


def labels_to_ask(game: Told, real: Tensor | None, n: int, seed: int) -> Tensor | None:
    """Labels of ``n`` fakes, in the proportions of those of the real images: `proportional`, `rows_drawn`.

    Where these have other classes or conditions, or the game has codes, all are asked for in turn. None for a game
    without any.
    """
    if game.conditions:
        fits = real is not None and real.shape[1:] == (len(game.conditions),)
        return rows_drawn(real, n, seed) if fits and real is not None else in_turn(game.conditions, n)
    if not game.classes:
        return None
    if not told_by_data(game) or real is None or real.ndim > 1 or int(real.max()) >= game.classes:
        return torch.arange(n) % game.classes
    return proportional(real, n, seed)


def rows_drawn(rows: Tensor, n: int, seed: int) -> Tensor:
    """``n`` of the rows (m, k), drawn by the seed without putting any back before all are drawn."""
    stream = generator(seed, "labels")
    orders = [torch.randperm(len(rows), generator=stream) for _ in range(0, n, len(rows))]
    return rows[torch.cat(orders)[:n]]


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
    places = (torch.arange(n) + start) * (len(labels) / n)  # evenly spaced
    drawn = labels.sort().values[places.long().clamp(max=len(labels) - 1)]
    return drawn[torch.randperm(n, generator=stream)]


def halved(data: Data, split: str, *, seed: int) -> Data:
    """The data with a random half of one split, drawn for each of its tables; the other splits are unchanged."""
    part = data.splits[split]

    def half(table: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
        n = len(next(iter(table.values()), ()))
        chosen = torch.randperm(n, generator=generator(seed, "halves", name))[: n // 2]
        return {key: array[chosen] for key, array in table.items()}

    smaller = Split(half(part.arrays, "arrays"), half(part.independent, "independent"))
    if split in data.extra:
        return replace(data, extra={**data.extra, split: smaller})
    return replace(data, **{split: smaller})
