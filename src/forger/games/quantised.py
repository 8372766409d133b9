"""The game of an autoencoder with discrete codes, and of a prior over them."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from forger.games.base import Batch, Game, Player, Terms
from forger.games.sampling.inference import Ema, Part
from forger.games.training.all_reduce import gathered
from forger.losses.reconstruction import mse
from forger.partials import plain


class QuantisedGame(Game):
    """VQ-VAE (van den Oord et al., 2017, eq. 3): ‖x − G(e)‖² + ‖sg[F(x)] − e‖² + β ‖F(x) − sg[e]‖², e the nearest code.

    Gradients go straight through from e to F(x). A code that no place has had for a while moves to a vector of the
    batch (Dhariwal et al., 2020, section 2.2). The second player learns the codes of each batch, one after the other,
    which is what samples are drawn by.

    Args:
        autoencoder: `forger.networks.quantised.Autoencoder` or its like.
        prior: `forger.networks.quantised.Prior` or its like.
        players: ``autoencoder`` and ``prior``, in the order of play.
        loss: of the reconstruction, a function of `forger.losses.reconstruction`, both images in [-1, 1].
        commitment: β.
        revive: rounds after which codes that no place had in them are moved; 0 for never.
        ema: decay of the moving averages of both per move, which then answer; None keeps none.
        seed: seed of every random stream.
    """

    classes: Literal[0] = 0

    def __init__(
        self,
        autoencoder: nn.Module,
        prior: nn.Module,
        players: Mapping[str, Player],
        loss: Callable[[Tensor, Tensor], Tensor] = mse,
        commitment: Annotated[float, Ge(0)] = 0.25,
        revive: Annotated[int, Ge(0)] = 50,
        ema: Ema = None,
        seed: int = 0,
    ) -> None:
        super().__init__(players, seed)
        network: Any = autoencoder
        self.autoencoder, self.prior = network, prior
        self.keep_averages(ema, "autoencoder", "prior")
        self.loss = plain(loss)
        self.commitment, self.revive = commitment, revive
        self.input_noise = 0.0
        self.latent: int = network.latent
        #: How many different codes there are.
        self.codes = len(network.codebook)
        #: This round's vectors of the encoder, (n, places, dimension).
        self._vectors = torch.empty(0)

    def objective(self, player: str, batch: Batch) -> Terms:
        if player == "prior":
            with torch.no_grad():
                indices = _indices(self.autoencoder, batch["image"])
            return {"cross_entropy": cross_entropy(self.prior(indices).float().flatten(0, 1), indices.flatten())}
        vectors = self.autoencoder.encode(batch["image"])
        indices = self.autoencoder.nearest(vectors.detach())
        nearest = self.autoencoder.embed(indices)
        made = self.autoencoder.decode(vectors + (nearest - vectors).detach())
        used = torch.bincount(indices.flatten(), minlength=self.codes).float()
        self.autoencoder.used += self.world * used  # what each rank has is averaged
        self._vectors = vectors.detach().flatten(2).transpose(1, 2)
        if self.observing:
            self.observe("watch/code_perplexity", torch.special.entr(used / used.sum()).sum().exp())
        return {
            "reconstruction": self.loss(made, batch["image"]).mean(),
            "codebook": mse(nearest, vectors.detach()).mean(),
            "commitment": self.commitment * mse(vectors, nearest.detach()).mean(),
        }

    def after_move(self, name: str) -> None:
        super().after_move(name)
        if name == "autoencoder" and self.revive and (self.iteration + 1) % self.revive == 0:
            self._revive()

    @torch.no_grad()
    def _revive(self) -> None:
        """Move the codes that no place of any rank has had to vectors of the batch, drawn without putting any back."""
        unused = self.autoencoder.used == 0
        vectors = gathered(self._vectors, self.world).flatten(0, 1)
        order = torch.randperm(len(vectors), generator=self.stream("revive"), device=vectors.device)
        moved = unused.nonzero().flatten()[: len(vectors)]
        self.autoencoder.codebook[moved] = vectors[order[: len(moved)]]
        self.autoencoder.used.zero_()

    def parts(self) -> dict[str, Part]:
        return {
            "encoder": Part("autoencoder", ("images",), ("z",), how=_encoded),
            "decoder": Part("autoencoder", ("z",), ("images",), how=_decoded),
        }

    def indices(self, images: Tensor) -> Tensor:
        """Which codes, int64 (n, places), images in [-1, 1] have."""
        return self.infer("autoencoder", images, how=_indices).long()

    def encode(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """The codes' vectors (n, latent) of images in [-1, 1]."""
        return self.infer("autoencoder", images, how=_encoded)

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images in [-1, 1] of vectors (n, latent), which need not be among the codebook's."""
        return self.infer("autoencoder", z, how=_decoded)

    def reconstruct(self, images: Tensor) -> Tensor:
        """Images in [-1, 1] by way of their codes."""
        return self.decode(self.encode(images))

    def sample(
        self,
        n: int,
        labels: Tensor | None = None,
        generator: torch.Generator | None = None,
        *,
        only: Tensor | None = None,
    ) -> Tensor:
        """``n`` images decoded from draws of the prior; there are no labels."""
        stream = generator or torch.Generator().manual_seed(self.seed)
        height, width = self.autoencoder.grid
        uniform = torch.rand(n, height * width, generator=stream, device=stream.device)
        indices = self.infer(
            "prior", uniform if only is None else uniform[only], how=lambda network, given: network.drawn(given)
        ).long()
        return self.infer("autoencoder", indices, how=_of_indices)


def _indices(network: Any, images: Tensor) -> Tensor:
    return network.nearest(network.encode(images))


def _encoded(network: Any, images: Tensor) -> Tensor:
    return network.embed(_indices(network, images)).flatten(1)


def _decoded(network: Any, z: Tensor) -> Tensor:
    return network.decode(z.unflatten(1, (-1, *network.grid)))


def _of_indices(network: Any, indices: Tensor) -> Tensor:
    return network.decode(network.embed(indices))
