"""Networks of VQ-VAE (van den Oord et al. 2017): an autoencoder with a codebook, and a prior over its codes."""

from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import one_hot

from forger.networks.blocks import Count, Size
from forger.sizes import sides


class Autoencoder(nn.Module):
    """Images (N, channels, h, w) to a grid of codes, each one of `codes` vectors of `dimension` numbers, and back.

    `halvings` 4×4 convolutions of stride 2 with ReLU, a residual one of 3×3, and the way back mirrored, with Tanh at
    the end. The vectors of the encoder are normalised over the batch (Łańcucki et al. 2020), so that those of the
    codebook, drawn from N(0, 1), lie among them from the start.

    Raises:
        ValueError: sides that can't be halved so often.
    """

    #: How many places had each code, since unused ones were last moved.
    used: Tensor

    def __init__(
        self,
        size: Size,
        channels: Count,
        codes: Annotated[int, Ge(2)] = 64,
        dimension: Count = 8,
        halvings: Count = 1,
        width: Count = 64,
    ):
        super().__init__()
        height, breadth = sides(size)
        if height % 2**halvings or breadth % 2**halvings:
            raise ValueError(f"images of {height}x{breadth} can't be halved {halvings} times; resize them")
        self.grid = height >> halvings, breadth >> halvings
        steps = [channels, *[width] * halvings]
        down = [nn.Sequential(nn.Conv2d(a, b, 4, 2, 1), nn.ReLU()) for a, b in pairwise(steps)]
        self.encoder = nn.Sequential(*down, Residual(width), nn.Conv2d(width, dimension, 1))
        self.norm = nn.BatchNorm2d(dimension, affine=False)
        self.codebook = nn.Parameter(torch.randn(codes, dimension))
        self.register_buffer("used", torch.zeros(codes))
        up = [nn.Sequential(nn.ConvTranspose2d(width, width, 4, 2, 1), nn.ReLU()) for _ in range(halvings - 1)]
        last = nn.ConvTranspose2d(width, channels, 4, 2, 1)
        self.decoder = nn.Sequential(nn.Conv2d(dimension, width, 1), Residual(width), *up, last, nn.Tanh())

    @property
    def latent(self) -> int:
        """Numbers of all vectors of an image."""
        return self.codebook.shape[1] * self.grid[0] * self.grid[1]

    def encode(self, x: Tensor) -> Tensor:
        """Vectors (N, dimension, *grid) before they are quantised."""
        return self.norm(self.encoder(x))

    def nearest(self, vectors: Tensor) -> Tensor:
        """The index of the nearest of the codebook, int64 (N, places), for vectors (N, dimension, *grid)."""
        flat = vectors.flatten(2).transpose(1, 2)
        distances = (flat.unsqueeze(2) - self.codebook).square().sum(3)
        return distances.argmin(2)

    def embed(self, indices: Tensor) -> Tensor:
        """The codebook's vectors (N, dimension, *grid) of indices (N, places)."""
        return self.codebook[indices].transpose(1, 2).unflatten(2, self.grid)

    def decode(self, vectors: Tensor) -> Tensor:
        """Images in [-1, 1] of vectors (N, dimension, *grid)."""
        return self.decoder(vectors)


class Residual(nn.Module):
    """x + a 3×3 and a 1×1 convolution, with ReLUs before them."""

    def __init__(self, width: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Prior(nn.Module):
    """p(code | codes before it), row by row, by a GRU: indices (N, places) to logits (N, places, codes)."""

    def __init__(self, codes: Annotated[int, Ge(2)], width: Count = 128):
        super().__init__()
        self.codes = codes
        self.memory = nn.GRU(codes, width, batch_first=True)
        self.start = nn.Parameter(torch.zeros(codes))
        self.output = nn.Linear(width, codes)

    def forward(self, indices: Tensor) -> Tensor:
        before = one_hot(indices[:, :-1], self.codes).to(self.start.dtype)
        start = self.start.expand(len(indices), 1, -1)
        return self.output(self.memory(torch.cat([start, before], 1))[0])

    def drawn(self, uniform: Tensor) -> Tensor:
        """Indices (N, places) by inverse cumulative probabilities, of numbers in [0, 1) of the same shape."""
        given, state, places = self.start.expand(len(uniform), 1, -1), None, []
        for column in uniform.unbind(1):
            seen, state = self.memory(given, state)
            below = self.output(seen[:, 0]).double().softmax(1).cumsum(1) <= column[:, None]
            index = below.sum(1).clamp(max=self.codes - 1)
            places.append(index)
            given = one_hot(index, self.codes).to(self.start.dtype)[:, None]
        return torch.stack(places, 1)
