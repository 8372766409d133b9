"""Mixtures of Gaussians, whose density is known exactly."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of k isotropic Gaussians in d dimensions.

    `means` is float (k, d), `std` float (k,), `weights` float (k,) with sum 1.
    """

    means: Tensor
    std: Tensor
    weights: Tensor

    def log_pdf(self, x: Tensor) -> Tensor:
        """log Σ_j w_j N(x | μ_j, σ_j²), in nats: float64 (n,) for points x (n, d)."""
        x, means, std = x.double(), self.means.double().to(x.device), self.std.double().to(x.device)
        squared = (x[:, None] - means).square().sum(2) / std.square()
        norm = means.shape[1] * (std.log() + 0.5 * math.log(2 * math.pi))
        return torch.logsumexp(self.weights.double().to(x.device).log() - norm - squared / 2, dim=1)

    def pdf(self, x: Tensor) -> Tensor:
        """The density at points x (n, d), float64 (n,)."""
        return self.log_pdf(x).exp()

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Points, float32 (n, d)."""
        return self.sample_labelled(n, generator)[0]

    def sample_labelled(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Points, float32 (n, d), and the component that each came from, int64 (n,)."""
        component = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], generator=generator)
        return self.means[component] + self.std[component, None] * noise, component
