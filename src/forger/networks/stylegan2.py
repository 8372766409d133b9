"""StyleGAN2 (Karras et al. 2020, sections 2 to 4), for any height and width that `forger.sizes.halvings` takes.

As published: a mapping of z to w, convolutions that w modulates and that are demodulated, noise, skip connections in G
and residual ones in D (or either in both), resampling by the filter [1, 3, 3, 1], equalised learning rates, deviation
of the minibatch. Channels double at each halving of the image, up to `max_width`; the paper's networks have width 64 at
256×256.
"""

import math
from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le, Lt
from torch import Tensor, nn

from forger.networks.blocks import Classes, Count, MinibatchStd, Size, Smallest, label_embedding, widths
from forger.networks.equalized import Conv, Linear, normalized
from forger.networks.modulated import StyledConv, ToImage
from forger.networks.resampling import Blur, Enlarge, Shrink
from forger.sizes import halvings, sides

Architecture = Literal["skip", "residual"]
_HALF = math.sqrt(0.5)


class Generator(nn.Module):
    """z (N, latent) from N(0, 1) and labels (N,) to images (N, channels, height, width), not bounded to [-1, 1].

    In place of z it takes styles (N, layers, style), whose labels have gone into them. In training, noise and the
    styles that are mixed in are drawn from torch's stream; in evaluation noise is fixed, the same for all images.

    Args:
        style: dimension of w.
        depth: layers of the mapping, which learn at a hundredth of the rate.
        architecture: sums of images at each size ("skip"), or of features ("residual").
        mixing: share of training images whose styles come from a second latent, from a random layer on.
        decay: of the moving average of w, per batch, towards which truncation goes.

    Raises:
        ValueError: a size that does not fit.
    """

    mean: Tensor

    def __init__(
        self,
        latent: Count,
        size: Size,
        channels: Count,
        width: Count = 64,
        style: Count = 512,
        depth: Count = 8,
        classes: Classes = 0,
        architecture: Architecture = "skip",
        mixing: Annotated[float, Ge(0), Le(1)] = 0.9,
        decay: Annotated[float, Ge(0), Lt(1)] = 0.995,
        max_width: Count = 512,
        smallest: Smallest = 4,
    ):
        super().__init__()
        base, count = halvings(size, smallest)
        steps = widths(width, count + 1, max_width)[::-1]
        high, wide = sides(size)
        self.mapping = Mapping(latent, style, depth, classes)
        self.register_buffer("mean", torch.zeros(style))
        self.image = nn.Parameter(torch.randn(steps[0], *base))
        self.first = StyledConv(steps[0], steps[0], style, base)
        self.stages = nn.ModuleList()
        skip = architecture == "skip"
        for (a, b), halved in zip(pairwise(steps), range(count - 1, -1, -1), strict=True):
            self.stages.append(Stage(a, b, style, channels, (high >> halved, wide >> halved), skip))
        self.begin = ToImage(steps[0], channels, style) if skip else None
        self.output = None if skip else ToImage(steps[-1], channels, style)
        self.layers = 2 * count + 2
        self.style_shape = self.layers, style
        self.mixing, self.decay = mixing, decay

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        styles = z if z.ndim == 3 else self.training_styles(z, labels) if self.training else self.styles(z, labels)
        x = self.first(self.image.expand(len(styles), -1, -1, -1), styles[:, 0])
        images = None if self.begin is None else self.begin(x, styles[:, 1])
        for number, stage in enumerate(self.stages):
            x, images = stage(x, images, styles[:, 2 * number + 1 : 2 * number + 4])
        if self.output is not None:
            return self.output(x, styles[:, -1])
        assert images is not None
        return images

    def styles(self, z: Tensor, labels: Tensor | None = None, truncation: float = 1.0) -> Tensor:
        """Of z (N, latent) the styles (N, layers, style), all alike, each `truncation` times as far from the mean of w.

        Of styles (N, layers, style) the same, drawn to the mean.
        """
        styles = z if z.ndim == 3 else self.mapping(z, labels)[:, None].expand(-1, self.layers, -1)
        return styles if truncation == 1 else torch.lerp(self.mean.expand_as(styles), styles, truncation)

    def training_styles(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Styles with others mixed in; the mean of w follows."""
        w = self.mapping(z, labels)
        with torch.no_grad():
            self.mean.lerp_(w.detach().mean(0).to(self.mean.dtype), 1 - self.decay)
        if not self.mixing:
            return w[:, None].expand(-1, self.layers, -1)
        others = self.mapping(torch.randn_like(z), labels)
        from_layer = torch.randint(1, self.layers, (len(z), 1), device=z.device)
        mixed = torch.rand(len(z), 1, device=z.device) < self.mixing
        foreign = mixed & (torch.arange(self.layers, device=z.device) >= from_layer)
        return torch.where(foreign[:, :, None], others[:, None], w[:, None])

    def affine(self) -> Tensor:
        """Weights (channels, style) of all layers that w passes first, one below the other."""
        layers = (module.style for module in self.modules() if isinstance(module, StyledConv | ToImage))
        return torch.cat([layer.scaled_weight() for layer in layers])


class Discriminator(nn.Module):
    """Images (N, channels, height, width), labels (N,) to logits (N,).

    With classes the logit is the product of the last features with a mapping of the label (Miyato & Koyama 2018), of
    `depth` layers.

    Raises:
        ValueError: a size that does not fit.
    """

    def __init__(
        self,
        size: Size,
        channels: Count,
        width: Count = 64,
        classes: Classes = 0,
        depth: Count = 8,
        architecture: Architecture = "residual",
        minibatch_std: bool = True,
        max_width: Count = 512,
        smallest: Smallest = 4,
    ):
        super().__init__()
        base, count = halvings(size, smallest)
        steps, (high, wide) = widths(width, count + 1, max_width), sides(size)
        self.residual = architecture == "residual"
        inputs = steps[:1] if self.residual else steps
        self.inputs = nn.ModuleList([Conv(channels, each, activated=True) for each in inputs])
        self.shrink = Shrink()
        self.blocks = nn.ModuleList(
            [Block(a, b, (high >> i, wide >> i), self.residual) for i, (a, b) in enumerate(pairwise(steps))]
        )
        last = steps[-1]
        self.last = nn.Sequential(
            *([MinibatchStd()] if minibatch_std else []),
            *(Conv(last + minibatch_std, last, 3, activated=True), nn.Flatten()),
            Linear(last * math.prod(base), last, activated=True),
        )
        self.output = Linear(last, last if classes else 1)
        self.mapping = Mapping(0, last, depth, classes) if classes else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        images, x = x, self.inputs[0](x)
        for number, block in enumerate(self.blocks, 1):
            x = block(x)
            if not self.residual:
                images = self.shrink(images)
                x = x + self.inputs[number](images)
        found = self.output(self.last(x))
        if self.mapping is None:
            return found.squeeze(1)
        return (found * self.mapping(None, labels)).sum(1) / math.sqrt(found.shape[1])


class Mapping(nn.Module):
    """z (N, latent), of mean square 1, and the embedded label, likewise, to w (N, outputs) by `depth` layers."""

    def __init__(self, latent: int, outputs: int, depth: int, classes: Classes = 0):
        super().__init__()
        self.embedding = label_embedding(classes, outputs)
        inputs = [latent + (0 if self.embedding is None else outputs), *[outputs] * depth]
        self.blocks = nn.Sequential(*[Linear(a, b, activated=True, rate=0.01) for a, b in pairwise(inputs)])

    def forward(self, z: Tensor | None, labels: Tensor | None = None) -> Tensor:
        parts = [] if z is None else [normalized(z)]
        if self.embedding is not None:
            assert labels is not None, "a conditional network needs labels"
            parts.append(normalized(self.embedding(labels)))
        return self.blocks(torch.cat(parts, 1))


class Stage(nn.Module):
    """Features (N, inputs, …) and images, by styles (N, 3, style), to features (N, outputs, *size) and images.

    Where `skip`, its own image is added to the enlarged one; else its features are to the enlarged ones.
    """

    def __init__(self, inputs: int, outputs: int, style: int, channels: int, size: tuple[int, int], skip: bool):
        super().__init__()
        self.first = StyledConv(inputs, outputs, style, size, enlarged=True)
        self.second = StyledConv(outputs, outputs, style, size)
        self.enlarge = Enlarge(size)
        self.shortcut = None if skip else Conv(inputs, outputs, bias=False)
        self.image = ToImage(outputs, channels, style) if skip else None

    def forward(self, x: Tensor, images: Tensor | None, styles: Tensor) -> tuple[Tensor, Tensor | None]:
        y = self.second(self.first(x, styles[:, 0]), styles[:, 1])
        if self.shortcut is not None:
            return _HALF * (y + self.enlarge(self.shortcut(x))), None
        assert images is not None
        assert self.image is not None
        return y, self.enlarge(images) + self.image(y, styles[:, 2])


class Block(nn.Module):
    """D's: two 3×3 convolutions, the second at half the size, beside a 1×1 where `residual`."""

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int], residual: bool):
        super().__init__()
        # 3 pixels at stride 2 for each that is left
        blurred = [side // 2 * 2 + 1 for side in size]
        self.body = nn.Sequential(
            Conv(inputs, inputs, 3, activated=True),
            *(Blur((blurred[0], blurred[1])), Conv(inputs, outputs, 3, activated=True, stride=2)),
        )
        self.shortcut = nn.Sequential(Shrink(), Conv(inputs, outputs, bias=False)) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) if self.shortcut is None else _HALF * (self.body(x) + self.shortcut(x))
