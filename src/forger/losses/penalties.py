"""Gradient penalties on the discriminator: one value per sample, reduced once, weighted by `weight * every`.

A penalty is called with `discriminator`, a function of images only (labels are bound already). Gradients are
taken with respect to D's inputs alone, in float32 with autocast off (the square of a half-precision gradient
over- and underflows), and can be differentiated again. Where D returns several logits per image (PatchGAN),
its value is their mean, as in the losses. Random numbers come from `rng`, on the generator's own device.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from torch import Tensor

Discriminator = Callable[[Tensor], Tensor]
Weight = Annotated[float, Ge(0)]
Every = Annotated[int, Ge(1)]


class Penalty(ABC):
    """weight * every * mean of `per_sample`; `every` > 1 means that it is called in one round of `every`.

    The factor `every` keeps the penalty's mean strength (lazy regularisation, StyleGAN2, appendix B).
    `name` is the name of the term in logs.
    """

    name: ClassVar[str]

    def __init__(self, weight: Weight, every: Every = 1):
        self.weight = weight
        self.every = every

    @abstractmethod
    def per_sample(self, discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        """Unweighted penalties, shape (N,), for real and fake batches of one shape (N, ...)."""

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        return self.weight * self.every * self.per_sample(discriminator, real, fake, rng).mean()


class R1(Penalty):
    """Mescheder et al. 2018, eq. 9: γ/2 ‖∇D(x)‖² on reals; `weight` is γ."""

    name = "r1"

    def __init__(self, weight: Weight = 1.0, every: Every = 1):
        super().__init__(weight, every)

    def per_sample(self, discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        return 0.5 * squared_norms(input_gradients(discriminator, real))


class R2(Penalty):
    """Mescheder et al. 2018, eq. 10: γ/2 ‖∇D(G(z))‖² on fakes; `weight` is γ."""

    name = "r2"

    def __init__(self, weight: Weight = 1.0, every: Every = 1):
        super().__init__(weight, every)

    def per_sample(self, discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        return 0.5 * squared_norms(input_gradients(discriminator, fake))


class GradientPenalty(Penalty):
    """Gulrajani et al. 2017 (WGAN-GP), eq. 3: λ (‖∇D(x̂)‖ - 1)² on random points between reals and fakes."""

    name = "gradient_penalty"

    def __init__(self, weight: Weight = 10.0, every: Every = 1):
        super().__init__(weight, every)

    def per_sample(self, discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        gradients = input_gradients(discriminator, interpolates(real, fake, rng))
        return (norms(gradients) - 1).square()


class ZeroCentered(Penalty):
    """Thanh-Tung et al. 2019 (0-GP), section 5: λ ‖∇D(x̂)‖² on random points between reals and fakes."""

    name = "zero_centered"

    def __init__(self, weight: Weight = 10.0, every: Every = 1):
        super().__init__(weight, every)

    def per_sample(self, discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        return squared_norms(input_gradients(discriminator, interpolates(real, fake, rng)))


class DRAGAN(Penalty):
    """Kodali et al. 2017, section 2.4: λ (‖∇D(x + δ)‖ - 1)² around reals, δ ~ N(0, deviation²).

    `deviation` is in the units of the data. 0.25 is about half the standard deviation of pictures in [-1, 1],
    as in the authors' code, but fixed: taken from each batch, it would depend on how ranks split the batch.
    """

    name = "dragan"

    def __init__(self, weight: Weight = 10.0, every: Every = 1, deviation: Annotated[float, Ge(0)] = 0.25):
        super().__init__(weight, every)
        self.deviation = deviation

    def per_sample(self, discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        noise = torch.randn(real.shape, generator=rng, device=rng.device).to(real.device)
        around = real.detach() + self.deviation * noise
        return (norms(input_gradients(discriminator, around)) - 1).square()


def interpolates(real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """One point on the line from each real to its fake, at a uniform place; (N, ...) as both inputs."""
    assert real.shape == fake.shape, "interpolation needs one fake for each real"
    real, fake = _full(real.detach()), _full(fake.detach())
    share = torch.rand(len(real), *[1] * (real.ndim - 1), generator=rng, device=rng.device)
    return real + share.to(real) * (fake - real)


def input_gradients(discriminator: Discriminator, inputs: Tensor) -> Tensor:
    """∇D at each input, (N, features), at least float32, differentiable with respect to D's parameters."""
    with torch.autocast(inputs.device.type, enabled=False), torch.enable_grad():
        inputs = _full(inputs.detach()).requires_grad_()
        logits = discriminator(inputs)
        values = logits.flatten(1).mean(1) if logits.ndim > 1 else logits
        (gradients,) = torch.autograd.grad(values.sum(), inputs, create_graph=True)
    return gradients.flatten(1)


def squared_norms(gradients: Tensor) -> Tensor:
    """‖g‖² of each row."""
    return gradients.square().sum(1)


def norms(gradients: Tensor) -> Tensor:
    """‖g‖ of each row; vector_norm has slope 0, not NaN, where a gradient vanishes."""
    return torch.linalg.vector_norm(gradients, dim=1)


def _full(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
