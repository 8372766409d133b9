"""The Vendi score: an effective number of different images."""

import torch
from torch import Tensor

from forger.metrics.functional.frechet import refuse_not_finite


def vendi_score(features: Tensor) -> float:
    """Friedman & Dieng 2023, definition 3.1: exp of the entropy of the eigenvalues of K/n, K the cosines.

    An effective number of different images, between 1 and min(n, d). K/n and the d × d matrix of normalised
    outer products share their eigenvalues.
    """
    refuse_not_finite(features)
    return vendi_from_outer(normalised(features).T @ normalised(features), len(features))


def normalised(features: Tensor) -> Tensor:
    return torch.nn.functional.normalize(features.double(), dim=1)


def vendi_from_outer(outer: Tensor, n: int) -> float:
    """The Vendi score of n images from Σ x xᵀ of their normalised features (d, d)."""
    values = torch.linalg.eigvalsh(outer.cpu() / n).clamp(min=0)
    return float(torch.special.entr(values).sum().exp())
