"""Layers with an equalised learning rate (Karras et al. 2018, ProGAN, section 4.1).

Weights start at N(0, 1) and are multiplied by gain / √fan-in at each use, so that Adam, whose steps know no scale,
moves all of them at one pace. Where a layer is `activated`, a LeakyReLU of slope 0.2 follows, times √2, which keeps the
mean square about what it was.
"""

import math

import torch.nn.functional as F
from torch import Tensor, nn

#: Of LeakyReLU 0.2, as a factor of what goes into it: the function of a multiple is the multiple of the function.
GAIN = math.sqrt(2)


class Linear(nn.Linear):
    """(…, inputs) to (…, outputs).

    Args:
        start: where all biases start.
        rate: factor on the learning rate of weights and biases.
    """

    def __init__(self, inputs: int, outputs: int, *, activated: bool = False, start: float = 0.0, rate: float = 1.0):
        super().__init__(inputs, outputs)
        nn.init.normal_(self.weight, 0, 1 / rate)
        nn.init.constant_(self.bias, start / rate)
        self.activated, gain = activated, GAIN if activated else 1.0
        self.scale, self.bias_scale = gain * rate / math.sqrt(inputs), gain * rate

    def scaled_weight(self) -> Tensor:
        """The matrix (outputs, inputs) that inputs are multiplied by."""
        return self.weight * self.scale

    def forward(self, input: Tensor) -> Tensor:
        found = F.linear(input, self.scaled_weight(), self.bias * self.bias_scale)
        return F.leaky_relu(found, 0.2) if self.activated else found


class Conv(nn.Conv2d):
    """(N, inputs, h, w) to (N, outputs, …) by a square kernel; without a stride the size stays."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, *, activated: bool = False, stride: int = 1, bias: bool = True
    ):
        super().__init__(inputs, outputs, kernel, stride, kernel // 2 if stride == 1 else 0, bias=bias)
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        self.activated, self.bias_scale = activated, GAIN if activated else 1.0
        self.scale = self.bias_scale / math.sqrt(inputs * kernel**2)

    def forward(self, input: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias * self.bias_scale
        found = self._conv_forward(input, self.weight * self.scale, bias)
        return F.leaky_relu(found, 0.2) if self.activated else found


def normalized(x: Tensor) -> Tensor:
    """(N, d) with a mean square of 1 in each row."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()
