"""Networks of flow matching and diffusion: (x, noise, labels, told) to values of the shape of x.

`noise` (N,) says how much noise there is in each sample, as the process has it: a number of about the size of 1. Labels
(N,) or (N, k) may be left out, or masked by `told`, bool (N,): then the network answers for all of them together.
"""

import math
from itertools import pairwise
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from forger.networks.blocks import Classes, Count, Size, label_embedding, widths
from forger.networks.mlp import FourierFeatures
from forger.sizes import sides

Dropout = Annotated[float, Ge(0), Lt(1)]


class MLP(nn.Module):
    """Fully connected, for points (shape [d]) and small pictures: `depth` residual blocks of `width`.

    `fourier` > 0 appends that many random Fourier features of x, of `fourier_scale` cycles per unit, as in
    `forger.networks.mlp.Discriminator`.
    """

    def __init__(
        self,
        shape: list[Count],
        width: Count = 256,
        depth: Count = 3,
        classes: Classes = 0,
        dropout: Dropout = 0.0,
        fourier: Annotated[int, Ge(0)] = 0,
        fourier_scale: Annotated[float, Gt(0)] = 1.0,
    ):
        super().__init__()
        self.shape = tuple(shape)
        self.condition = NoiseAndLabel(width, classes)
        inputs = math.prod(shape)
        self.fourier = FourierFeatures(inputs, fourier, fourier_scale) if fourier else nn.Identity()
        self.input = nn.Linear(inputs + 2 * fourier, width)
        self.blocks = nn.ModuleList([DenseBlock(width, dropout) for _ in range(depth)])
        self.output = nn.Sequential(nn.LayerNorm(width), _zero(nn.Linear(width, math.prod(shape))))

    def forward(self, x: Tensor, noise: Tensor, labels: Tensor | None = None, told: Tensor | None = None) -> Tensor:
        condition, hidden = self.condition(noise, labels, told), self.input(self.fourier(x.flatten(1)))
        for block in self.blocks:
            hidden = block(hidden, condition)
        return self.output(hidden).unflatten(1, self.shape)


class UNet(nn.Module):
    """A small U-Net (Ronneberger et al. 2015; Ho et al. 2020) for pictures of any height and width.

    The picture is cut into squares of `patch` pixels a side, whose pixels become channels: 1 keeps all places, 2 a
    quarter of them. On the way down there are `levels` resolutions, each half of the one before (rounded up), of
    `width` channels, doubled at each level up to `max_width`, with `blocks` residual blocks each; as many on the way
    up, where what the way down had at a level is added.
    """

    def __init__(
        self,
        size: Size,
        channels: Count,
        width: Count = 32,
        levels: Count = 3,
        blocks: Count = 1,
        patch: Count = 1,
        classes: Classes = 0,
        dropout: Dropout = 0.0,
        max_width: Count = 256,
    ):
        super().__init__()
        self.shape = (channels, *sides(size))
        self.patch = patch
        steps = widths(width, levels, max_width)
        self.condition = NoiseAndLabel(4 * width, classes)
        self.input = nn.Conv2d(channels * patch**2, width, 3, padding=1)
        self.output = nn.Sequential(
            nn.GroupNorm(_groups(width), width), nn.SiLU(), _zero(nn.Conv2d(width, channels * patch**2, 3, padding=1))
        )

        def stage(channels: int) -> nn.ModuleList:
            return nn.ModuleList([ConvBlock(channels, 4 * width, dropout) for _ in range(blocks)])

        self.down, self.up = nn.ModuleList(map(stage, steps)), nn.ModuleList(map(stage, steps))
        self.shrink = nn.ModuleList([nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(steps)])
        self.enlarge = nn.ModuleList([nn.Conv2d(b, a, 1) for a, b in pairwise(steps)])

    def forward(self, x: Tensor, noise: Tensor, labels: Tensor | None = None, told: Tensor | None = None) -> Tensor:
        condition = self.condition(noise, labels, told)
        height, width = self.shape[1:]
        hidden = F.pad(x, (0, -width % self.patch, 0, -height % self.patch))
        hidden, met = self.input(F.pixel_unshuffle(hidden, self.patch)), []
        for level, stage in enumerate(self.down):
            hidden = _through(stage, self.shrink[level - 1](hidden) if level else hidden, condition)
            met.append(hidden)
        for level in reversed(range(len(met))):
            if level < len(met) - 1:
                # a 1×1 convolution commutes with nearest-neighbour enlargement, and costs a quarter before it
                hidden = met[level] + F.interpolate(self.enlarge[level](hidden), size=met[level].shape[2:])
            hidden = _through(self.up[level], hidden, condition)
        return F.pixel_shuffle(self.output(hidden), self.patch)[..., :height, :width]


class NoiseAndLabel(nn.Module):
    """What a network is told beside x: the amount of noise and, if any, the label, as one vector (N, width)."""

    frequencies: Tensor

    def __init__(self, width: int, classes: Classes):
        super().__init__()
        # cycles per unit, from slopes over the whole range to narrow parts of it
        self.register_buffer("frequencies", torch.logspace(-3, 4, 16, base=2), persistent=False)
        self.layers = nn.Sequential(nn.Linear(2 * 16, width), nn.SiLU(), nn.Linear(width, width))
        self.embedding = label_embedding(classes, width)

    def forward(self, noise: Tensor, labels: Tensor | None, told: Tensor | None) -> Tensor:
        phase = 2 * math.pi * noise[:, None] * self.frequencies
        found = self.layers(torch.cat([phase.cos(), phase.sin()], 1))
        if self.embedding is not None and labels is not None:
            label = self.embedding(labels)
            found = found + (label if told is None else label * told[:, None])
        return F.silu(found)


class DenseBlock(nn.Module):
    """x + W₂ SiLU(W₁ norm(x) + W₀ c): (N, width) and what the network is told c to the same."""

    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, width)
        self.told = nn.Linear(width, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.second = _zero(nn.Linear(width, width))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        hidden = F.silu(self.first(self.norm(x)) + self.told(condition))
        return x + self.second(self.dropout(hidden))


class ConvBlock(nn.Module):
    """norm-SiLU-conv, norm-scale-shift-SiLU-dropout-conv, added to the input; scale and shift by what it is told."""

    def __init__(self, channels: int, told: int, dropout: float):
        super().__init__()
        self.norms = nn.ModuleList([nn.GroupNorm(_groups(channels), channels) for _ in range(2)])
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.told = nn.Linear(told, 2 * channels)
        self.dropout = nn.Dropout(dropout)
        self.second = _zero(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.told(condition)[:, :, None, None].chunk(2, 1)
        hidden = self.norms[1](self.first(F.silu(self.norms[0](x))))
        return x + self.second(self.dropout(F.silu(hidden * (1 + scale) + shift)))


def _through(blocks: nn.Module, x: Tensor, condition: Tensor) -> Tensor:
    for block in blocks.children():
        x = block(x, condition)
    return x


def _groups(channels: int) -> int:
    """Groups of a group norm, of eight channels or more where that divides them."""
    return math.gcd(channels, max(channels // 8, 1))


def _zero(layer: nn.Linear | nn.Conv2d) -> nn.Module:
    """A layer that begins at 0, so that a block begins as the identity."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
