"""A game's networks as others see them: in evaluation mode, and by their moving averages where it keeps any."""

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Literal

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from forger.games.ema import Decay, HalfLife, MovingAverage

Ema = Decay | HalfLife | None
#: ``z`` (n, latent); ``labels``, int64 (n,); ``conditions`` (n, k); ``images`` as the game sees them, or points.
Input = Literal["z", "labels", "conditions", "images"]


@dataclass(frozen=True)
class Part:
    """What a game makes of inputs by one of its networks, for use without the game.

    Args:
        network: its name in the game.
        takes: the names of its inputs.
        gives: the names of its outputs.
        how: calls the network, which it gets before the inputs.
        any_size: whether it takes images of any height and width.
    """

    network: str
    takes: tuple[Input, ...]
    gives: tuple[str, ...]
    how: Callable[..., Any] = nn.Module.__call__
    any_size: bool = False


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """A network in evaluation mode while this is entered; afterwards each of its modules is in the mode that it was."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


class Inference(LightningModule):
    """The part of a game that answers: what its networks make of inputs, outside of training."""

    def __init__(self) -> None:
        super().__init__()
        self._averages: dict[str, MovingAverage] = {}
        self._live = False
        self.ema: Ema = None

    def keep_averages(self, ema: Ema, *networks: str) -> None:
        """Keep moving averages of these networks and answer by them; None keeps none.

        A checkpoint has that of a single network under ``average``, those of several under ``average_NETWORK``.
        """
        self.ema = ema
        if ema is None:
            return
        for network in networks:
            average = self._averages[network] = MovingAverage(self.get_submodule(network), ema)
            self.add_module("average" if len(networks) == 1 else f"average_{network}", average)

    @torch.no_grad()
    def start_averages(self, known: Container[str]) -> None:
        """Begin moving averages at their networks' weights, where they are not among ``known`` entries of the state."""
        for name, module in self.named_children():
            if not isinstance(module, MovingAverage):
                continue
            network = next(network for network, average in self._averages.items() if average is module)
            live = self.get_submodule(network).state_dict()
            for entry, value in module.network.state_dict().items():
                if f"{name}.network.{entry}" not in known:
                    value.copy_(live[entry])

    @property
    def averaged(self) -> bool:
        """Whether it answers by moving averages."""
        return bool(self._averages)

    @contextmanager
    def live_weights(self) -> Iterator[None]:
        """Answer by the live weights, not by their moving averages, while this is entered."""
        before, self._live = self._live, True
        try:
            yield
        finally:
            self._live = before

    def parts(self) -> dict[str, Part]:
        """What it makes, by name, as networks that can be used without it; a game may make nothing."""
        return {}

    def answering(self, network: str) -> nn.Module:
        """The network of this name, or the moving average that stands for it."""
        averaged = network in self._averages and not self._live
        return self._averages[network].network if averaged else self.get_submodule(network)

    @torch.no_grad()
    def infer(
        self,
        network: str,
        *inputs: Tensor | None,
        at_once: int = 512,
        how: Callable[..., Tensor] = nn.Module.__call__,
    ) -> Tensor:
        """What a network makes of inputs (n, …), in evaluation mode, float32.

        Args:
            network: its name; by its moving average where there is one.
            inputs: all of the same length, or None, which every call gets as it is.
            at_once: samples per call.
            how: calls the network, which it gets before the inputs.
        """
        used = self.answering(network)
        parts = zip(*(repeat(None) if x is None else x.split(at_once) for x in inputs), strict=False)
        with evaluating(used):
            made = [how(used, *(None if x is None else x.to(self.device) for x in part)).float() for part in parts]
        return torch.cat(made)

    def _update_averages(self, moved: Sequence[str], updates: int, images: int, shown: int) -> None:
        """Let the averages follow the networks of these names, and those that hold them (`MovingAverage.update`)."""
        for network, average in self._averages.items():
            if any(f"{name}.".startswith(f"{network}.") for name in moved):
                average.update(self.get_submodule(network), updates, images, shown)
