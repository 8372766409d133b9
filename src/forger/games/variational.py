"""The game of a variational autoencoder."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from forger.annealing import Schedule, at, number
from forger.games.autoencoder import AutoencoderGame, Weight, encoded
from forger.games.base import Batch, Player, Terms
from forger.games.inference import Ema, Part
from forger.games.latents import LatentGame
from forger.losses.reconstruction import kl_standard_normal, mse


class VariationalGame(AutoencoderGame, LatentGame):
    """The variational autoencoder (Kingma & Welling, 2014, eq. 10): min r · MSE + β · KL(q(z|x) ‖ N(0, 1)).

    MSE is the per-pixel squared error on the scale [0, 1], averaged over the batch, and r ``r_loss_factor``. For
    images of D pixels that is the negative evidence lower bound (up to a constant, at β = 1) of a decoder with
    Gaussian pixels of variance D / 2r.

    Args:
        autoencoder: a network of `forger.networks.autoencoders` with ``variational=True``.
        players: ``autoencoder``.
        r_loss_factor: weight of the reconstruction.
        beta: weight of the KL divergence (Higgins et al., 2017); may follow a schedule (Bowman et al., 2016).
        noise: as in `AutoencoderGame`.
        ema: as in `AutoencoderGame`.
        seed: seed of every random stream.
    """

    variational: ClassVar[bool] = True

    def __init__(
        self,
        autoencoder: nn.Module,
        players: Mapping[str, Player],
        r_loss_factor: Annotated[float, Gt(0)] = 1000.0,
        beta: Weight | Schedule = 1.0,
        noise: Annotated[float, Ge(0)] = 0.0,
        ema: Ema = None,
        seed: int = 0,
    ) -> None:
        super().__init__(autoencoder, players, noise=noise, ema=ema, seed=seed)
        self.r_loss_factor = r_loss_factor
        self.beta = number("beta", beta, Weight)

    def objective(self, player: str, batch: Batch) -> Terms:
        mean, log_variance = self.autoencoder.encode(batch["input"])
        z = mean + (log_variance / 2).exp() * self.noise("posterior").normal(mean.shape)
        error = mse(self.autoencoder.decode(z), batch["image"]) / 4  # from [-1, 1] to [0, 1]
        return {
            "reconstruction": self.r_loss_factor * error.mean(),
            "kl": at(self.beta, self.shown) * kl_standard_normal(mean, log_variance).mean(),
        }

    def parts(self) -> dict[str, Part]:
        return super().parts() | {"encoder": Part("autoencoder", ("images",), ("mean", "log_variance"), how=encoded)}

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances, each (n, latent), of q(z|x) for images in [-1, 1]."""
        both = self.infer("autoencoder", images, how=lambda *given: torch.cat(encoded(*given), 1))
        mean, log_variance = both.chunk(2, 1)
        return mean, log_variance

    def encode(self, images: Tensor) -> Tensor:
        """Means (n, latent) of the posteriors of images in [-1, 1]."""
        return self.posterior(images)[0]
