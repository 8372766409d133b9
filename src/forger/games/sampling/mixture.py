"""An autoencoder that generates: its decoder, on codes from a mixture of Gaussians fitted on codes of images."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from forger.data.dataset import Data
from forger.errors import ConfigError
from forger.games.abilities import Reconstructs
from forger.games.base import Game
from forger.games.sampling.inference import Input, Part
from forger.games.sampling.latents import LatentGame

#: Training images at most that a mixture is fitted on.
MOST = 20_000


class MixtureGame(LatentGame):
    """An autoencoder's decoder behind a Gaussian mixture over its codes (Ghosh et al., 2020, § 5, ex-post density).

    It has no players. z is standard normal: its first coordinate, as a quantile, picks the component, and the others
    are the place within it, so that one that knows nothing of mixtures can draw samples of an exported file.

    Args:
        game: the autoencoder's; the weights that it answers by at this moment are used.
        weights, means, covariances: of the mixture: (k,), (k, d), (k, d, d), float64.
    """

    def __init__(self, game: Any, weights: Tensor, means: Tensor, covariances: Tensor) -> None:
        super().__init__({}, game.seed)
        part = game.parts()["decoder"]
        self.generator = _Mixed(game.answering(part.network), part.how, weights, means, covariances)
        self.latent = means.shape[1] + 1
        self.classes, self.conditions = getattr(game, "classes", 0), game.conditions
        self.values, self.shown, self.rank, self.world = game.values, game.shown, game.rank, game.world
        self._averaged = game.averaged
        self.to(game.device)

    @property
    def averaged(self) -> bool:
        return self._averaged

    def live_weights(self) -> Any:
        if self._averaged:
            raise ConfigError("a mixture is fitted on codes by the averaged weights: leave out the live ones")
        return nullcontext()

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.infer("generator", z, labels)

    def parts(self) -> dict[str, Part]:
        told: tuple[Input, ...] = ("labels",) if self.classes else ()
        return {"generator": Part("generator", ("z", *told), ("images",))}


class _Mixed(nn.Module):
    """z (n, d + 1) to what a decoder makes of codes (n, d)."""

    below: Tensor
    means: Tensor
    factors: Tensor

    def __init__(
        self, decoder: nn.Module, how: Callable[..., Tensor], weights: Tensor, means: Tensor, covariances: Tensor
    ) -> None:
        super().__init__()
        self.decoder, self.how = decoder, how
        self.register_buffer("below", weights.cumsum(0)[:-1].float())
        self.register_buffer("means", means.float())
        self.register_buffer("factors", torch.linalg.cholesky(covariances).float())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        component = (torch.special.ndtr(z[:, :1].float()) > self.below).sum(1)
        codes = self.means[component] + (self.factors[component] @ z[:, 1:, None].float())[..., 0]
        return self.how(self.decoder, codes) if labels is None else self.how(self.decoder, codes, labels)


def with_mixture(game: Game, data: Data, components: int) -> MixtureGame:
    """The game of an autoencoder as one that samples codes of a mixture, fitted on those of training images.

    The same game and data give the same mixture (scikit-learn's, full covariances; of the first 20,000 images).

    Raises:
        ConfigError: the game is no autoencoder, there are fewer images than components, or the codes can't be fitted.
    """
    from sklearn.mixture import GaussianMixture

    if not isinstance(game, Reconstructs) or "decoder" not in game.parts():
        raise ConfigError(f"a mixture is of an autoencoder's codes, and this is a {type(game).__name__}")
    train = data.train.arrays
    told = train["label"][:MOST] if getattr(game, "classes", 0) else None
    codes = game.encode(data.values.to_float(train["image"][:MOST]), told).cpu().double()
    if components > len(codes):
        raise ConfigError(f"a mixture of {components} needs as many training images, and there are {len(codes)}")
    try:
        fitted = GaussianMixture(components, random_state=0).fit(codes.numpy())
    except ValueError as error:
        raise ConfigError(f"a mixture of {components} can't be fitted on the codes: {error}") from None
    return MixtureGame(
        game, *(torch.from_numpy(each) for each in (fitted.weights_, fitted.means_, fitted.covariances_))
    )
