"""The game of a Wasserstein autoencoder."""

from collections.abc import Callable, Mapping
from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn

from forger.annealing import Schedule, at, number
from forger.games.autoencoder import AutoencoderGame, Weight
from forger.games.base import Batch, Player, Terms
from forger.games.sampling.inference import Ema
from forger.games.sampling.latents import LatentGame
from forger.games.training.all_reduce import gathered
from forger.losses.discrepancy import mmd
from forger.losses.reconstruction import mse


class WassersteinGame(AutoencoderGame, LatentGame):
    """WAE-MMD (Tolstikhin et al., 2018, algorithm 2): min c(x, G(F(x))) + λ · MMD of the codes F(x) and N(0, 1).

    The encoder is deterministic: all codes together follow the prior, which images are sampled from; there is no
    density.

    Args:
        autoencoder, players, noise, ema: as in `AutoencoderGame`.
        loss: c, a function of `forger.losses.reconstruction` of (reconstruction, image), both in [-1, 1].
        weight: λ; may follow a schedule.
        seed: seed of every random stream.
    """

    #: The codes of a batch are compared with the prior together.
    takes_whole_batches = True

    def __init__(
        self,
        autoencoder: nn.Module,
        players: Mapping[str, Player],
        loss: Callable[[Tensor, Tensor], Tensor] = mse,
        weight: Weight | Schedule = 1.0,
        noise: Annotated[float, Ge(0)] = 0.0,
        ema: Ema = None,
        seed: int = 0,
    ) -> None:
        super().__init__(autoencoder, players, loss, noise=noise, ema=ema, seed=seed)
        self.weight = number("weight", weight, Weight)

    def objective(self, player: str, batch: Batch) -> Terms:
        code = self.autoencoder.encode(batch["input"])
        codes = gathered(code, self.world)
        prior = self.latents(len(codes), self.stream("prior"))
        return {
            "reconstruction": self.loss(self.autoencoder.decode(code), batch["image"]).mean(),
            "mmd": at(self.weight, self.shown) * mmd(codes, prior),
        }
