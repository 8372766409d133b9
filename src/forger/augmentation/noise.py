"""Noise on the discriminator's inputs."""

from functools import partial
from typing import Annotated, ClassVar

from annotated_types import Ge
from torch import Tensor

from forger.annealing import Schedule, at, following, number
from forger.augmentation.base import Augmentation
from forger.randomness import Noise

Deviation = Annotated[float, Ge(0)]


class InstanceNoise(Augmentation):
    """Sønderby et al. 2017, section 2.4; Arjovsky & Bottou 2017, section 3: Gaussian noise on reals and fakes.

    Two distributions on thin manifolds hardly overlap, so D can separate them without error, and G gets no gradient;
    with the same noise on both they overlap. Usually annealed. For images and points.

    Args:
        std: standard deviation, in units of the data (images lie in [-1, 1]); may follow a schedule.
        schedule: factor on a ``std`` that follows none, as a function of the images shown (`forger.games.schedules`).

    Raises:
        ValueError: a schedule that leaves the range, or one for each.
    """

    takes_points: ClassVar[bool] = True

    def __init__(self, std: Deviation | Schedule, schedule: Schedule | None = None) -> None:
        super().__init__()
        if schedule is not None:
            if callable(std):
                raise ValueError("std: follows a schedule of its own; leave the factor out (schedule: null)")
            std = partial(_scaled, std=std, factor=following("schedule", schedule, Deviation))
        self.std = number("std", std, Deviation)

    def changed(self, images: Tensor, noise: Noise, shown: int) -> Tensor:
        std = at(self.std, shown)
        return images + std * noise.normal(images.shape).to(images) if std else images


def _scaled(shown: int, *, std: float, factor: Schedule) -> float:
    return std * factor(shown)
