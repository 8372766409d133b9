"""The U-Net of pix2pix (Isola et al. 2017, section 6.1.1)."""

from typing import Annotated

import torch
from annotated_types import Ge, Le, Lt
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu

from forger.networks.blocks import Count, Norm, Size, norms, widths
from forger.sizes import sides

#: Of the paper's eight layers of the way back, the first with dropout.
_WITH_DROPOUT = 3


class Generator(nn.Module):
    """U-Net: images (N, channels, h, w) in [-1, 1] to images (N, out_channels, h, w) in [-1, 1].

    `depth` 4×4 convolutions of stride 2 (LeakyReLU 0.2) and as many transposed ones back (ReLU, Tanh at the end), of
    which each but the first sees the features of its size on the way in as well. The outermost and the innermost have
    no normalisation; the first three of the way back have dropout, the only noise there is. The paper has width 64 and
    depth 8 at 256×256, down to a single place. A side that is odd loses its last place on the way in, which the way
    back fills again (output padding).

    Args:
        channels: of the input.
        size: of the images: a side, or height and width.
        width: channels after the first convolution, doubled by each up to `max_width`.
        depth: by default as many halvings as the shorter side allows, 8 at most.
        dropout: probability.
        norm: of all other layers.
        max_width: most channels.
        out_channels: of the output; `channels` by default.

    Raises:
        ValueError: sides that can't be halved so often, or, without a depth, not once.
    """

    def __init__(
        self,
        channels: Count,
        size: Size,
        width: Count = 64,
        depth: Annotated[int, Ge(1), Le(10)] | None = None,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.5,
        norm: Norm = "instance",
        max_width: Count = 512,
        out_channels: Count | None = None,
    ):
        super().__init__()
        height, breadth = sides(size)
        possible = min(height, breadth).bit_length() - 1
        depth = min(possible, 8) if depth is None else depth
        if not 1 <= depth <= possible:
            raise ValueError(
                f"images of {height}x{breadth} can be halved {possible} times, and a U-Net of depth {max(depth, 1)} "
                "halves them as often; take larger ones, or lower `depth`"
            )
        features = widths(width, depth, max_width)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for i, (inputs, outputs) in enumerate(zip([channels, *features], features, strict=False)):
            layers = norms(norm, outputs) if 0 < i < depth - 1 else []
            self.down.append(nn.Sequential(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=not layers), *layers))
        for i in reversed(range(depth)):
            inputs = features[i] * (1 if i == depth - 1 else 2)
            outputs = features[i - 1] if i else out_channels or channels
            layers = norms(norm, outputs) if i else []
            odd = (height >> i) % 2, (breadth >> i) % 2
            conv = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, output_padding=odd, bias=not layers)
            noisy = i and i >= depth - _WITH_DROPOUT and dropout
            self.up.append(nn.Sequential(conv, *layers, *([nn.Dropout(dropout)] if noisy else [])))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, 0, 0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        skips: list[Tensor] = []
        for down in self.down:
            x = down(leaky_relu(x, 0.2) if skips else x)
            skips.append(x)
        x = skips.pop()
        for up in self.up:
            x = up(relu(x))
            if skips:
                x = torch.cat([x, skips.pop()], dim=1)
        return torch.tanh(x)
