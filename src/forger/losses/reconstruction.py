"""Reconstruction losses and the VAE's KL, one value per sample, shape (N,): the caller takes the mean.

Images are float (N, ...) in [-1, 1] unless a function says otherwise; computed in at least float32, also
under autocast. Squared errors in [-1, 1] are four times, absolute errors twice those in [0, 1].
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared error, averaged over the pixels of each sample; any scale."""
    return (_full(prediction) - _full(target)).square().flatten(1).mean(1)


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Absolute error, averaged over the pixels of each sample; any scale."""
    return (_full(prediction) - _full(target)).abs().flatten(1).mean(1)


def bce(prediction: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy in nats, averaged over the pixels of each sample, of images in [-1, 1].

    Both are mapped to probabilities (x + 1) / 2, so a decoder with scaled sigmoid or tanh fits. A pixel costs
    at most 100 nats: the logarithm is bounded there, and the value stays finite at ±1.
    """
    with torch.autocast(prediction.device.type, enabled=False):
        p, t = (_full(prediction) + 1) / 2, (_full(target) + 1) / 2
        return F.binary_cross_entropy(p, t, reduction="none").flatten(1).mean(1)


def kl_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kingma & Welling 2014, appendix B: KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σ (μ² + eᵛ - v - 1), v = log σ².

    In nats per sample, summed over the k latent dimensions; both inputs have shape (N, k).
    """
    mean, log_variance = _full(mean), _full(log_variance)
    # expm1 keeps the digits that e^v - 1 loses where the posterior is nearly the prior
    return 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance).flatten(1).sum(1)


def sparsity(activations: Tensor | Sequence[Tensor]) -> Tensor:
    """L1 of activations: the mean absolute value over all units of each sample, of one or several tensors."""
    several = [activations] if isinstance(activations, Tensor) else activations
    return torch.cat([_full(a).abs().flatten(1) for a in several], dim=1).mean(1)


def _full(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
