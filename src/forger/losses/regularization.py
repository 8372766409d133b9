"""Penalties on the discriminator's output rather than on its slope: LeCam and consistency."""

from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Lt
from torch import Tensor

from forger.annealing import Schedule
from forger.augmentation.base import Augmentation
from forger.losses.penalty import Every, Penalty, PenaltyInputs, Weight, per_image


class LeCam(Penalty):
    """Tseng et al. 2021, eq. 6: λ (‖D(x) − α_F‖² + ‖D(G(z)) − α_R‖²), α moving averages of D's mean logits.

    Keeps D from moving reals and fakes apart without limit, for few images. Costs no further look at images. The
    averages are those of the rounds before; while there are none the penalty is 0. (The authors' code also drops
    what is on the far side of α, which the equation does not.)

    Args:
        weight: λ; the paper's are 0.01 to 0.3.
        every: called in one round of so many; the averages then follow those rounds alone.
        decay: γ of α ← γ α + (1 − γ) mean.
        start: real images shown before the penalty counts; until then α is the latest mean.
    """

    #: The averages follow means over whole batches.
    takes_whole_batches: ClassVar[bool] = True

    real_mean: Tensor
    fake_mean: Tensor
    begun: Tensor

    def __init__(
        self,
        weight: Weight | Schedule = 0.3,
        every: Every = 1,
        decay: Annotated[float, Ge(0), Lt(1)] = 0.99,
        start: Annotated[int, Ge(0)] = 0,
    ) -> None:
        super().__init__(weight, every)
        self.decay = decay
        self.start = start
        for name in ("real_mean", "fake_mean", "begun"):
            self.register_buffer(name, torch.zeros(()))

    def per_sample(self, inputs: PenaltyInputs) -> Tensor:
        # Copies, since the backward pass comes when the averages have moved on.
        real_mean, fake_mean, begun = self.real_mean.clone(), self.fake_mean.clone(), self.begun.clone()
        on_reals = (per_image(inputs.real_logits) - fake_mean).square()
        on_fakes = (per_image(inputs.fake_logits) - real_mean).square()
        return begun * (inputs.shown >= self.start) * (on_reals + on_fakes)

    def forward(self, inputs: PenaltyInputs) -> Tensor:
        value = super().forward(inputs)
        # Linear in the batch's means, so that averaging the buffers over ranks gives those of the whole batch.
        share = 1 - self.decay * self.begun * (inputs.shown >= self.start)
        self.real_mean.lerp_(inputs.real_logits.detach().mean(), share)
        self.fake_mean.lerp_(inputs.fake_logits.detach().mean(), share)
        self.begun.fill_(1)
        return value


class BalancedConsistency(Penalty):
    """Zhao et al. 2021 (bCR), eq. 2-3: λ (‖D(x) − D(T(x))‖² + ‖D(G(z)) − D(T(G(z)))‖²).

    D must give an image and its augmentation T(x) the same logit. Unlike `model.augmentations`, T is used by this
    penalty only.

    Args:
        augmentation: T.
        weight: λ; the paper's is 10.
        every: called in one round of so many.
    """

    def __init__(self, augmentation: Augmentation, weight: Weight | Schedule = 10.0, every: Every = 1) -> None:
        super().__init__(weight, every)
        self.augmentation = augmentation

    def per_sample(self, inputs: PenaltyInputs) -> Tensor:
        return self._moved(inputs, inputs.real, inputs.real_logits) + self._moved(
            inputs, inputs.fake, inputs.fake_logits
        )

    def _moved(self, inputs: PenaltyInputs, images: Tensor, logits: Tensor) -> Tensor:
        augmented = self.augmentation(images.detach(), inputs.noise, inputs.shown)
        return per_image((inputs.discriminator(augmented) - logits).square())
