"""Ways from noise to data in continuous time: what a network is trained for, and what is integrated with it.

A network (x, noise, labels, told) → values of the shape of x is told how much noise there is by one number a sample.
Samples are (n, …); times are floats, from noise to data, and a solver goes from each to the next.
"""

import math
from abc import ABC, abstractmethod
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from forger.randomness import Noise

Positive = Annotated[float, Gt(0)]


class Process(ABC):
    """A way from noise to data."""

    @abstractmethod
    def errors(
        self, network: Any, real: Tensor, labels: Tensor | None, told: Tensor | None, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        """What is minimised, of each sample (n,), at a random amount of noise; and that amount (n,), in any unit."""

    @abstractmethod
    def velocity(self, network: Any, x: Tensor, time: float, labels: Tensor | None) -> Tensor:
        """dx/dt at a time; by a network that is told the labels, or none."""

    @abstractmethod
    def times(self, steps: int) -> list[float]:
        """The ``steps`` + 1 times between which a solver steps."""

    @abstractmethod
    def scale(self, time: float) -> float:
        """Standard deviation of samples at a time, over what a picture of them should have."""

    def start(self, z: Tensor) -> Tensor:
        """Samples at the first time, of standard normal numbers."""
        return z


class Straight(Process):
    """Flow matching on straight paths (Lipman et al., 2023, eq. 20 to 23, with σ_min = 0): x_t = t · x + (1 - t) · ε.

    The network gives dx/dt, whose target is x - ε at t uniform in [0, 1]; it is told t.
    """

    def errors(
        self, network: Any, real: Tensor, labels: Tensor | None, told: Tensor | None, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        time = noise.uniform((len(real),))
        t, drawn = _beside(time, real), noise.normal(real.shape)
        found = network(t * real + (1 - t) * drawn, time, labels, told).float()
        return (found - (real - drawn)).square().flatten(1).mean(1), 1 - time

    def velocity(self, network: Any, x: Tensor, time: float, labels: Tensor | None) -> Tensor:
        return network(x, _everywhere(time, x), labels).to(x.dtype)

    def times(self, steps: int) -> list[float]:
        return [step / steps for step in range(steps + 1)]

    def scale(self, time: float) -> float:
        return 1.0


class Karras(Process):
    """Diffusion as in EDM (Karras et al., 2022): x_σ = x + σ ε, and time is σ.

    The denoiser D(x; σ) = c_skip x + c_out F(c_in x; c_noise) is preconditioned as in table 1, F being the network;
    ln σ is normal in training, the error weighted by 1 / c_out². dx/dσ = (x - D) / σ.

    Args:
        sigma_data: standard deviation of the data.
        p_mean, p_std: mean and standard deviation of ln σ in training.
        sigma_min, sigma_max: least and largest σ of a sampler, before 0.
        rho: by how much steps are smaller at small σ (eq. 5).
    """

    def __init__(
        self,
        sigma_data: Positive = 0.5,
        p_mean: float = -1.2,
        p_std: Positive = 1.2,
        sigma_min: Positive = 0.002,
        sigma_max: Positive = 80.0,
        rho: Annotated[float, Ge(1)] = 7.0,
    ) -> None:
        self.sigma_data = sigma_data
        self.p_mean, self.p_std = p_mean, p_std
        self.sigma_min, self.sigma_max, self.rho = sigma_min, sigma_max, rho

    def denoised(
        self, network: Any, x: Tensor, sigma: Tensor, labels: Tensor | None = None, told: Tensor | None = None
    ) -> Tensor:
        """D(x; σ) of samples with noise of standard deviation σ (n,): what they are expected to be without it."""
        total = sigma**2 + self.sigma_data**2
        skip, out = self.sigma_data**2 / total, sigma * self.sigma_data / total.sqrt()
        found = network(_beside(total.rsqrt(), x) * x, sigma.log() / 4, labels, told).to(x.dtype)
        return _beside(skip, x) * x + _beside(out, x) * found

    def errors(
        self, network: Any, real: Tensor, labels: Tensor | None, told: Tensor | None, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        sigma = (self.p_mean + self.p_std * noise.normal((len(real),))).exp()
        noisy = real + _beside(sigma, real) * noise.normal(real.shape)
        error = (self.denoised(network, noisy, sigma, labels, told) - real).square().flatten(1).mean(1)
        return error * (sigma**-2 + self.sigma_data**-2), sigma

    def velocity(self, network: Any, x: Tensor, time: float, labels: Tensor | None) -> Tensor:
        return (x - self.denoised(network, x, _everywhere(time, x), labels)) / time

    def times(self, steps: int) -> list[float]:
        first, last = self.sigma_max ** (1 / self.rho), self.sigma_min ** (1 / self.rho)
        return [(first + step / max(steps - 1, 1) * (last - first)) ** self.rho for step in range(steps)] + [0.0]

    def scale(self, time: float) -> float:
        return math.hypot(time, self.sigma_data) / self.sigma_data

    def start(self, z: Tensor) -> Tensor:
        return self.sigma_max * z


def _beside(each: Tensor, x: Tensor) -> Tensor:
    """One number a sample (n,), to be multiplied by samples (n, …)."""
    return each.reshape(-1, *[1] * (x.ndim - 1))


def _everywhere(value: float, x: Tensor) -> Tensor:
    """The same number for each of the samples."""
    return torch.full_like(x.flatten(1)[:, 0], value)
