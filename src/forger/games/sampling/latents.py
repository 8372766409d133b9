"""Games whose samples are decoded from draws of a prior."""

from typing import Literal

import torch
from torch import Tensor

from forger.data.conditions import in_turn
from forger.games.base import Game


class LatentGame(Game):
    """The part of a game that samples: z from its prior, in ``latent`` dimensions, and the images that these are.

    A game of this kind sets ``latent``, and the others where they are not as here, and has a `decode`.
    """

    latent: int
    prior: Literal["normal", "uniform"] = "normal"
    #: Labels run from 0 to ``classes - 1``; 0 where there are none.
    classes: int = 0

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images or points of z (n, latent) and, where there are any, of labels (n,) or (n, k)."""
        raise NotImplementedError

    def latents(self, n: int, stream: torch.Generator) -> Tensor:
        """``n`` draws from the prior (n, latent), on the stream's device."""
        shape = (n, self.latent)
        if self.prior == "normal":
            return torch.randn(shape, generator=stream, device=stream.device)
        return torch.rand(shape, generator=stream, device=stream.device).mul_(2).sub_(1)

    def latents_of_round(self, mine: int, purpose: str) -> Tensor:
        """This round's draws for a purpose, of which every rank and part gets its own ``mine``."""
        return self.rank_share(self.latents(mine * self.accumulate * self.world, self.stream(purpose)))

    def sample(
        self,
        n: int,
        labels: Tensor | None = None,
        generator: torch.Generator | None = None,
        *,
        only: Tensor | None = None,
    ) -> Tensor:
        """``n`` new samples; labels default to the classes 0, 1, 2, … in turn, or to conditions `in_turn`."""
        z = self.latents(n, generator or torch.Generator().manual_seed(self.seed))
        if labels is None and self.classes:
            labels = torch.arange(n) % self.classes
        if labels is None and self.conditions:
            labels = in_turn(self.conditions, n)
        if only is not None:
            z, labels = z[only], None if labels is None else labels[only]
        return self.decode(z, labels)
