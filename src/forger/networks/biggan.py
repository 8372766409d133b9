"""BigGAN (Brock et al. 2019, appendix B): class-conditional residual networks under spectral normalisation.

For any height and width that `forger.sizes.halvings` takes. Both start at orthogonal weights.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from forger.networks import resnet
from forger.networks.blocks import (
    Classes,
    Condition,
    Count,
    SelfAttention,
    Size,
    label_embedding,
    spectral,
    widths,
)
from forger.networks.resnet import Attention, check_attention
from forger.sizes import halvings


class Generator(nn.Module):
    """z (N, latent), labels (N,) to images (N, channels, height, width) in [-1, 1].

    z is hierarchical: cut into a part for the first layer and an equal one for each block, which sets gains and shifts
    of its batch norms together with the class's vector, shared by all blocks. `attention` is the height of the feature
    maps that get self-attention, 0 for none. The embedding alone is free of spectral normalisation, as the authors' is.

    Raises:
        ValueError: a size or an attention that does not fit, or fewer coordinates of z than parts.
    """

    def __init__(
        self,
        latent: Count,
        size: Size,
        channels: Count,
        width: Count = 64,
        classes: Classes = 0,
        attention: Attention = 0,
        embedding: Count = 128,
        max_width: Count = 512,
    ):
        super().__init__()
        base, count = halvings(size)
        steps = widths(width, count, max_width)[::-1]
        part = latent // (count + 1)
        if not part:
            raise ValueError(
                f"latent={latent}: must be at least {count + 1}, one number for the first layer and each block"
            )
        self.parts = [latent - count * part, *count * [part]]
        self.top = (steps[0], *base)
        self.embedding = label_embedding(classes, embedding)
        condition = part + (embedding if classes else 0)
        self.project = nn.Linear(self.parts[0], math.prod(self.top))
        heights = [base[0] << i for i in range(1, count + 1)]
        pairs = pairwise([steps[0], *steps])
        self.blocks = nn.ModuleList(UpBlock(a, b, condition) for a, b in pairs)
        places = zip(steps, heights, strict=True)
        self.attention = nn.ModuleList(SelfAttention(b) if h == attention else nn.Identity() for b, h in places)
        check_attention(attention, heights)
        self.output = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, channels, 3, padding=1))
        _orthogonal(self)
        for part_of_it in (self.project, self.blocks, self.attention, self.output):
            spectral(part_of_it)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        first, *others = z.split(self.parts, dim=1)
        x = self.project(first).reshape(-1, *self.top)
        told = []
        if self.embedding is not None:
            assert labels is not None, "a conditional network needs labels"
            told = [self.embedding(labels)]
        for block, attention, own in zip(self.blocks, self.attention, others, strict=True):
            x = attention(block(x, torch.cat([*told, own], dim=1)))
        return torch.tanh(self.output(x))


class Discriminator(resnet.Discriminator):
    """SNGAN's with projection, as BigGAN's, from orthogonal weights: images and labels (N,) to logits (N,).

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
        attention: Attention = 0,
        minibatch_std: bool = False,
        embedding: Count = 16,
        max_width: Count = 512,
    ):
        options = (attention, minibatch_std, embedding, max_width)
        super().__init__(size, channels, width, classes, condition, "none", *options)
        _orthogonal(self)
        spectral(self)


class UpBlock(nn.Module):
    """norm-ReLU-up-conv-norm-ReLU-conv beside up-conv 1×1, with conditional norms: twice the height."""

    def __init__(self, inputs: int, outputs: int, condition: int):
        super().__init__()
        self.norms = nn.ModuleList([ConditionalNorm(inputs, condition), ConditionalNorm(outputs, condition)])
        self.convs = nn.ModuleList([nn.Conv2d(a, outputs, 3, padding=1) for a in (inputs, outputs)])
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        inner = F.interpolate(F.relu(self.norms[0](x, condition)), scale_factor=2)
        inner = F.relu(self.norms[1](self.convs[0](inner), condition))
        # a 1×1 convolution commutes with nearest-neighbour enlargement, and costs a quarter before it
        return self.convs[1](inner) + F.interpolate(self.shortcut(x), scale_factor=2)


class ConditionalNorm(nn.Module):
    """Batch norm whose gain, about 1, and shift, about 0, are linear in a condition (N, k): (N, c, h, w) to the same.

    de Vries et al. 2017, with the shared condition of Brock et al. 2019, section 3.
    """

    def __init__(self, channels: int, condition: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Linear(condition, channels, bias=False)
        self.shift = nn.Linear(condition, channels, bias=False)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        gain, shift = self.gain(condition)[:, :, None, None], self.shift(condition)[:, :, None, None]
        return self.norm(x) * (1 + gain) + shift


def _orthogonal(network: nn.Module) -> None:
    """Saxe et al. 2014: orthogonal filters of length 1 in all layers and embeddings, biases 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            nn.init.orthogonal_(module.weight)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)  # pyright: ignore[reportArgumentType]
