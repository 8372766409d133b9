"""SNGAN's residual networks (Miyato et al. 2018, appendix B.4), with SAGAN's self-attention by choice.

For any height and width that `forger.sizes.halvings` takes.
"""

import math
from itertools import pairwise
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor, nn

from forger.networks.blocks import (
    Classes,
    Condition,
    Count,
    DiscriminatorNorm,
    MinibatchStd,
    Norm,
    Projection,
    SelfAttention,
    Size,
    label_embedding,
    norms,
    spectral,
    widths,
    with_label,
)
from forger.sizes import halvings

Attention = Annotated[int, Ge(0)]


class Generator(nn.Module):
    """SNGAN's generator: z (N, latent), labels (N,) to images (N, channels, height, width) in [-1, 1].

    With classes, the embedded label is appended to z. `attention` is the height of the feature maps that get
    self-attention, 0 for none.

    Raises:
        ValueError: a size or an attention that does not fit.
    """

    def __init__(
        self,
        latent: Count,
        size: Size,
        channels: Count,
        width: Count = 64,
        classes: Classes = 0,
        norm: Norm = "batch",
        attention: Attention = 0,
        embedding: Count = 16,
        max_width: Count = 512,
    ):
        super().__init__()
        base, count = halvings(size)
        steps = widths(width, count, max_width)[::-1]
        self.top = (steps[0], *base)
        self.embedding = label_embedding(classes, embedding)
        self.project = nn.Linear(latent + (embedding if classes else 0), math.prod(self.top))
        heights = [base[0] << i for i in range(1, count + 1)]
        self.blocks = nn.Sequential()
        for height, (a, b) in zip(heights, pairwise([steps[0], *steps]), strict=True):
            self.blocks.append(UpBlock(a, b, norm))
            if height == attention:
                self.blocks.append(SelfAttention(b))
        check_attention(attention, heights)
        self.output = nn.Sequential(*norms(norm, width), nn.ReLU(), nn.Conv2d(width, channels, 3, padding=1))
        _initialize(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.project(with_label(z, labels, self.embedding)).reshape(-1, *self.top)
        return torch.tanh(self.output(self.blocks(x)))


class Discriminator(nn.Module):
    """SNGAN's discriminator: images (N, channels, height, width), labels (N,) to logits (N,).

    With classes, `condition="projection"` adds <embed(y), φ(x)>, φ the features summed over places (Miyato &
    Koyama 2018); "embedding" appends the label's embedding to the image as constant channels. `attention` as
    in the generator.

    Raises:
        ValueError: a size or an attention that does not fit.
    """

    def __init__(
        self,
        size: Size,
        channels: Count,
        width: Count = 64,
        classes: Classes = 0,
        condition: Condition = "projection",
        norm: DiscriminatorNorm = "spectral",
        attention: Attention = 0,
        minibatch_std: bool = False,
        embedding: Count = 16,
        max_width: Count = 512,
    ):
        super().__init__()
        (base, _), count = halvings(size)
        steps = widths(width, count, max_width)
        embedded = bool(classes) and condition == "embedding"
        self.embedding = label_embedding(classes, embedding) if embedded else None
        heights = [base << i for i in range(count - 1, -1, -1)]
        self.blocks = nn.Sequential()
        pairs = pairwise([channels + (embedding if embedded else 0), *steps])
        for i, (height, (a, b)) in enumerate(zip(heights, pairs, strict=True)):
            self.blocks.append(DownBlock(a, b, norm, first=i == 0))
            if height == attention:
                self.blocks.append(SelfAttention(b))
        check_attention(attention, heights)
        self.blocks.append(DownBlock(steps[-1], steps[-1], norm, down=False))
        if minibatch_std:
            self.blocks.append(MinibatchStd())
        features = steps[-1] + minibatch_std
        self.output = nn.Linear(features, 1)
        projected = bool(classes) and condition == "projection"
        self.projection = Projection(classes, features) if projected else None
        _initialize(self)
        if norm == "spectral":
            spectral(self)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        features = F.relu(self.blocks(with_label(x, labels, self.embedding))).sum((2, 3))
        logits = self.output(features).squeeze(1)
        return logits if self.projection is None else logits + self.projection(features, labels)


class UpBlock(nn.Module):
    """norm-ReLU-up-conv-norm-ReLU-conv beside up-conv 1×1: twice the height."""

    def __init__(self, inputs: int, outputs: int, norm: Norm):
        super().__init__()
        bias = norm == "none"
        self.residual = nn.Sequential(
            *norms(norm, inputs),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias),
            *norms(norm, outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        # a 1×1 convolution commutes with nearest-neighbour enlargement, and costs a quarter before it
        return self.residual(x) + F.interpolate(self.shortcut(x), scale_factor=2)


class DownBlock(nn.Module):
    """norm-ReLU-conv-norm-ReLU-conv-pool beside conv 1×1-pool; the first one starts at its convolution."""

    def __init__(self, inputs: int, outputs: int, norm: DiscriminatorNorm, first: bool = False, down: bool = True):
        super().__init__()
        middle = norms(norm, outputs)
        self.residual = nn.Sequential(
            *([] if first else [*norms(norm, inputs), nn.ReLU()]),
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=not middle),
            *middle,
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if down else nn.Identity()
        self.pool = nn.AvgPool2d(2) if down else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        # as above: the 1×1 convolution commutes with pooling, and costs a quarter after it
        return self.pool(self.residual(x)) + self.shortcut(self.pool(x))


def _initialize(network: nn.Module) -> None:
    """SNGAN: Xavier's uniform, with gain √2 inside residual branches; biases 0."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight, math.sqrt(2) if "residual" in name else 1)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def check_attention(attention: int, heights: list[int]) -> None:
    """Refuse self-attention at maps of a height that there is none of.

    Raises:
        ValueError: the heights that there are.
    """
    if attention and attention not in heights:
        names = ", ".join(str(height) for height in sorted(heights))
        raise ValueError(f"attention={attention}: this network has feature maps of height {names} (0: none)")
