"""DCGAN (Radford et al. 2016), for any height and width that `forger.sizes.halvings` takes.

As in the paper: strided and transposed convolutions (kernel 4, stride 2), no pooling and no fully connected
layers, batch norm except at G's output and D's input, ReLU and Tanh in G, LeakyReLU 0.2 in D, weights from
N(0, 0.02), batch-norm weights from N(1, 0.02). Channels double at each halving of the image, up to
`max_width`; the paper's network is size 64, width 128, max_width 1024. The innermost map is 4 to 7 wide, or
down to `smallest`, which gives small images one more hidden layer.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from forger.networks.blocks import (
    Classes,
    Condition,
    Count,
    DiscriminatorNorm,
    MinibatchStd,
    Norm,
    Projection,
    Size,
    Smallest,
    label_embedding,
    norms,
    spectral,
    widths,
    with_label,
)
from forger.sizes import halvings, sides

#: The same in both directions, or height and width.
Sides = int | tuple[int, int]


class Generator(nn.Module):
    """z (N, latent) and labels (N,) to images (N, channels, height, width) in [-1, 1].

    With classes, the embedded label is appended to z (Mirza & Osindero 2014), in `embedding` dimensions.

    Raises:
        ValueError: a size that does not fit.
    """

    def __init__(
        self,
        latent: Count,
        size: Size,
        channels: Count,
        width: Count = 64,
        classes: Classes = 0,
        norm: Norm = "batch",
        embedding: Count = 16,
        max_width: Count = 512,
        smallest: Smallest = 4,
    ):
        super().__init__()
        base, count = halvings(size, smallest)
        steps = widths(width, count, max_width)[::-1]
        self.embedding = label_embedding(classes, embedding)
        self.project = _up(latent + (embedding if classes else 0), steps[0], norm, base, stride=1, padding=0)
        high, wide = sides(size)
        odd = [(high >> halved & 1, wide >> halved & 1) for halved in range(count - 1, 0, -1)]
        self.blocks = nn.Sequential(*[_up(a, b, norm, odd=o) for (a, b), o in zip(pairwise(steps), odd, strict=True)])
        self.output = nn.ConvTranspose2d(steps[-1], channels, 4, 2, 1)
        initialize(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        z = with_label(z, labels, self.embedding)
        return torch.tanh(self.output(self.blocks(self.project(z[:, :, None, None]))))


class Discriminator(nn.Module):
    """Images (N, channels, height, width) and labels (N,) to logits (N,).

    With classes, `condition="projection"` (Miyato & Koyama 2018) adds <embed(y), φ(x)>, φ the last feature
    maps with their places, so that each class has its own last kernel; "embedding" appends the label's
    embedding to the image as `embedding` constant channels. `norm="spectral"` normalises all weights
    instead of activations.

    Raises:
        ValueError: a size that does not fit.
    """

    def __init__(
        self,
        size: Size,
        channels: Count,
        width: Count = 64,
        classes: Classes = 0,
        condition: Condition = "projection",
        norm: DiscriminatorNorm = "batch",
        minibatch_std: bool = False,
        embedding: Count = 16,
        max_width: Count = 512,
        smallest: Smallest = 4,
    ):
        super().__init__()
        base, count = halvings(size, smallest)
        steps = widths(width, count, max_width)
        embedded = bool(classes) and condition == "embedding"
        self.embedding = label_embedding(classes, embedding) if embedded else None
        self.blocks = nn.Sequential(
            _down(channels + (embedding if embedded else 0), steps[0], "none"),
            *[_down(a, b, norm) for a, b in pairwise(steps)],
        )
        if minibatch_std:
            self.blocks.append(MinibatchStd())
        features = steps[-1] + minibatch_std
        self.output = nn.Conv2d(features, 1, base)
        projected = bool(classes) and condition == "projection"
        self.projection = Projection(classes, features * math.prod(base)) if projected else None
        initialize(self)
        if norm == "spectral":
            spectral(self)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        features = self.blocks(with_label(x, labels, self.embedding))
        logits = self.output(features).reshape(len(x))
        if self.projection is None:
            return logits
        return logits + self.projection(features.flatten(1), labels)


def _up(inputs: int, outputs: int, norm: Norm, kernel: Sides = 4, stride: int = 2, padding: int = 1, odd: Sides = 0):
    conv = nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, odd, bias=norm == "none")
    return nn.Sequential(conv, *norms(norm, outputs), nn.ReLU(inplace=True))


def _down(inputs: int, outputs: int, norm: DiscriminatorNorm):
    layers = norms(norm, outputs)
    conv = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=not layers)
    return nn.Sequential(conv, *layers, nn.LeakyReLU(0.2, inplace=True))


def initialize(network: nn.Module) -> None:
    """Radford et al. 2016, section 4: weights from N(0, 0.02), those of batch norm from N(1, 0.02)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.02)
            nn.init.zeros_(module.bias)
