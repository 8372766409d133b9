"""Convolutions that a vector modulates, sample by sample (Karras et al. 2020, StyleGAN2, section 2.2)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from forger.networks.equalized import GAIN, Linear
from forger.networks.resampling import Blur


def modulated_conv(
    x: Tensor, weight: Tensor, style: Tensor, *, demodulate: bool = True, gain: float = 1.0, enlarged: bool = False
) -> Tensor:
    """Karras et al. 2020, eq. 1 and 3: each sample's own convolution, by weight · style, normalised for each output.

    Written as a scale of its inputs and one of its outputs, so that one convolution serves all samples.

    Args:
        x: (N, inputs, h, w).
        weight: (outputs, inputs, k, k), k odd.
        style: (N, inputs).
        demodulate: divide by the norm over inputs and kernel, and multiply by `gain`.
        enlarged: transposed, with stride 2 and no padding: to (2h + k - 2, 2w + k - 2).
    """
    x = x * style[:, :, None, None]
    if enlarged:
        x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    else:
        x = F.conv2d(x, weight, padding=weight.shape[2] // 2)
    if not demodulate:
        return x
    scale = gain * (style.square() @ weight.square().sum((2, 3)).T + 1e-8).rsqrt()
    return x * scale[:, :, None, None]


class StyledConv(nn.Module):
    """A 3×3 convolution modulated by w (N, style), with noise: (N, inputs, h, w) to (N, outputs, *size).

    Where `enlarged` it is transposed, of stride 2, and a filter follows.
    """

    noise: Tensor

    def __init__(self, inputs: int, outputs: int, style: int, size: tuple[int, int], enlarged: bool = False):
        super().__init__()
        self.style = Linear(style, inputs, start=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs, 1, 1))
        self.strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise", torch.randn(1, 1, *size))
        self.gain = 1 / math.sqrt(9 * inputs)
        self.blur = Blur(size, gain=4) if enlarged else None

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = modulated_conv(x, self.gain * self.weight, self.style(w), gain=GAIN, enlarged=self.blur is not None)
        x = x if self.blur is None else self.blur(x)
        noise = torch.randn_like(x[:, :1]) if self.training else self.noise
        return F.leaky_relu(x + GAIN * (self.strength * noise + self.bias), 0.2)


class ToImage(nn.Module):
    """Features (N, inputs, h, w) and w (N, style) to images (N, channels, h, w), without demodulation."""

    def __init__(self, inputs: int, channels: int, style: int):
        super().__init__()
        self.style = Linear(style, inputs, start=1.0)
        self.weight = nn.Parameter(torch.randn(channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.gain = 1 / math.sqrt(inputs)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return modulated_conv(x, self.gain * self.weight, self.style(w), demodulate=False) + self.bias
