"""The base of penalties on the discriminator, and their input."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn

from forger.annealing import Schedule, at, number
from forger.randomness import Noise

Discriminator = Callable[[Tensor], Tensor]
Weight = Annotated[float, Ge(0)]
Every = Annotated[int, Ge(1)]


@dataclass(frozen=True)
class PenaltyInputs:
    """One turn of the discriminator: what it was shown and what it said.

    Attributes:
        real: real images (N, ...) in [-1, 1], or points.
        fake: fakes of the same shape, without a way back to the generator.
        real_logits: D's logits on `real`, at least float32, (N,) or a map (N, h, w); carry D's gradients.
        fake_logits: D's logits on `fake`, likewise.
        discriminator: images to logits once more, for other images; labels are bound already.
        noise: random numbers of this penalty in this round.
        shown: real images shown before this round.
    """

    real: Tensor
    fake: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    discriminator: Discriminator
    noise: Noise
    shown: int = 0


class Penalty(nn.Module, ABC):
    """weight * every * mean of `per_sample`; `every` > 1 means that it is called in one round of `every`.

    The factor `every` keeps the penalty's mean strength (lazy regularisation, StyleGAN2, appendix B). A penalty's state
    is kept in buffers, so that it is saved, and averaged over the ranks after each round. The weight may follow a
    schedule.
    """

    def __init__(self, weight: Weight | Schedule, every: Every = 1):
        super().__init__()
        self.weight = number("weight", weight, Weight)
        self.every = every

    @abstractmethod
    def per_sample(self, inputs: PenaltyInputs) -> Tensor:
        """Unweighted penalties, shape (N,)."""

    def forward(self, inputs: PenaltyInputs) -> Tensor:
        return at(self.weight, inputs.shown) * self.every * self.per_sample(inputs).mean()


def per_image(logits: Tensor) -> Tensor:
    """One value per image, (N,): the mean where D returns a map of logits."""
    return logits.flatten(1).mean(1) if logits.ndim > 1 else logits
