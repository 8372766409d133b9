"""Scores of a classifier's logits, in float64."""

import numpy as np
import torch
from torch import Tensor

from forger.metrics.functional.frechet import refuse_not_finite


def inception_score(logits: Tensor, splits: int = 1, *, seed: int | None = None) -> tuple[float, float]:
    """Salimans et al. 2016, section 4: exp E KL(p(y|x) ‖ p(y)) of logits (n, k); mean and spread over splits.

    `seed` shuffles the rows with the stream that torch-fidelity uses (its default seed is 2020), None keeps
    their order.

    Raises:
        ValueError: fewer images than splits.
    """
    n = len(logits)
    if n < max(2, splits):
        raise ValueError(f"an Inception Score over {splits} splits needs at least {max(2, splits)} images, got {n}")
    refuse_not_finite(logits)
    if seed is not None:
        # NumPy's legacy stream: an equal seed gives torch-fidelity's own splits.
        order = np.random.RandomState(seed).permutation(n)
        logits = logits[torch.from_numpy(order).to(logits.device)]
    log_p = logits.double().log_softmax(dim=1)
    values = []
    for i in range(splits):
        part = log_p[i * n // splits : (i + 1) * n // splits]
        # log of the mean probability, computed on the log scale, so that a class that never occurs gives no NaN.
        log_q = part.logsumexp(dim=0) - np.log(len(part))
        values.append((part.exp() * (part - log_q)).sum(dim=1).mean().exp())
    scores = torch.stack(values)
    return float(scores.mean()), float(scores.std(correction=0))


def agreement(logits: Tensor, labels: Tensor) -> float:
    """Share of images whose most likely class is the label that was asked for."""
    return float((logits.argmax(dim=1) == labels).double().mean())
