"""A game's parts as networks of their own: a copy in evaluation mode, with all that shapes its weights folded in."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from forger.errors import ConfigError
from forger.games.base import Game
from forger.games.sampling.inference import Part

#: Samples in a batch that is tried; torch takes sizes of 0 and 1 for constants.
_BATCH = 2
#: Height and width that are tried where any will do.
_SIDES = (24, 28)
#: What every class gets anew.
_OF_CLASSES = ("__dict__", "__weakref__")


@dataclass(frozen=True)
class Detached:
    """A part of a game by itself, on the CPU.

    Args:
        name: of the part.
        part: what the game says of it.
        network: its network.
        called: gives the part's outputs for its inputs, which are the parameters of its `forward`.
        inputs: a batch of examples by name; points are ``points``, and no ``images``.
        outputs: what it gives for them.
    """

    name: str
    part: Part
    network: nn.Module
    called: nn.Module
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


def detached(game: Game, shape: Sequence[int]) -> list[Detached]:
    """All that a game makes, by the weights that it answers by at this moment.

    Args:
        game: in evaluation mode or not.
        shape: of a sample, without the batch: (channels, height, width), or (dimensions,) of a point.

    Raises:
        ConfigError: it makes nothing, a network does not take what the game gives it, or it has diverged.
    """
    parts = game.parts()
    if not parts:
        raise ConfigError(f"{type(game).__name__} makes nothing that could be exported")
    networks = {part.network: _folded(game.answering(part.network)) for part in parts.values()}
    return [_detached(game, name, part, networks[part.network], shape) for name, part in parts.items()]


def _detached(game: Any, name: str, part: Part, network: nn.Module, shape: Sequence[int]) -> Detached:
    sizes = {
        "z": lambda: (game.latent,),
        "labels": tuple,
        "conditions": lambda: (len(game.conditions),),
        "images": lambda: (shape[0], *_SIDES) if part.any_size else tuple(shape),
    }
    sample = "images" if len(shape) == 3 else "points"
    inputs = {
        sample if each == "images" else each: torch.zeros(_BATCH, *sizes[each](), dtype=_dtype(each))
        for each in part.takes
    }
    called = _FORWARD[tuple(inputs)](network, part.how)
    try:
        with torch.no_grad():
            given = called(*inputs.values())
    except Exception as error:  # whatever a network of the user's raises
        detail = " ".join(str(error).split())[:200]
        raise ConfigError(f"model.{part.network}: can't be called as the {name} ({detail})") from error
    given = given if isinstance(given, tuple) else (given,)
    if not all(bool(torch.isfinite(each).all()) for each in given):
        raise ConfigError(f"model.{part.network}: the {name} gives NaN or infinity: the run has diverged")
    names = [sample if each == "images" else each for each in part.gives]
    return Detached(name, part, network, called, inputs, dict(zip(names, given, strict=True)))


def _dtype(name: str) -> torch.dtype:
    return torch.int64 if name == "labels" else torch.float32


def _folded(network: nn.Module) -> nn.Module:
    """A copy with parametrised weights, and those of the hooks of older torch, as the plain weights that they are."""
    network = copy.deepcopy(network).cpu().eval()
    for module in network.modules():
        if parametrize.is_parametrized(module):
            module.__class__ = _of_its_own(type(module))
            for name in list(module.parametrizations):  # pyright: ignore[reportArgumentType]
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, SpectralNorm):
                remove_spectral_norm(module, hook.name)
            if isinstance(hook, WeightNorm):
                remove_weight_norm(module, hook.name)
    return network.requires_grad_(False)


def _of_its_own(kind: type) -> type:
    """The class of a parametrised module, anew: copies share it, and it loses its weight with one of them."""
    return type(kind.__name__, kind.__bases__, {k: v for k, v in vars(kind).items() if k not in _OF_CLASSES})


class _Called(nn.Module):
    """A network that is called as the game does."""

    def __init__(self, network: nn.Module, how: Callable[..., Any]) -> None:
        super().__init__()
        self.network = network
        self.how = how


# The names of parameters become those of inputs.


class _OfLatents(_Called):
    def forward(self, z: Tensor) -> Any:
        return self.how(self.network, z)


class _OfLabels(_Called):
    def forward(self, z: Tensor, labels: Tensor) -> Any:
        return self.how(self.network, z, labels)


class _OfConditions(_Called):
    def forward(self, z: Tensor, conditions: Tensor) -> Any:
        return self.how(self.network, z, conditions)


class _OfImages(_Called):
    def forward(self, images: Tensor) -> Any:
        return self.how(self.network, images)


class _OfLabelledImages(_Called):
    def forward(self, images: Tensor, labels: Tensor) -> Any:
        return self.how(self.network, images, labels)


class _OfPoints(_Called):
    def forward(self, points: Tensor) -> Any:
        return self.how(self.network, points)


_FORWARD: dict[tuple[str, ...], type[_Called]] = {
    ("z",): _OfLatents,
    ("z", "labels"): _OfLabels,
    ("z", "conditions"): _OfConditions,
    ("images",): _OfImages,
    ("images", "labels"): _OfLabelledImages,
    ("points",): _OfPoints,
}
