"""Image-to-image networks of CycleGAN (Zhu et al. 2017, section 7.2), for images of any size."""

from typing import Annotated

from annotated_types import Ge
from torch import Tensor, cat, nn, tanh

from forger.networks.blocks import Count, DiscriminatorNorm, Norm, norms, spectral


class Generator(nn.Module):
    """Images (N, channels, h, w) in [-1, 1] to images (N, out_channels, h, w) in [-1, 1].

    7×7 convolution, `downsamplings` strided ones, `blocks` residual blocks, the way back, Tanh; reflection
    padding. The paper has width 64, 2 downsamplings and 9 blocks at 256×256; small pictures want 0 or 1.
    `out_channels` defaults to `channels`.

    Raises:
        ValueError: an image whose sides are not multiples of 2^downsamplings, or below 4 pixels where the blocks are.
    """

    def __init__(
        self,
        channels: Count,
        width: Count = 64,
        blocks: Count = 9,
        downsamplings: Annotated[int, Ge(0)] = 2,
        norm: Norm = "instance",
        out_channels: Count | None = None,
    ):
        super().__init__()
        self.factor = 2**downsamplings
        bias = norm == "none"
        self.input = nn.Sequential(
            ReflectionPad(3), nn.Conv2d(channels, width, 7, bias=bias), *norms(norm, width), nn.ReLU()
        )
        self.down = nn.Sequential()
        self.up = nn.Sequential()
        for i in range(downsamplings):
            a, b = width << i, width << (i + 1)
            down = nn.Conv2d(a, b, 3, 2, 1, bias=bias)
            up = nn.ConvTranspose2d(b, a, 3, 2, 1, output_padding=1, bias=bias)
            self.down.append(nn.Sequential(down, *norms(norm, b), nn.ReLU()))
            self.up.insert(0, nn.Sequential(up, *norms(norm, a), nn.ReLU()))
        self.blocks = nn.Sequential(*[ResidualBlock(width << downsamplings, norm) for _ in range(blocks)])
        self.output = nn.Sequential(ReflectionPad(3), nn.Conv2d(width, out_channels or channels, 7))
        _initialize(self)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        height, width = x.shape[2:]
        if height % self.factor or width % self.factor or min(height, width) < max(4, 2 * self.factor):
            raise ValueError(
                f"images of {height}x{width} do not fit a translation network that halves them "
                f"{self.factor.bit_length() - 1} times: both sides must be multiples of {self.factor} and at "
                f"least {max(4, 2 * self.factor)}; resize them or lower `downsamplings`"
            )
        return tanh(self.output(self.up(self.blocks(self.down(self.input(x))))))


class Discriminator(nn.Module):
    """PatchGAN (Isola et al. 2017, section 6.1.2): images (N, channels, h, w) to logits (N, h', w').

    `depth` strided 4×4 convolutions and two plain ones, LeakyReLU 0.2. Each logit judges a patch: 16, 34, 70
    or 142 pixels wide for depth 1, 2, 3 (the paper's) or 4. The image must be at least 3 * 2^depth wide;
    raises ValueError below.
    """

    def __init__(
        self,
        channels: Count,
        width: Count = 64,
        depth: Count = 3,
        norm: DiscriminatorNorm = "instance",
        max_width: Count = 512,
    ):
        super().__init__()
        self.smallest = 3 << depth
        steps = [channels, *[min(width << i, max(width, max_width)) for i in range(depth + 1)]]
        self.blocks = nn.Sequential()
        for i in range(depth + 1):
            layers = norms(norm, steps[i + 1]) if i else []
            conv = nn.Conv2d(steps[i], steps[i + 1], 4, 2 if i < depth else 1, 1, bias=not layers)
            self.blocks.append(nn.Sequential(conv, *layers, nn.LeakyReLU(0.2)))
        self.output = nn.Conv2d(steps[-1], 1, 4, 1, 1)
        _initialize(self)
        if norm == "spectral":
            spectral(self)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        if min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"images of {x.shape[2]}x{x.shape[3]} are too small for this PatchGAN, which needs "
                f"{self.smallest} pixels; lower its `depth`"
            )
        return self.output(self.blocks(x)).squeeze(1)


class ResidualBlock(nn.Module):
    """x + two 3×3 convolutions with reflection padding, a ReLU between them."""

    def __init__(self, channels: int, norm: Norm):
        super().__init__()
        bias = norm == "none"
        self.residual = nn.Sequential(
            ReflectionPad(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            *norms(norm, channels),
            nn.ReLU(),
            ReflectionPad(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            *norms(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)


class ReflectionPad(nn.Module):
    """torch's reflection padding as copies of slices: its own has no deterministic gradient on GPUs."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        n = self.width
        x = cat([x[..., 1 : n + 1].flip(-1), x, x[..., -n - 1 : -1].flip(-1)], dim=-1)
        return cat([x[..., 1 : n + 1, :].flip(-2), x, x[..., -n - 1 : -1, :].flip(-2)], dim=-2)


def _initialize(network: nn.Module) -> None:
    """Zhu et al. 2017, section 7.1: weights from N(0, 0.02); biases 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
