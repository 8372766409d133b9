"""Checks of a game's tensors: values that are not finite, and the size of a step."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from forger.errors import Diverged, Kind


def refuse_faults(tensors: Mapping[str, Tensor], player: str, iteration: int, kind: Kind) -> None:
    """Raise `Diverged` for the first tensor with a NaN or an infinity, if there is one."""
    for name, values in tensors.items():
        wrong = values.detach()[~values.isfinite()]
        if wrong.numel():
            raise Diverged(player, name, wrong[0].item(), iteration, kind)


def copied(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Copies to compare with later."""
    return [tensor.detach().clone() for tensor in tensors]


@torch.no_grad()
def relative_change(before: Sequence[Tensor], after: Sequence[Tensor]) -> Tensor:
    """‖after − before‖ / ‖before‖ over all tensors together."""
    changes = [new - old for new, old in zip(after, before, strict=True)]
    return nn.utils.get_total_norm(changes) / nn.utils.get_total_norm(before).clamp(min=torch.finfo(torch.float32).tiny)
