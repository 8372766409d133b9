"""Distances of two distributions from samples of both: what makes codes follow a prior."""

import torch
from torch import Tensor

#: Of the kernel's width, as in the authors' code: a sum of kernels sees differences both fine and coarse.
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def mmd(codes: Tensor, prior: Tensor) -> Tensor:
    """Tolstikhin et al. 2018 (WAE-MMD), algorithm 2: squared maximum mean discrepancy, without bias, a scalar.

    By the inverse multiquadratic kernels C / (C + ‖x − y‖²), summed over C = 2 d s for each scale s: 2 d is the
    expected squared distance of two draws of N(0, 1). At most as large as the number of scales; below 0 by chance.

    Args:
        codes: (n, d).
        prior: draws of the prior (n, d), n at least 2.
    """
    n, d = codes.shape
    both = torch.cat([codes, prior]).to(torch.promote_types(codes.dtype, torch.float32))
    norms = both.square().sum(1)
    squared = (norms[:, None] + norms - 2 * both @ both.T).clamp(min=0)
    kernel = torch.zeros_like(squared)
    for scale in SCALES:
        kernel = kernel + 2 * d * scale / (2 * d * scale + squared)
    same = 1 - torch.eye(n, dtype=kernel.dtype, device=kernel.device)  # but for each with itself
    within = ((kernel[:n, :n] + kernel[n:, n:]) * same).sum() / (n * (n - 1))
    return within - 2 * kernel[:n, n:].mean()
