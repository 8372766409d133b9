"""Averages over the ranks of a distributed run, one flat message at a time."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


def average_over_ranks(tensors: Sequence[Tensor], world: int) -> None:
    """Replace each tensor by its mean over ``world`` ranks, in one message; all are of one type."""
    if not tensors:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    torch.distributed.all_reduce(flat)
    flat /= world
    for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def statistics(modules: Iterable[nn.Module]) -> list[Tensor]:
    """Running statistics and their like: the modules' floating-point buffers, each once."""
    buffers = {id(buffer): buffer for module in modules for buffer in module.buffers() if buffer.is_floating_point()}
    return list(buffers.values())


def silence_reducer(wrapper: Any) -> None:
    """Keep DistributedDataParallel from averaging: it expects every parameter in each backward pass.

    No game with several players can give that; a player's gradients are averaged after its own backward pass instead.
    """
    assert isinstance(wrapper, DistributedDataParallel)
    wrapper.require_backward_grad_sync = False


def gathered(samples: Tensor, world: int) -> Tensor:
    """The samples (n, …) of all ``world`` ranks, in the order of the global batch; gradients find their way back."""
    if world == 1:
        return samples
    parts = torch.distributed.nn.functional.all_gather(samples)  # pyright: ignore[reportAttributeAccessIssue]
    return torch.stack(parts, 1).flatten(0, 1)  # the ranks take turns
