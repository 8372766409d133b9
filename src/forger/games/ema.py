"""Exponential moving average of a network's weights."""

import copy
from typing import Any, Self

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
        self._pairs: Any = None

    @torch.no_grad()
    def update(self, network: nn.Module, updates: int) -> None:
        """Move the average towards the network's present weights; ``updates`` is how often it moved before."""
        if self._pairs is None:
            self._pairs = self._paired(network)
        (averages, values), others = self._pairs
        decay = min(self.decay, (1 + updates) / (10 + updates)) if self.warm_up else self.decay
        torch._foreach_lerp_(averages, values, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]
        for average, value in others:
            average.copy_(value)

    def _paired(self, network: nn.Module) -> tuple[tuple[list[Tensor], list[Tensor]], list[tuple[Tensor, Tensor]]]:
        """Tensors to average, as two lists, and pairs to copy; collected once, which costs more than averaging."""
        averages = [*self.network.parameters(), *self.network.buffers()]
        pairs = list(zip(averages, [*network.parameters(), *network.buffers()], strict=True))
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        others = [pair for pair in pairs if not pair[0].is_floating_point()]
        return ([average for average, _ in floats], [value for _, value in floats]), others

    def _apply(self, *arguments: Any, **options: Any) -> Self:
        self._pairs = None  # moving to another device or type replaces tensors
        return super()._apply(*arguments, **options)

    def forward(self, *inputs: Tensor | None) -> Tensor:
        return self.network(*inputs)
