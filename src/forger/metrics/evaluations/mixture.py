"""Evaluation of what an autoencoder generates from a mixture of Gaussians over its codes."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, TypeVar

from annotated_types import Ge, MinLen

from forger.data.dataset import Data
from forger.games.abilities import Reconstructs
from forger.games.sampling.mixture import with_mixture
from forger.metrics.evaluations.sample_quality import SampleQuality
from forger.metrics.functional.standard_errors import Estimate

T = TypeVar("T")


class MixtureQuality(SampleQuality):
    """Scores as of `SampleQuality`, with ``_mixture`` after their names, of samples by `forger.games.sampling.mixture`.

    Args:
        extractor, scores, weights, preprocessing: as of `SampleQuality`.
        components: Gaussians of the mixture, which is fitted on the codes of training images at each evaluation.
    """

    _asks: ClassVar[type] = Reconstructs

    def __init__(
        self,
        extractor: str,
        components: Annotated[int, Ge(1)] = 10,
        scores: Annotated[Sequence[str], MinLen(1)] = ("fd", "is"),
        weights: str | None = None,
        preprocessing: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(extractor, scores, weights, preprocessing=preprocessing)
        self.components = components
        self._suffix = "_mixture"

    def evaluate(self, game: Any, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        return super().evaluate(with_mixture(game, data, self.components), data, split, n=n, seed=seed)

    def estimate(self, game: Any, data: Data, split: str, *, n: int, seed: int) -> dict[str, Estimate]:
        return super().estimate(with_mixture(game, data, self.components), data, split, n=n, seed=seed)

    def passport(self, game: Any, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        return super().passport(game, data, split, n=n, seed=seed) | {"mixture": self.components}

    def _named(self, values: Mapping[str, T]) -> dict[str, T]:
        return {name + self._suffix: value for name, value in values.items()}
