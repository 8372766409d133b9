"""The game of an adversarial autoencoder."""

from collections.abc import Callable, Mapping
from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn

from forger.games.autoencoder import AutoencoderGame
from forger.games.base import Batch, Game, Player, Terms
from forger.games.sampling.inference import Ema
from forger.games.sampling.latents import LatentGame
from forger.losses.adversarial import is_paired
from forger.losses.reconstruction import mse
from forger.partials import plain


class AdversarialAutoencoderGame(AutoencoderGame, LatentGame):
    """AAE (Makhzani et al., 2016, section 2): a discriminator tells codes F(x) from draws of N(0, 1).

    In each round encoder and decoder reduce the error of the reconstruction, then the discriminator moves, then the
    encoder alone, to make codes like draws of the prior, which images are sampled from; there is no density.

    Args:
        autoencoder: as in `AutoencoderGame`.
        discriminator: codes (n, latent) → logits.
        players: ``autoencoder``, ``discriminator`` and ``encoder`` (of networks [autoencoder.encoder]), in this order.
        adversarial: a function of `forger.losses.adversarial`, in which the prior's draws are real.
        loss: of the reconstruction, as in `AutoencoderGame`.
        noise: as in `AutoencoderGame`.
        ema: as in `AutoencoderGame`; the encoder's average takes both of its moves.
        seed: seed of every random stream.
    """

    def __init__(
        self,
        autoencoder: nn.Module,
        discriminator: nn.Module,
        players: Mapping[str, Player],
        adversarial: Callable[..., Terms],
        loss: Callable[[Tensor, Tensor], Tensor] = mse,
        noise: Annotated[float, Ge(0)] = 0.0,
        ema: Ema = None,
        seed: int = 0,
    ) -> None:
        super().__init__(autoencoder, players, loss, noise=noise, ema=ema, seed=seed)
        self.discriminator = discriminator
        self.adversarial = plain(adversarial)

    def round(self) -> list[str]:
        return Game.round(self)

    def objective(self, player: str, batch: Batch) -> Terms:
        if player == "autoencoder":
            return super().objective(player, batch)
        code = self.autoencoder.encode(batch["input"])
        drawn = self.latents_of_round(len(code), "prior")
        if player == "discriminator":
            return self.adversarial("discriminator", self._judge(drawn), self._judge(code.detach()))
        real = self._judge(drawn) if is_paired(self.adversarial) else None
        return self.adversarial("generator", real, self._judge(code))

    def _judge(self, codes: Tensor) -> Tensor:
        return self.discriminator(codes).float()
