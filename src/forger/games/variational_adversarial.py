"""The game of a variational autoencoder whose likeness is learned by a discriminator."""

from collections.abc import Callable, Mapping
from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from forger.annealing import Schedule, at
from forger.games.autoencoder import Weight, decoded, encoded
from forger.games.base import Batch, Game, Player, Terms
from forger.games.sampling.inference import Ema
from forger.games.variational import VariationalGame
from forger.losses.adversarial import is_paired
from forger.losses.objective import Features
from forger.losses.reconstruction import kl_standard_normal, mse
from forger.partials import plain


class VariationalAdversarialGame(VariationalGame):
    """VAE/GAN (Larsen et al., 2016, algorithm 1): reconstructions are compared by a discriminator's features.

    With the KL divergence, r times the mean squared error of features, and the adversarial term of reconstructions and
    of samples from the prior, the encoder minimises the first two, the decoder γ times the second and the third.

    Args:
        autoencoder: as in `VariationalGame`.
        discriminator: images → logits, with a last layer ``output``, of which the input are the features.
        players: ``discriminator`` and ``autoencoder``, in the order of play.
        adversarial: a function of `forger.losses.adversarial`.
        r_loss_factor: r.
        gamma: γ.
        beta: weight of the KL divergence; may follow a schedule.
        noise: as in `AutoencoderGame`.
        ema: as in `AutoencoderGame`.
        seed: seed of every random stream.
    """

    def __init__(
        self,
        autoencoder: nn.Module,
        discriminator: nn.Module,
        players: Mapping[str, Player],
        adversarial: Callable[..., Terms],
        r_loss_factor: Annotated[float, Gt(0)] = 1000.0,
        gamma: Annotated[float, Gt(0)] = 1.0,
        beta: Weight | Schedule = 1.0,
        noise: Annotated[float, Ge(0)] = 0.0,
        ema: Ema = None,
        seed: int = 0,
    ) -> None:
        super().__init__(autoencoder, players, r_loss_factor, beta, noise, ema, seed=seed)
        self.discriminator = discriminator
        self.adversarial = plain(adversarial)
        self.gamma = gamma
        self._features = Features(discriminator)

    def round(self) -> list[str]:
        return Game.round(self)

    def objective(self, player: str, batch: Batch) -> Terms:
        mean, log_variance = encoded(self.autoencoder, batch["input"])
        z = mean + (log_variance / 2).exp() * self.noise("posterior").normal(mean.shape)
        drawn = self.latents_of_round(len(z), "prior")
        if player == "discriminator":
            with torch.no_grad():
                fake = decoded(self.autoencoder, torch.cat([z, drawn]))
            real = self._judge(batch["image"])[0].repeat(2)
            return self.adversarial("discriminator", real, self._judge(fake)[0])
        # The encoder's share of the error is not weighted by γ, and it is not asked to deceive.
        given = torch.cat([z.detach() + (z - z.detach()) / self.gamma, z.detach(), drawn])
        reconstruction, *fakes = decoded(self.autoencoder, given).chunk(3)
        with torch.no_grad():
            real, features = self._judge(batch["image"])
        likeness = mse(self._judge(reconstruction)[1], features).mean()
        paired = real.repeat(2) if is_paired(self.adversarial) else None
        return {
            "likeness": self.gamma * self.r_loss_factor * likeness,
            "kl": at(self.beta, self.shown) * kl_standard_normal(mean, log_variance).mean(),
            **self.adversarial("generator", paired, self._judge(torch.cat(fakes))[0]),
        }

    def _judge(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n,) and features (n, features)."""
        return self.discriminator(images).float(), self._features.taken()
