"""Gradient penalties on the discriminator: one value per sample, reduced once, weighted by `weight * every`.

Gradients are taken with respect to D's inputs alone, in float32 with autocast off (the square of a
half-precision gradient over- and underflows), and can be differentiated again. Where D returns several logits
per image (PatchGAN), its value is their mean, as in the losses.
"""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from forger.annealing import Schedule
from forger.losses.penalty import Discriminator, Every, Penalty, PenaltyInputs, Weight, per_image
from forger.randomness import Noise


class R1(Penalty):
    """Mescheder et al. 2018, eq. 9: γ/2 ‖∇D(x)‖² on reals; `weight` is γ."""

    def __init__(self, weight: Weight | Schedule = 1.0, every: Every = 1):
        super().__init__(weight, every)

    def per_sample(self, inputs: PenaltyInputs) -> Tensor:
        return 0.5 * squared_norms(input_gradients(inputs.discriminator, inputs.real))


class R2(Penalty):
    """Mescheder et al. 2018, eq. 10: γ/2 ‖∇D(G(z))‖² on fakes; `weight` is γ."""

    def __init__(self, weight: Weight | Schedule = 1.0, every: Every = 1):
        super().__init__(weight, every)

    def per_sample(self, inputs: PenaltyInputs) -> Tensor:
        return 0.5 * squared_norms(input_gradients(inputs.discriminator, inputs.fake))


class GradientPenalty(Penalty):
    """Gulrajani et al. 2017 (WGAN-GP), eq. 3: λ (‖∇D(x̂)‖ - 1)² on random points between reals and fakes."""

    def __init__(self, weight: Weight | Schedule = 10.0, every: Every = 1):
        super().__init__(weight, every)

    def per_sample(self, inputs: PenaltyInputs) -> Tensor:
        return (norms(between(inputs)) - 1).square()


class ZeroCentered(Penalty):
    """Thanh-Tung et al. 2019 (0-GP), section 5: λ ‖∇D(x̂)‖² on random points between reals and fakes."""

    def __init__(self, weight: Weight | Schedule = 10.0, every: Every = 1):
        super().__init__(weight, every)

    def per_sample(self, inputs: PenaltyInputs) -> Tensor:
        return squared_norms(between(inputs))


class DRAGAN(Penalty):
    """Kodali et al. 2017, section 2.4: λ (‖∇D(x + δ)‖ - 1)² around reals, δ ~ N(0, deviation²).

    `deviation` is in the units of the data. 0.25 is about half the standard deviation of pictures in [-1, 1],
    as in the authors' code, but fixed: taken from each batch, it would depend on how ranks split the batch.
    """

    def __init__(self, weight: Weight | Schedule = 10.0, every: Every = 1, deviation: Annotated[float, Ge(0)] = 0.25):
        super().__init__(weight, every)
        self.deviation = deviation

    def per_sample(self, inputs: PenaltyInputs) -> Tensor:
        real = inputs.real.detach()
        around = real + self.deviation * inputs.noise.normal(real.shape).to(real.device)
        return (norms(input_gradients(inputs.discriminator, around)) - 1).square()


def between(inputs: PenaltyInputs) -> Tensor:
    """∇D at a random point between each real and its fake, (N, features)."""
    points = interpolates(inputs.real, inputs.fake, inputs.noise)
    return input_gradients(inputs.discriminator, points)


def interpolates(real: Tensor, fake: Tensor, noise: Noise) -> Tensor:
    """One point on the line from each real to its fake, at a uniform place; (N, ...) as both inputs."""
    assert real.shape == fake.shape, "interpolation needs one fake for each real"
    real, fake = _full(real.detach()), _full(fake.detach())
    share = noise.uniform((len(real), *[1] * (real.ndim - 1)))
    return real + share.to(real) * (fake - real)


def input_gradients(discriminator: Discriminator, inputs: Tensor) -> Tensor:
    """∇D at each input, (N, features), at least float32, differentiable with respect to D's parameters."""
    with torch.autocast(inputs.device.type, enabled=False), torch.enable_grad():
        inputs = _full(inputs.detach()).requires_grad_()
        (gradients,) = torch.autograd.grad(per_image(discriminator(inputs)).sum(), inputs, create_graph=True)
    return gradients.flatten(1)


def squared_norms(gradients: Tensor) -> Tensor:
    """‖g‖² of each row."""
    return gradients.square().sum(1)


def norms(gradients: Tensor) -> Tensor:
    """‖g‖ of each row; vector_norm has slope 0, not NaN, where a gradient vanishes."""
    return torch.linalg.vector_norm(gradients, dim=1)


def _full(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
