"""Constraints on a player's weights, applied after each of its steps."""

from collections.abc import Iterable
from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor


@torch.no_grad()
def clip_weights(parameters: Iterable[Tensor], *, bound: Annotated[float, Gt(0)] = 0.01) -> None:
    """Arjovsky et al. 2017 (WGAN), algorithm 1, line 7: every weight of the critic into [-bound, bound], in place.

    Keeps the critic Lipschitz, with an unknown constant; the gradient penalty has replaced it.
    """
    weights = list(parameters)
    torch._foreach_clamp_min_(weights, -bound)  # pyright: ignore[reportPrivateImportUsage]
    torch._foreach_clamp_max_(weights, bound)  # pyright: ignore[reportPrivateImportUsage]
