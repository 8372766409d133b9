"""The base of objectives that a config adds to an adversarial game, and what they are given."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from forger.annealing import Schedule, at, number
from forger.losses.penalty import Every, Weight
from forger.randomness import Noise


@dataclass(frozen=True)
class Setting:
    """The game that an objective is added to.

    Attributes:
        players: their names.
        generator: (z, labels) to samples.
        discriminator: (samples, labels) to logits.
        classes: of the data's labels, which generator and objectives are told; 0 without, or with conditions.
        codes: of labels that the game draws itself and tells the generator alone; 0 without.
        latent: dimension of z.
    """

    players: Collection[str]
    generator: nn.Module
    discriminator: nn.Module
    classes: int
    codes: int
    latent: int


def _as_given(samples: Tensor) -> Tensor:
    return samples


@dataclass(frozen=True)
class Turn:
    """One player's turn: what the networks were given, and what they made of it.

    Attributes:
        player: whose turn it is.
        real: real images (N, ...) in [-1, 1], or points.
        fake: fakes of the same shape; on the generator's turn they lead back to it, on the discriminator's nowhere.
        labels: of the reals, int64 (N,), or conditions (N, k); None without.
        fake_labels: what the generator was told: the labels of the reals, or codes; None without.
        z: latents (N, latent) of the fakes.
        real_features: the discriminator's features of the reals (N, features), with augmentations and gradients; None
            where it wasn't shown them in this turn, or no objective reads features.
        fake_features: of the fakes, likewise.
        generator: (z, labels) to samples.
        discriminator: (samples, labels) to logits.
        noise: random numbers of this objective in this turn.
        shown: real images shown before this round.
        gathered: samples (N, ...) of this rank to those of all ranks, with gradients.
    """

    player: str
    real: Tensor
    fake: Tensor
    labels: Tensor | None
    fake_labels: Tensor | None
    z: Tensor
    real_features: Tensor | None
    fake_features: Tensor | None
    generator: nn.Module
    discriminator: nn.Module
    noise: Noise
    shown: int = 0
    gathered: Callable[[Tensor], Tensor] = _as_given


class Objective(nn.Module, ABC):
    """weight * every * `term`, added to what some players minimise in one of ``every`` of their moves.

    The weight may follow a schedule. State is kept in buffers, so that it is saved, and averaged over the ranks after
    each of those turns. Trainable heads, which `prepare` makes, are moved by the discriminator, whose features they
    read.
    """

    #: To whose terms it is added.
    players: ClassVar[tuple[str, ...]]
    #: Whether it reads features of the discriminator.
    reads_features: ClassVar[bool] = False
    #: Whether the discriminator learns labels by it, and need not be told them.
    teaches_labels: ClassVar[bool] = False

    def __init__(self, weight: Weight | Schedule, every: Every = 1) -> None:
        super().__init__()
        self.weight = number("weight", weight, Weight)
        self.every = every

    def prepare(self, setting: Setting) -> None:
        """Check that the game has what this needs, and make heads for its networks; called once, before it begins.

        Raises:
            ValueError: what is missing.
        """
        for player in self.players:
            if player not in setting.players:
                raise ValueError(f"needs a player called {player}")

    def compile(self, *arguments: Any, **options: Any) -> None:
        """Leave it as it is written: what it is given differs in every round."""

    @abstractmethod
    def term(self, turn: Turn) -> Tensor:
        """The unweighted scalar that the player of this turn minimises."""

    def forward(self, turn: Turn) -> Tensor:
        return at(self.weight, turn.shown) * self.every * self.term(turn)


class Classifier(Objective):
    """An objective that learns to tell labels apart, of the data or codes, by the discriminator's features."""

    players: ClassVar[tuple[str, ...]] = ("discriminator", "generator")
    reads_features: ClassVar[bool] = True

    @abstractmethod
    def classify(self, features: Tensor) -> Tensor:
        """Logits (N, k) for features (N, features) of the discriminator."""


def prepare(objectives: Mapping[str, Objective], setting: Setting) -> None:
    """`Objective.prepare` of each.

    Raises:
        ValueError: which one misses what.
    """
    for name, objective in objectives.items():
        try:
            objective.prepare(setting)
        except ValueError as error:
            raise ValueError(f"objectives.{name}: {error}") from None


class Features:
    """A discriminator's features: what goes into its last layer, ``output``.

    Raises:
        ValueError: it has no such layer.
    """

    def __init__(self, discriminator: nn.Module) -> None:
        width(discriminator)
        self._latest: Tensor | None = None
        discriminator.get_submodule("output").register_forward_pre_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._latest = inputs[0]

    def taken(self) -> Tensor:
        """Those of the samples that the discriminator has seen last, (N, features), at least float32."""
        assert self._latest is not None, "the discriminator has seen nothing yet"
        latest, self._latest = self._latest, None
        return latest.flatten(1).float()


def width(discriminator: nn.Module) -> int:
    """How many features go into the last layer, ``output``, of a discriminator.

    Raises:
        ValueError: it has no such layer, or one that is neither linear nor a convolution.
    """
    output = getattr(discriminator, "output", None)
    if isinstance(output, nn.Linear):
        return output.in_features
    if isinstance(output, nn.Conv2d):
        return output.in_channels * math.prod(output.kernel_size)
    raise ValueError(
        f"reads the features of the discriminator, and {type(discriminator).__name__} has no last layer called output"
    )
