"""R3GAN (Huang et al. 2024, section 3.4), the modern baseline: for the loss `relativistic` with R1 and R2.

No normalisation anywhere: grouped bottleneck blocks, Fixup initialisation, bilinear resampling, one learned
base image. For any height and width that `forger.sizes.halvings` takes. The innermost map is 4 to 7 wide, or down to
`smallest`: where it is 7, a halving more lets the networks see the whole picture.

`published` is the authors' architecture (brownvc/R3GAN) to the last parameter: resampling by the filter [1, 3, 3, 1]
with zeros beyond the edges, no 1×1 convolution where the width stays, no bias at the end of D, which with classes gives
a vector whose product with the label's is the logit, and small embeddings at the start. Without it: edges repeated in G
and 2×2 means in D, a convolution at every change of size, a bias, and a projection beside the logit.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from forger.networks.blocks import Classes, Count, Projection, Size, Smallest, label_embedding, widths, with_label
from forger.networks.resampling import Enlarge, Shrink
from forger.sizes import halvings, sides


class Generator(nn.Module):
    """z (N, latent), labels (N,) to images (N, channels, height, width) in [-1, 1].

    A learned image of base size, each channel scaled by a linear function of z (and of the embedded label),
    then `blocks` residual blocks at each resolution, with `group` channels a group. The paper has no `tanh` at the
    end, so that images may leave [-1, 1].

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
        blocks: Count = 2,
        embedding: Count = 16,
        max_width: Count = 512,
        smallest: Smallest = 4,
        group: Count = 16,
        tanh: bool = True,
        published: bool = False,
    ):
        super().__init__()
        base, count = halvings(size, smallest)
        steps = widths(width, count + 1, max_width)[::-1]
        self.embedding = label_embedding(classes, embedding)
        self.image = nn.Parameter(torch.randn(steps[0], *base))
        self.project = nn.Linear(latent + (embedding if classes else 0), steps[0], bias=False)
        total = blocks * len(steps)
        self.stages = nn.Sequential(_stage(steps[0], blocks, total, group))
        high, wide = sides(size)
        for (a, b), halved in zip(pairwise(steps), range(count - 1, -1, -1), strict=True):
            target = high >> halved, wide >> halved
            plain = nn.Upsample(target, mode="bilinear", align_corners=False)
            up = [*_changed(a, b, published), Enlarge(target) if published else plain]
            self.stages.append(nn.Sequential(*up, _stage(b, blocks, total, group)))
        self.output = _conv1(width, channels)
        self.tanh = tanh
        _he(self.project, gain=1)
        if published and self.embedding is not None:
            nn.init.normal_(self.embedding.weight, 0, len(self.embedding.weight) ** -0.5)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        scale = self.project(with_label(z, labels, self.embedding))[:, :, None, None]
        images = self.output(self.stages(self.image * scale))
        return torch.tanh(images) if self.tanh else images


class Discriminator(nn.Module):
    """Images (N, channels, height, width), labels (N,) to logits (N,): the generator mirrored.

    With classes, a projection (Miyato & Koyama 2018) on the last features.

    Raises:
        ValueError: a size that does not fit.
    """

    def __init__(
        self,
        size: Size,
        channels: Count,
        width: Count = 64,
        classes: Classes = 0,
        blocks: Count = 2,
        max_width: Count = 512,
        smallest: Smallest = 4,
        group: Count = 16,
        published: bool = False,
    ):
        super().__init__()
        base, count = halvings(size, smallest)
        steps = widths(width, count + 1, max_width)
        total = blocks * len(steps)
        self.input = _conv1(channels, steps[0])
        self.stages = nn.Sequential()
        for a, b in pairwise(steps):
            # the mean of 2×2 pixels is bilinear interpolation at half the size
            pool = Shrink() if published else nn.AvgPool2d(2)
            self.stages.append(nn.Sequential(_stage(a, blocks, total, group), pool, *_changed(a, b, published)))
        self.stages.append(_stage(steps[-1], blocks, total, group))
        self.image = nn.Parameter(torch.randn(steps[-1], *base) / math.sqrt(math.prod(base)))
        self.published = published
        self.output = nn.Linear(steps[-1], steps[-1] if published and classes else 1, bias=not published)
        self.projection = Projection(classes, steps[-1]) if classes else None
        _he(self.output, gain=1)
        if published and self.projection is not None:
            weight = self.projection.embedding.weight
            nn.init.normal_(weight, 0, weight.numel() ** -0.5)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        # the paper's depthwise convolution over the whole map, written as the inner products that it is
        features = (self.stages(self.input(x)) * self.image).sum((2, 3))
        found = self.output(features)
        if self.projection is None:
            return found.squeeze(1)
        if self.published:
            return self.projection(found, labels)
        return found.squeeze(1) + self.projection(features, labels)


class Block(nn.Module):
    """1×1 to twice the channels, grouped 3×3 (`group` channels a group), 1×1 back, added to the input.

    Fixup (Zhang et al. 2019): the last convolution starts at 0, the others at He's deviation times
    total^(-1/4), for `total` blocks in the network, so that updates do not grow with depth.
    """

    def __init__(self, channels: int, total: int, group: int = 16):
        super().__init__()
        inner = 2 * channels
        groups = math.gcd(inner, max(inner // group, 1))
        self.expand = nn.Conv2d(channels, inner, 1)
        self.mix = nn.Conv2d(inner, inner, 3, padding=1, groups=groups)
        self.reduce = nn.Conv2d(inner, channels, 1, bias=False)
        gain = math.sqrt(2 / (1 + 0.2**2)) * total**-0.25
        _he(self.expand, gain)
        _he(self.mix, gain)
        nn.init.zeros_(self.reduce.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.reduce(F.leaky_relu(self.mix(F.leaky_relu(self.expand(x), 0.2)), 0.2))


def _changed(inputs: int, outputs: int, published: bool) -> list[nn.Module]:
    """The convolution that changes the width, which the published networks have only where it does change."""
    return [] if published and inputs == outputs else [_conv1(inputs, outputs)]


def _stage(channels: int, blocks: int, total: int, group: int) -> nn.Sequential:
    return nn.Sequential(*[Block(channels, total, group) for _ in range(blocks)])


def _conv1(inputs: int, outputs: int) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, 1, bias=False)
    _he(conv, gain=1)
    return conv


def _he(module: nn.Conv2d | nn.Linear, gain: float) -> None:
    """Weights from N(0, gain² / fan-in), biases 0."""
    nn.init.normal_(module.weight, 0, gain / math.sqrt(module.weight[0].numel()))
    if module.bias is not None:
        nn.init.zeros_(module.bias)
