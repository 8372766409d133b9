"""The game of a variational autoencoder."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from forger.annealing import Schedule, at, number
from forger.games.autoencoder import AutoencoderGame, Weight, decoded, encoded
from forger.games.base import Batch, Player, Terms
from forger.games.sampling.inference import Ema, Input, Part
from forger.games.sampling.latents import LatentGame
from forger.games.training.all_reduce import gathered
from forger.losses.reconstruction import kl_standard_normal, mse
from forger.losses.variational import Draw, elbo, takes_whole_batches
from forger.partials import plain


class VariationalGame(AutoencoderGame, LatentGame):
    """The variational autoencoder (Kingma & Welling, 2014, eq. 10): min r · MSE + β · KL(q(z|x) ‖ N(0, 1)).

    MSE is the per-pixel squared error on the scale [0, 1], averaged over the batch, and r ``r_loss_factor``. For
    images of D pixels that is the negative evidence lower bound (up to a constant, at β = 1) of a decoder with
    Gaussian pixels of variance D / 2r. Conditional (Sohn et al., 2015): encoder and decoder are told the label.

    Args:
        autoencoder: a network of `forger.networks.autoencoders` with ``variational=True``.
        players: ``autoencoder``.
        r_loss_factor: weight of the reconstruction.
        beta: weight of the KL divergence (Higgins et al., 2017); may follow a schedule (Bowman et al., 2016).
        noise: as in `AutoencoderGame`.
        ema: as in `AutoencoderGame`.
        bound: what is trained on, a function of `forger.losses.variational`.
        draws: codes drawn of each image, k.
        classes: labels run from 0 to ``classes - 1``; 0 when there are none, or none are told.
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
        bound: Callable[..., Terms] = elbo,
        draws: Annotated[int, Ge(1)] = 1,
        classes: Annotated[int, Ge(0)] = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(autoencoder, players, noise=noise, ema=ema, seed=seed)
        self.r_loss_factor = r_loss_factor
        self.beta = number("beta", beta, Weight)
        self.bound, self.draws, self.classes = plain(bound), draws, classes
        #: Asked before a batch is cut into parts.
        self.takes_whole_batches = takes_whole_batches(bound)

    def objective(self, player: str, batch: Batch) -> Terms:
        labels = batch["label"] if self.classes else None
        mean, log_variance = encoded(self.autoencoder, batch["input"], labels)
        noise = self.noise("posterior").normal((len(mean), self.draws, self.latent)).transpose(0, 1)
        z = mean + (log_variance / 2).exp() * noise
        images = batch["image"].repeat(self.draws, *[1] * (batch["image"].ndim - 1))
        made = decoded(self.autoencoder, z.flatten(0, 1), None if labels is None else labels.repeat(self.draws))
        error = mse(made, images).unflatten(0, z.shape[:2]) / 4  # from [-1, 1] to [0, 1]
        draw = Draw(error, self.r_loss_factor, z, mean, log_variance)
        if self.takes_whole_batches:
            draw = replace(
                draw,
                z=gathered(z.transpose(0, 1), self.world).transpose(0, 1),
                mean=gathered(mean, self.world),
                log_variance=gathered(log_variance, self.world),
            )
        return self.bound(draw, beta=at(self.beta, self.shown))

    def parts(self) -> dict[str, Part]:
        told: tuple[Input, ...] = ("labels",) if self.classes else ()
        return {
            "encoder": Part("autoencoder", ("images", *told), ("mean", "log_variance"), how=encoded),
            "decoder": Part("autoencoder", ("z", *told), ("images",), how=decoded),
        }

    def posterior(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Means and log-variances, each (n, latent), of q(z|x) for images in [-1, 1]; labels as of `encode`."""
        labels = self.likely_labels(images) if labels is None else labels
        both = self.infer("autoencoder", images, labels, how=lambda *given: torch.cat(encoded(*given), 1))
        mean, log_variance = both.chunk(2, 1)
        return mean, log_variance

    def encode(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Means (n, latent) of the posteriors of images in [-1, 1].

        Args:
            images: (n, …).
            labels: their classes (n,), if the game is told any; by default the `likely_labels`.
        """
        return self.posterior(images, labels)[0]

    def reconstruct(self, images: Tensor) -> Tensor:
        labels = self.likely_labels(images)
        return self.decode(self.encode(images, labels), labels)

    def likely_labels(self, images: Tensor) -> Tensor | None:
        """Of each image the class (n,) under which its mean code bounds its likelihood best; None without classes."""
        costs = []
        for label in range(self.classes):
            labels = torch.full((len(images),), label, device=self.device)
            mean, log_variance = self.posterior(images, labels)
            error = mse(self.decode(mean, labels), images.to(self.device)) / 4
            costs.append(self.r_loss_factor * error + kl_standard_normal(mean, log_variance))
        return torch.stack(costs).argmin(0) if costs else None
