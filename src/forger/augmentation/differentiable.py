"""Differentiable augmentation with a fixed policy."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor

from forger.augmentation.base import Augmentation
from forger.augmentation.colors import brightness, contrast, saturation
from forger.augmentation.geometry import moved
from forger.randomness import Noise

Share = Annotated[float, Ge(0), Le(1)]
Step = Literal["color", "translation", "cutout"]


class DiffAugment(Augmentation):
    """Zhao et al. 2020 (DiffAugment), section 3.2: every image changed, at random and differentiably.

    ``color``: brightness + U(-½, ½), saturation × U(0, 2), contrast × U(½, 1½), here of [-1, 1] as in the authors'
    code; ``translation`` by up to a share of the sides, ``cutout`` of a square at a random place; both leave 0, which
    is mid-grey. Grey images have no saturation.

    Args:
        policy: what to do, in order; nothing when empty.
        translation: largest shift, as a share of each side (rounded to pixels: 1 of 8, 8 of 64).
        cutout: side of the hole, as a share of each side.
    """

    def __init__(
        self,
        policy: Sequence[Step] = ("color", "translation", "cutout"),
        translation: Share = 0.125,
        cutout: Share = 0.5,
    ) -> None:
        super().__init__()
        self.policy = list(policy)
        self.translation = translation
        self.cutout = cutout

    def changed(self, images: Tensor, noise: Noise, shown: int) -> Tensor:
        steps = {"color": self._colored, "translation": self._moved, "cutout": self._cut}
        for step in self.policy:
            images = steps[step](images, noise)
        return images

    def _colored(self, images: Tensor, noise: Noise) -> Tensor:
        u = noise.uniform((len(images), 3)).to(images)
        images = brightness(images, u[:, 0] - 0.5)
        images = saturation(images, 2 * u[:, 1])
        return contrast(images, u[:, 2] + 0.5)

    def _moved(self, images: Tensor, noise: Noise) -> Tensor:
        y, x = (_whole(u, -reach, reach) for u, reach in self._per_side(images, noise, self.translation))
        return moved(images, x, y)

    def _cut(self, images: Tensor, noise: Noise) -> Tensor:
        inside = []
        for side, (u, hole) in zip(images.shape[2:], self._per_side(images, noise, self.cutout), strict=True):
            # as in the authors' code, the hole's middle is anywhere in the image, so that it may hang over the edge
            first = _whole(u, 0, side - hole % 2) - hole // 2
            place = torch.arange(side, device=images.device)
            inside.append((place >= first[:, None]) & (place < first[:, None] + hole))
        return images * ~(inside[0][:, :, None] & inside[1][:, None])[:, None]

    @staticmethod
    def _per_side(images: Tensor, noise: Noise, share: float) -> list[tuple[Tensor, int]]:
        """For height and width: numbers from [0, 1), (n,), and the share in whole pixels."""
        u = noise.uniform((len(images), 2)).to(images.device)
        return [(u[:, i], int(side * share + 0.5)) for i, side in enumerate(images.shape[2:])]


def _whole(u: Tensor, least: int, most: int) -> Tensor:
    """Numbers from [0, 1) as whole ones from ``least`` to ``most``, each as often."""
    return least + (u * (most - least + 1)).long()
