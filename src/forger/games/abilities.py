"""What a game may offer to whoever scores, draws or watches it; ``isinstance`` tells which of it a game does.

Images are float in [-1, 1], shape (n, c, h, w), points (n, d). Answers are computed in evaluation mode, without
gradients, and by the moving average of the weights where the game keeps one.
"""

from contextlib import AbstractContextManager
from typing import ClassVar, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from forger.data.conditions import Conditions

#: From the first domain to the second, or back.
Direction = Literal["ab", "ba"]
#: Of a game that first trains on pixels alone: as its generator was at the end of that, and as it is.
Stage = Literal["first", "second"]


class Answers(Protocol):
    """What every game has."""

    rank: int
    world: int
    #: Real images shown in training.
    shown: int

    @property
    def device(self) -> torch.device: ...
    @property
    def averaged(self) -> bool:
        """Whether it answers by moving averages of its weights."""
        ...

    def live_weights(self) -> AbstractContextManager[None]:
        """While entered, the game answers by its live weights."""
        ...


class Told(Protocol):
    """What may be told a label.

    Labels run from 0 to ``classes - 1``, or are rows of ``conditions``; 0 and () where there are none.
    """

    @property
    def classes(self) -> int: ...
    @property
    def conditions(self) -> Conditions: ...


def told_by_data(game: Told) -> bool:
    """Whether its labels are the data's; a game with codes draws its labels itself."""
    return bool(game.classes or game.conditions) and not getattr(game, "codes", 0)


@runtime_checkable
class Samples(Answers, Told, Protocol):
    """New images or points, of labels where there are any."""

    def sample(
        self,
        n: int,
        labels: Tensor | None = None,
        generator: torch.Generator | None = None,
        *,
        only: Tensor | None = None,
    ) -> Tensor:
        """``n`` new samples.

        Args:
            n: how many.
            labels: their classes (n,) or conditions (n, k); all in turn by default, where the game has any.
            generator: random stream of the latents (on the CPU, so that every device draws the same).
            only: indices of the samples wanted of the ``n``, a rank's share.
        """
        ...


@runtime_checkable
class Decodes(Answers, Protocol):
    """Images of places in a space of ``latent`` dimensions."""

    @property
    def latent(self) -> int: ...
    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images or points of z (n, latent) and, where the game has any, labels (n,) or (n, k)."""
        ...


@runtime_checkable
class SamplesLatents(Samples, Decodes, Protocol):
    """Samples are what is decoded from draws of a prior."""

    prior: Literal["normal", "uniform"]

    def latents(self, n: int, stream: torch.Generator) -> Tensor:
        """``n`` draws from the prior (n, latent), on the stream's device: N(0, 1), or uniform on [-1, 1]."""
        ...


@runtime_checkable
class Denoises(SamplesLatents, Protocol):
    """Samples are made of noise step by step; a latent is that noise."""

    @property
    def nfe(self) -> int:
        """Evaluations of the network behind a sample."""
        ...

    def trajectory(self, z: Tensor, labels: Tensor | None = None) -> list[Tensor]:
        """What latents (n, latent) are at each step, as samples (n, …), the noise first."""
        ...

    def denoising_error(self, images: Tensor, labels: Tensor | None = None) -> float:
        """The mean of what is minimised on images or points, with the same noise each time it is asked."""
        ...


@runtime_checkable
class Styles(SamplesLatents, Protocol):
    """A mapping makes a style of latents, which each layer may have of other ones; `decode` takes styles too."""

    @property
    def style_shape(self) -> tuple[int, int] | None:
        """(layers, style) of a sample's styles; None in a game that has none."""
        ...

    def styles(self, z: Tensor, labels: Tensor | None = None, truncation: float = 1.0) -> Tensor:
        """Styles (n, layers, style) of z (n, latent) and labels, or of styles.

        They are ``truncation`` times as far from the mean of all.
        """
        ...


@runtime_checkable
class Discriminates(Answers, Protocol):
    """Probabilities that samples are real."""

    def discriminate(self, samples: Tensor, labels: Tensor | None = None) -> Tensor:
        """D(x) in [0, 1], shape (n,)."""
        ...


@runtime_checkable
class SamplesAndDiscriminates(Samples, Discriminates, Protocol):
    """Both sides of an adversarial game."""


@runtime_checkable
class Classifies(Answers, Protocol):
    """Logits of labels, which a discriminator has learnt beside its own task."""

    def classify(self, samples: Tensor) -> Tensor:
        """Logits (n, k), of the data's classes or of the game's codes."""
        ...


@runtime_checkable
class Reconstructs(Decodes, Protocol):
    """Codes of images, and images of codes."""

    #: Standard deviation, on the scale [0, 1], of the noise on its input in training.
    input_noise: float

    def encode(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Codes (n, latent), of images of these labels (n,) if the game is told any and they are known."""
        ...

    def reconstruct(self, images: Tensor) -> Tensor:
        """What is left of images, maybe noisy ones, after encoder and decoder."""
        ...


@runtime_checkable
class InfersPosteriors(Reconstructs, Protocol):
    """Codes are distributions."""

    def posterior(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Means and log-variances, each (n, latent), of q(z|x); labels as of `encode`."""
        ...


@runtime_checkable
class Quantises(Answers, Protocol):
    """Codes of images are rows of a codebook."""

    #: How many rows there are.
    codes: int

    def indices(self, images: Tensor) -> Tensor:
        """Which of them images have, int64 (n, places)."""
        ...


@runtime_checkable
class Translates(Answers, Protocol):
    """Images of one domain as images of another, in one direction or both."""

    directions: ClassVar[tuple[Direction, ...]]

    def translate(self, images: Tensor, direction: Direction = "ab") -> Tensor:
        """The images, translated."""
        ...


@runtime_checkable
class Enlarges(Answers, Protocol):
    """Images with sides ``scale`` times as long."""

    @property
    def scale(self) -> int: ...
    def enlarge(self, images: Tensor, stage: Stage = "second") -> Tensor:
        """The images, enlarged."""
        ...
