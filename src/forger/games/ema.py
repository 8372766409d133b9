"""Exponential moving average of a network's weights."""

import copy
from typing import Annotated, Any, Self

import torch
from annotated_types import Ge, Lt
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm

from forger.annealing import Schedule, at, number

Decay = Annotated[float, Ge(0), Lt(1)]
Images = Annotated[float, Ge(0)]


class HalfLife:
    """A decay told in images (Karras et al., 2018, StyleGAN): n real images later a weight counts 2^(−n / images).

    Args:
        images: real images after which a weight counts half; may follow a schedule, which takes the place of a warm-up.
            0 follows the network without delay.
    """

    def __init__(self, images: Images | Schedule) -> None:
        self.images = number("images", images, Images)

    def decay(self, images: int, shown: int) -> float:
        """Decay of one move that so many real images precede, after ``shown`` were shown."""
        return 0.5 ** (images / max(at(self.images, shown), 1e-8))


class MovingAverage(nn.Module):
    """A frozen copy of a network that follows it: w̄ ← d·w̄ + (1 − d)·w.

    Floating-point buffers (the running statistics of batch norm) are averaged like weights, because they belong
    to the averaged weights; integer buffers, and the singular vectors of spectral normalisation, which have length 1,
    are copied.

    Args:
        network: what to follow; its values are the starting point.
        decay: d in [0, 1). With ``warm_up`` the decay after t updates is min(d, (1 + t) / (10 + t)), so that
            the random start is forgotten quickly. Or a half-life, without warm-up.
    """

    def __init__(self, network: nn.Module, decay: float | HalfLife, warm_up: bool = True) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.decay = decay
        self.warm_up = warm_up
        self._pairs: Any = None

    @torch.no_grad()
    def update(self, network: nn.Module, updates: int, images: int = 0, shown: int = 0) -> None:
        """Move the average towards the network's present weights.

        Args:
            network: what it follows.
            updates: how often it moved before.
            images: real images since its last move.
            shown: real images shown before this round.
        """
        if self._pairs is None:
            self._pairs = self._paired(network)
        (averages, values), others = self._pairs
        if isinstance(self.decay, HalfLife):
            decay = self.decay.decay(images, shown)
        else:
            decay = min(self.decay, (1 + updates) / (10 + updates)) if self.warm_up else self.decay
        torch._foreach_lerp_(averages, values, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]
        for average, value in others:
            average.copy_(value)

    def _paired(self, network: nn.Module) -> tuple[tuple[list[Tensor], list[Tensor]], list[tuple[Tensor, Tensor]]]:
        """Tensors to average, as two lists, and pairs to copy; collected once, which costs more than averaging."""
        averages = [*self.network.parameters(), *self.network.buffers()]
        pairs = list(zip(averages, [*network.parameters(), *network.buffers()], strict=True))
        kept = {id(vector) for vector in _singular_vectors(self.network)}
        floats = [pair for pair in pairs if pair[0].is_floating_point() and id(pair[0]) not in kept]
        others = [pair for pair in pairs if not pair[0].is_floating_point() or id(pair[0]) in kept]
        return ([average for average, _ in floats], [value for _, value in floats]), others

    def _apply(self, *arguments: Any, **options: Any) -> Self:
        self._pairs = None  # moving to another device or type replaces tensors
        return super()._apply(*arguments, **options)

    def forward(self, *inputs: Tensor | None) -> Tensor:
        return self.network(*inputs)


def _singular_vectors(network: nn.Module) -> list[Tensor]:
    """The buffers of spectral normalisation in a network."""
    return [buffer for module in network.modules() if isinstance(module, _SpectralNorm) for buffer in module.buffers()]
