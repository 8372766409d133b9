"""Noise on the discriminator's inputs."""

from collections.abc import Callable
from typing import Annotated, ClassVar

from annotated_types import Ge
from torch import Tensor

from forger.augmentation.base import Augmentation
from forger.partials import plain
from forger.randomness import Noise


class InstanceNoise(Augmentation):
    """Sønderby et al. 2017, section 2.4; Arjovsky & Bottou 2017, section 3: Gaussian noise on reals and fakes.

    Two distributions on thin manifolds hardly overlap, so D can separate them without error, and G gets no gradient;
    with the same noise on both they overlap. Usually annealed. For images and points.

    Args:
        std: standard deviation, in units of the data (images lie in [-1, 1]).
        schedule: factor on ``std`` as a function of the images shown (`forger.games.schedules`); None keeps it at 1.
    """

    takes_points: ClassVar[bool] = True

    def __init__(self, std: Annotated[float, Ge(0)], schedule: Callable[[int], float] | None = None) -> None:
        super().__init__()
        self.std = std
        self.schedule = plain(schedule)

    def changed(self, images: Tensor, noise: Noise, shown: int) -> Tensor:
        std = self.std if self.schedule is None else self.std * self.schedule(shown)
        return images + std * noise.normal(images.shape).to(images) if std else images
