"""A translation network for domains that differ in where things are."""

import math
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from torch import Tensor, nn

from forger.networks.blocks import Count
from forger.sizes import sides

Side = Annotated[int, Ge(2), Le(64)]
Size = Side | Annotated[list[Side], MinLen(2), MaxLen(2)]


class Generator(nn.Module):
    """Images (N, channels, height, width) in [-1, 1]: pixels are moved, then repainted by two convolutions.

    Every pixel of the output is a weighted mean of all pixels of the input, with learned weights that are the same for
    all images and channels: attention (Bahdanau et al. 2015) by position alone. So it can turn, mirror or shuffle a
    picture, which convolutions can't, but not replace its content, as dense layers can. Its weights are the square of
    the pixels; `sharpness` scales their logits, and with it how fast they become 0 or 1. The convolutions are residual
    and start at 0; the output is not bounded: clamp it where it is shown.
    """

    def __init__(
        self,
        channels: Count,
        size: Size,
        width: Count = 16,
        sharpness: Annotated[float, Gt(0)] = 10.0,
    ):
        super().__init__()
        self.size = sides(size)
        self.sharpness = sharpness
        # nearly equal weights, different enough for the two ways not to be each other's
        self.places = nn.Parameter(torch.randn(*2 * [math.prod(self.size)]) * 0.1 / sharpness)
        self.paint = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, channels, 3, padding=1)
        )
        last = self.paint[-1]
        for parameter in last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        if x.shape[2:] != self.size:
            raise ValueError(
                f"images of {x.shape[2]}x{x.shape[3]} do not fit a rearranging network of "
                f"{self.size[0]}x{self.size[1]}: it learns every place of one size"
            )
        weights = torch.softmax(self.sharpness * self.places, dim=1)
        moved = (x.flatten(2) @ weights.T).reshape(x.shape)
        return moved + self.paint(moved)
