"""Which parameters each player moves, and which of them keep their values."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple, Protocol, Self

from pytorch_lightning import LightningModule
from torch import nn

from forger.errors import ConfigError, first_few


class _Side(Protocol):
    networks: list[str]
    freeze: list[str]


class Moved(NamedTuple):
    """Of a player's networks: the parameters that it moves, and the modules with none, which stay as they are."""

    parameters: list[nn.Parameter]
    frozen: list[nn.Module]


class Moving(LightningModule):
    """The part of a game that knows whose parameters are whose."""

    players: Mapping[str, _Side]

    def __init__(self) -> None:
        super().__init__()
        self._moved: dict[str, Moved] = {}

    def trained_by(self, name: str) -> list[nn.Parameter]:
        """The parameters that a player moves: those of its networks, without the frozen ones."""
        return self._moved_by(name).parameters

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
            for module in self._moved_by(name).frozen:
                module.eval()
        return self

    def _freeze_all_but(self, *names: str) -> None:
        for player in self.players:
            for parameter in self.trained_by(player):
                parameter.requires_grad_(False)
        for player in names:
            for parameter in self.trained_by(player):
                parameter.requires_grad_(True)

    def _moved_by(self, name: str) -> Moved:
        if name not in self._moved:
            player = self.players[name]
            named = zip(player.networks or [name], self.networks_of(name), strict=True)
            self._moved[name] = moved(dict(named), player.freeze, f"model.players.{name}.freeze")
            for module in self._moved[name].frozen:
                module.eval()
        return self._moved[name]


def moved(networks: Mapping[str, nn.Module], patterns: Sequence[str], key: str) -> Moved:
    """What of these networks moves where parameters of some names keep their values; those need no gradient.

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
    frozen = {id(named[name]) for name in kept}
    for name in kept:
        named[name].requires_grad_(False)
    parameters = [parameter for parameter in named.values() if id(parameter) not in frozen]
    modules = (module for network in networks.values() for module in network.modules())
    return Moved(parameters, [module for module in modules if frozen and _all_in(module.parameters(), frozen)])


def _all_in(parameters: Iterable[nn.Parameter], frozen: set[int]) -> bool:
    """Whether there are some, and all are frozen."""
    found = [id(parameter) in frozen for parameter in parameters]
    return bool(found) and all(found)
