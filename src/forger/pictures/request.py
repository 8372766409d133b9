"""The options of a picture."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from forger.randomness import generator

#: How many samples are in a picture where that is not the run's ``samples.n``.
COUNTS = {"walk": 60, "latent-map": 400, "neighbours": 20, "denoising": 10, "mixing": 36, "directions": 56}


@dataclass(frozen=True)
class Request:
    """Options of a picture; a picture ignores options that it does not need.

    Args:
        n: how many samples (or steps, or tiles).
        seed: of the latents.
        labels: classes to ask for; None for all in turn.
        conditions: numbers by name, as `forger.data.conditions.asked` reads them; what is missing is drawn.
        truncation: factor on the latents, or on what their styles are from the mean; 1 for none.
        given: latents (n, latent) and the labels (n,) or (n, k) that go with them, instead of drawn ones.
    """

    n: int = 100
    seed: int = 0
    labels: tuple[int, ...] | None = None
    conditions: tuple[Mapping[str, float], ...] = ()
    truncation: float = 1.0
    given: tuple[Tensor, Tensor | None] | None = None

    def stream(self) -> torch.Generator:
        """The latents' random stream: the same seed draws the same latents through training."""
        return generator(self.seed, "samples")
