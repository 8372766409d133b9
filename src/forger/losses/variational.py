"""Bounds on the log-likelihood that variational autoencoders are trained on: pure functions of what posteriors drew.

Each takes a `Draw` and β, the weight of what the posterior costs, and returns named terms to be minimised, as scalars
in nats. One marked `takes_whole_batches` estimates the aggregate posterior q(z), the mean of q(z|x), from the batch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from forger.losses.reconstruction import kl_standard_normal

Terms = dict[str, Tensor]
Bound = TypeVar("Bound", bound=Callable[..., Terms])


@dataclass(frozen=True)
class Draw:
    """k codes of each of n images, drawn from their posteriors N(μ, e^v).

    Args:
        error: of what is decoded, squared, per pixel in [0, 1], (k, n).
        rate: nats that an error of 1 costs: −log p(x|z) is their product, but for a constant.
        z: the codes (k, n, d).
        mean, log_variance: of the posteriors, μ and v (n, d).
    """

    error: Tensor
    rate: float
    z: Tensor
    mean: Tensor
    log_variance: Tensor

    def log_weights(self) -> Tensor:
        """log p(x|z) p(z) / q(z|x) of each draw, but for the constant, (k, n)."""
        return self.log_ratios() - self.rate * self.error

    def log_ratios(self) -> Tensor:
        """log p(z) / q(z|x) of each draw, (k, n)."""
        zero = torch.zeros_like(self.mean)
        return log_normal(self.z, zero, zero).sum(-1) - log_normal(self.z, self.mean, self.log_variance).sum(-1)


def takes_whole_batches(bound: Callable[..., Terms]) -> bool:
    """Whether the bound is marked so, seen through any `functools.partial` around it."""
    while isinstance(bound, partial):
        bound = bound.func
    return bool(getattr(bound, "takes_whole_batches", False))


def _of_whole_batches(bound: Bound) -> Bound:
    vars(bound)["takes_whole_batches"] = True
    return bound


def elbo(draw: Draw, beta: float = 1.0) -> Terms:
    """Kingma & Welling 2014, eq. 7: −log p(x|z) + β KL(q(z|x) ‖ N(0, 1)), the KL in closed form."""
    kl = kl_standard_normal(draw.mean, draw.log_variance)
    return {"reconstruction": draw.rate * draw.error.mean(), "kl": beta * kl.mean()}


def importance_weighted(draw: Draw, beta: float = 1.0) -> Terms:
    """Burda et al. 2016 (IWAE), eq. 8: −log 1/k Σ p(x|z) (p(z) / q(z|x))^β; a bound at β = 1, closer as k grows."""
    weights = beta * draw.log_ratios() - draw.rate * draw.error
    return {"bound": -importance_bound(weights).mean()}


@_of_whole_batches
def total_correlation(draw: Draw, beta: float = 1.0, alpha: float = 1.0, gamma: float = 1.0) -> Terms:
    """Chen et al. 2018 (β-TC-VAE), eq. 4: −log p(x|z) + α I(x; z) + β TC(z) + γ Σ KL(q(z_j) ‖ N(0, 1)).

    With α = β = γ = 1 that is `elbo` but for noise.
    """
    parts = decomposition(draw.z[0], draw.mean, draw.log_variance)
    return {
        "reconstruction": draw.rate * draw.error.mean(),
        "mutual_information": alpha * parts.mutual_information,
        "total_correlation": beta * parts.total_correlation,
        "dimension_kl": gamma * parts.dimension_kl,
    }


class Decomposition(NamedTuple):
    """Parts of the mean KL(q(z|x) ‖ N(0, 1)) in nats, scalars: their sum is its estimate by one draw an image."""

    mutual_information: Tensor
    total_correlation: Tensor
    dimension_kl: Tensor


def decomposition(z: Tensor, mean: Tensor, log_variance: Tensor) -> Decomposition:
    """Chen et al. 2018, eq. 2, for an aggregate posterior that is the mean of those given.

    Of the posteriors of a batch, as in training, it is Chen et al.'s minibatch-weighted estimate (eq. 5) but for a
    constant; no mutual information is seen above log n.

    Args:
        z: a draw from each posterior (n, d).
        mean, log_variance: of the n posteriors (n, d).
    """
    each = log_normal(z[:, None], mean, log_variance)  # of every draw under every posterior, (n, n, d)
    own = log_normal(z, mean, log_variance).sum(1)
    joint = each.sum(2).logsumexp(1) - math.log(len(z))
    marginals = (each.logsumexp(1) - math.log(len(z))).sum(1)
    prior = log_normal(z, torch.zeros_like(z), torch.zeros_like(z)).sum(1)
    return Decomposition((own - joint).mean(), (joint - marginals).mean(), (marginals - prior).mean())


def importance_bound(log_weights: Tensor) -> Tensor:
    """log 1/k Σ exp of (k, n) log-weights: (n,), whose mean bounds log p(x) from below (Burda et al. 2016, eq. 8)."""
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def log_normal(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log N(x; μ, e^v) of each coordinate, in at least float32."""
    x, mean, log_variance = (
        each.to(torch.promote_types(each.dtype, torch.float32)) for each in (x, mean, log_variance)
    )
    return -0.5 * ((x - mean).square() * (-log_variance).exp() + log_variance + math.log(2 * math.pi))
