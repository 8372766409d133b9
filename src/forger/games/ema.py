"""Exponential moving average of a network's weights."""

import copy

import torch
from torch import Tensor, nn


class MovingAverage(nn.Module):
    """A frozen copy of a network that follows it: w̄ ← d·w̄ + (1 − d)·w.

    Floating-point buffers (the running statistics of batch norm) are averaged like weights, because they belong
    to the averaged weights; integer buffers are copied.

    Args:
        network: what to follow; its values are the starting point.
        decay: d in [0, 1). With ``warm_up`` the decay after t updates is min(d, (1 + t) / (10 + t)), so that
            the random start is forgotten quickly.
    """

    def __init__(self, network: nn.Module, decay: float, warm_up: bool = True) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.decay = decay
        self.warm_up = warm_up

    @torch.no_grad()
    def update(self, network: nn.Module, updates: int) -> None:
        """Move the average towards the network's present weights; ``updates`` is how often it moved before."""
        decay = min(self.decay, (1 + updates) / (10 + updates)) if self.warm_up else self.decay
        averaged, live = self._tensors(self.network), self._tensors(network)
        floats = [index for index, tensor in enumerate(averaged) if tensor.is_floating_point()]
        torch._foreach_lerp_([averaged[i] for i in floats], [live[i] for i in floats], 1 - decay)
        for average, value in zip(averaged, live, strict=True):
            if not average.is_floating_point():
                average.copy_(value)

    @staticmethod
    def _tensors(network: nn.Module) -> list[Tensor]:
        return [*network.parameters(), *network.buffers()]

    def forward(self, *inputs: Tensor | None) -> Tensor:
        return self.network(*inputs)
