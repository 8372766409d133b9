"""SRGAN (Ledig et al. 2017): SRResNet, its discriminator, and networks whose features judge the content."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from forger.networks.blocks import Count, DiscriminatorNorm, Norm, norms, spectral


class Generator(nn.Module):
    """SRResNet (Ledig et al. 2017, figure 4): (N, channels, h, w) in [-1, 1] to `scale` times the sides.

    The paper has width 64, 16 blocks, batch norm and ×4. With `residual` the network draws only what bicubic
    enlargement lacks, and starts as exactly bicubic. The output is not bounded: clamp it where it is shown.
    """

    def __init__(
        self,
        channels: Count = 3,
        width: Count = 64,
        blocks: Count = 16,
        scale: Literal[2, 4] = 4,
        norm: Norm = "batch",
        residual: bool = True,
    ):
        super().__init__()
        self.scale = scale
        self.residual = residual
        bias = norm == "none"
        self.input = nn.Sequential(nn.Conv2d(channels, width, 9, padding=4), nn.PReLU())
        self.blocks = nn.Sequential(*[ResidualBlock(width, norm) for _ in range(blocks)])
        self.collect = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=bias), *norms(norm, width))
        self.up = nn.Sequential()
        for _ in range(scale // 2):
            conv = nn.Conv2d(width, 4 * width, 3, padding=1)
            self.up.append(nn.Sequential(conv, nn.PixelShuffle(2), nn.PReLU()))
        self.output = nn.Conv2d(width, channels, 9, padding=4)
        if residual:
            for parameter in self.output.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        features = self.input(x)
        features = features + self.collect(self.blocks(features))
        image = self.output(self.up(features))
        return image + enlarge(x, self.scale) if self.residual else image


class Discriminator(nn.Module):
    """SRGAN's discriminator (Ledig et al. 2017, figure 4): images (N, channels, h, w) to logits (N,).

    `depth` pairs of 3×3 convolutions, the second of each strided, LeakyReLU 0.2. The paper has width 64 and
    depth 4. Its dense layers follow the mean over all places here, so that patches of any size fit.
    """

    def __init__(
        self,
        channels: Count = 3,
        width: Count = 64,
        depth: Count = 4,
        norm: DiscriminatorNorm = "batch",
        max_width: Count = 512,
    ):
        super().__init__()
        self.blocks = nn.Sequential()
        inputs = channels
        for i in range(2 * depth):
            outputs = min(width << (i // 2), max(width, max_width))
            layers = norms(norm, outputs) if i else []
            conv = nn.Conv2d(inputs, outputs, 3, 1 + i % 2, 1, bias=not layers)
            self.blocks.append(nn.Sequential(conv, *layers, nn.LeakyReLU(0.2)))
            inputs = outputs
        self.output = nn.Sequential(nn.Linear(inputs, 2 * inputs), nn.LeakyReLU(0.2), nn.Linear(2 * inputs, 1))
        if norm == "spectral":
            spectral(self)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.output(self.blocks(x).mean((2, 3))).squeeze(1)


class ResidualBlock(nn.Module):
    """x + conv-norm-PReLU-conv-norm."""

    def __init__(self, channels: int, norm: Norm):
        super().__init__()
        bias = norm == "none"
        self.residual = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=bias),
            *norms(norm, channels),
            nn.PReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=bias),
            *norms(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)


def enlarge(x: Tensor, scale: int) -> Tensor:
    """Bicubic enlargement (a = -0.75, edges repeated, half-pixel centres) of (N, c, h, w)."""
    size = [scale * side for side in x.shape[2:]]  # a factor would be rounded, which can't be exported for all sizes
    return F.interpolate(x, size, mode="bicubic", align_corners=False)


class VGG19Features(nn.Module):
    """φ_5,4 of SRGAN's eq. 5: images in [-1, 1] to VGG19's last activations, (N, 512, h', w').

    The paper scales the features by 1/12.75, that is their squared error by 0.006, to match pixels.
    `weights` is torchvision's file vgg19-dcbb9e9d.pth (ImageNet), or any state dict with its `features.*`.
    Grey images count as three equal channels. Frozen, always in evaluation mode; images need 16 pixels.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds other weights.
    """

    name = "vgg19"
    mean: Tensor
    deviation: Tensor

    def __init__(self, weights: str):
        super().__init__()
        self.features = nn.Sequential()
        inputs = 3
        for repeat, outputs in [(2, 64), (2, 128), (4, 256), (4, 512), (4, 512)]:
            if inputs > 3:
                self.features.append(nn.MaxPool2d(2))
            for _ in range(repeat):
                self.features.extend([nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()])
                inputs = outputs
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None], persistent=False)
        load_weights(self, weights, "download vgg19-dcbb9e9d.pth from torchvision's model page")

    def forward(self, x: Tensor) -> Tensor:
        return self.features(((x + 1) / 2 - self.mean) / self.deviation)

    def train(self, mode: bool = True) -> "VGG19Features":
        return super().train(False)


class ConvFeatures(nn.Module):
    """A small network whose features judge content offline, where there is no VGG19; forger trains it itself.

    Images (N, channels, h, w) in [-1, 1] to features (N, width * 2^(depth - 1), h', w') after `depth` stages
    of two 3×3 convolutions with ReLU, halved between stages. Without `weights` it can be trained; with a path
    it is loaded, frozen and always in evaluation mode.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds other weights.
    """

    name = "conv"

    def __init__(
        self,
        channels: Count = 3,
        width: Count = 32,
        depth: Annotated[int, Ge(1)] = 3,
        weights: str | None = None,
    ):
        super().__init__()
        self.features = nn.Sequential()
        inputs = channels
        for i in range(depth):
            if i:
                self.features.append(nn.MaxPool2d(2))
            for _ in range(2):
                self.features.extend([nn.Conv2d(inputs, width << i, 3, padding=1), nn.ReLU()])
                inputs = width << i
        self.frozen = weights is not None
        if weights is not None:
            load_weights(self, weights, "train it first")

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x)

    def train(self, mode: bool = True) -> "ConvFeatures":
        return super().train(mode and not self.frozen)


def load_weights(network: nn.Module, path: str, remedy: str) -> None:
    """Load a .safetensors or torch file of a state dict (data only, never code) and freeze the network.

    Further names in the file are ignored (VGG19's classifier).
    """
    kind = type(network).__name__
    if not Path(path).is_file():
        raise FileNotFoundError(f"{kind}: no weights at {path}; {remedy}, and give its path as `weights`")
    try:
        if path.endswith(".safetensors"):
            found = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, SafetensorError, RuntimeError, EOFError) as error:
        raise ValueError(f"{kind}: {path} is not a readable file of weights") from error
    wanted = network.state_dict()
    for name, tensor in wanted.items():
        if name not in found or found[name].shape != tensor.shape:
            has = "has no" if name not in found else f"has {tuple(found[name].shape)} for"
            raise ValueError(f"{kind}: {path} {has} {name}, not {tuple(tensor.shape)}: other weights?")
    network.load_state_dict({name: found[name] for name in wanted})
    network.requires_grad_(False).eval()
