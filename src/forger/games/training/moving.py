"""Which parameters each player moves, and which of them keep their values."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple, Protocol, Self

from pytorch_lightning import LightningModule
from torch import nn

from forger.errors import ConfigError, first_few


class _Side(Protocol):
    networks: list[str]
    freeze: list[str]


class Parted(NamedTuple):
    """The parameters of a player's networks."""

    moved: list[nn.Parameter]
    frozen: list[nn.Parameter]


class Moving(LightningModule):
    """The part of a game that knows whose parameters are whose."""

    players: Mapping[str, _Side]

    def __init__(self) -> None:
        super().__init__()
        self._parted: dict[str, Parted] = {}

    def trained_by(self, name: str) -> list[nn.Parameter]:
        """The parameters that a player moves: those of its networks, without the frozen ones."""
        return self._parameters_of(name).moved

    def networks_of(self, name: str) -> list[nn.Module]:
        """The networks that a player moves."""
        return [self.get_submodule(network) for network in self.players[name].networks or [name]]

    def remembering(self, name: str) -> list[nn.Module]:
        """Modules whose running statistics change on a player's turn, and are averaged over the ranks."""
        return self.networks_of(name)

    def train(self, mode: bool = True) -> Self:
        """As of any module; frozen layers stay in evaluation mode, so that their statistics keep their values, too."""
        super().train(mode)
        for name in self.players if mode else ():
            self._hold_frozen(name)
        return self

    def _freeze_all_but(self, *names: str) -> None:
        for player in self.players:
            for parameter in self.trained_by(player):
                parameter.requires_grad_(False)
        for player in names:
            for parameter in self.trained_by(player):
                parameter.requires_grad_(True)

    def _hold_frozen(self, name: str) -> None:
        """Put those modules of a player's networks into evaluation mode whose parameters are all frozen."""
        if frozen := {id(parameter) for parameter in self._parameters_of(name).frozen}:
            for module in (module for network in self.networks_of(name) for module in network.modules()):
                inside = [id(parameter) in frozen for parameter in module.parameters()]
                if inside and all(inside):
                    module.eval()

    def _parameters_of(self, name: str) -> Parted:
        if name not in self._parted:
            player = self.players[name]
            named = zip(player.networks or [name], self.networks_of(name), strict=True)
            self._parted[name] = parted(dict(named), player.freeze, f"model.players.{name}.freeze")
            self._hold_frozen(name)
        return self._parted[name]


def parted(networks: Mapping[str, nn.Module], patterns: Sequence[str], key: str) -> Parted:
    """Parameters that move, and those of some names, which keep their values and need no gradient.

    Args:
        networks: by their names in the game.
        patterns: of `fnmatch`, for names such as ``discriminator.blocks.0.weight``.
        key: where they stand in the config.

    Raises:
        ConfigError: a pattern that no name matches, or nothing moves.
    """
    named = {f"{network}.{name}": p for network, module in networks.items() for name, p in module.named_parameters()}
    kept = {name for name in named if any(fnmatchcase(name, pattern) for pattern in patterns)}
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in named):
            raise ConfigError(f"{key}={pattern}: no parameter of this name; there are {first_few(named)}")
    if patterns and kept == named.keys():
        raise ConfigError(f"{key}: leaves no parameter to train")
    for name in kept:
        named[name].requires_grad_(False)
    frozen = [named[name] for name in named if name in kept]
    return Parted([parameter for name, parameter in named.items() if name not in kept], frozen)
