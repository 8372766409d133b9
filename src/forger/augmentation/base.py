"""The base of augmentations: random, differentiable changes of every image that the discriminator sees."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from forger.randomness import Noise


class Augmentation(nn.Module, ABC):
    """Changes images on their way into the discriminator, reals and fakes alike, on both players' turns.

    The generator's gradients pass through it, so it must be differentiable in the images, and twice for gradient
    penalties. All its randomness comes from ``noise``, and its state is kept in buffers, so that it is saved and the
    same on every rank.
    """

    #: Whether points (n, d) can be changed as well as images (n, c, h, w).
    takes_points: ClassVar[bool] = False

    def forward(self, images: Tensor, noise: Noise, shown: int) -> Tensor:
        """Images in [-1, 1] changed, of the same shape, in at least float32 also under autocast.

        Args:
            images: of one call of the discriminator; may carry gradients.
            noise: random numbers for this call only.
            shown: real images shown before this round, the clock of whatever changes during a run.

        Raises:
            ValueError: for points, where it takes images alone.
        """
        if images.ndim != 4 and not self.takes_points:
            kind = type(self).__name__
            raise ValueError(f"{kind} changes images, and these data are points: take it out of the model's config")
        with torch.autocast(images.device.type, enabled=False):
            return self.changed(images.to(torch.promote_types(images.dtype, torch.float32)), noise, shown)

    @abstractmethod
    def changed(self, images: Tensor, noise: Noise, shown: int) -> Tensor:
        """What `forward` gives, of images that are at least float32."""

    def learn(self, real_logits: Tensor, images: int) -> None:
        """Called once a round with the discriminator's logits on augmented reals.

        Floating-point buffers changed here are averaged over the ranks before the next round.

        Args:
            real_logits: D's logits on this rank's reals less the logit at which it is undecided, detached.
            images: real images in this round, over all ranks.
        """

    def signals(self) -> dict[str, Tensor]:
        """Scalars worth watching, by name."""
        return {}
