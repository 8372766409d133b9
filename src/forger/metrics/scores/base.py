"""The base of scores on features, as torchmetrics metrics in float64."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torchmetrics import Metric

from forger.metrics.features.base import Features, FixedPrecision
from forger.metrics.features.reference import Reference


class FeatureMetric(FixedPrecision, Metric):
    """Base of all scores on features: `update(features, labels)` takes an extractor's output on fakes.

    `values()` gives the numbers, by name, of all updates so far; `of(features, labels)` those of other fakes.
    `compute()` syncs over ranks first (so all ranks must call it) and gives a float64 scalar, or a dict of them
    if there are several.
    """

    full_state_update = False
    is_differentiable = False
    of_logits: ClassVar[bool] = False  # whether it looks at classes, which not every extractor tells apart
    of_real: ClassVar[Literal["features", "moments", "nothing"]] = "nothing"  # what it needs to know of real images
    error_of_halves: ClassVar[bool] = True  # whether its spread over halves of the fakes is its standard error
    names: ClassVar[tuple[str, ...]]  # the numbers this score can give, without the extractor's name

    def __init__(self, reference: Reference) -> None:
        super().__init__()
        self.reference = reference

    def update(self, fake: Features, labels: Tensor | None = None) -> None:
        raise NotImplementedError

    def values(self) -> dict[str, float]:
        raise NotImplementedError

    def of(self, fake: Features, labels: Tensor | None = None) -> dict[str, float]:
        """The numbers of a whole set of fakes; changes no state and syncs nothing."""
        raise NotImplementedError

    def of_parts(self, fake: Features, labels: Tensor | None, parts: Sequence[Tensor]) -> list[dict[str, float]]:
        """As `of`, of several subsets of a set, each given by its indices."""
        return [
            self.of(fake.each(lambda column, part=part: column[part]), None if labels is None else labels[part])
            for part in parts
        ]

    def compute(self) -> Tensor | dict[str, Tensor]:
        values = {
            name: torch.tensor(value, dtype=torch.float64, device=self.device) for name, value in self.values().items()
        }
        return values if len(values) > 1 else next(iter(values.values()))
