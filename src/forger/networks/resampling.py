"""Half and twice the size by the filter [1, 3, 3, 1], with zeros beyond the edges (StyleGAN2, R3GAN)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Filter(nn.Module):
    """The filter [1, 3, 3, 1] both ways, of sum 1, for each channel by itself."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", (line[:, None] * line)[None, None], persistent=False)


class Shrink(Filter):
    """Half the height and width, rounded down; zeros beyond the edges."""

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.kernel.expand(x.shape[1], -1, -1, -1)
        return F.conv2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


class Enlarge(Filter):
    """To a height and width twice as large, or one more than that; zeros beyond the edges."""

    def __init__(self, size: tuple[int, int]):
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        kernel = 4 * self.kernel.expand(x.shape[1], -1, -1, -1)
        odd = [side - 2 * before for side, before in zip(self.size, x.shape[2:], strict=True)]
        return F.conv_transpose2d(x, kernel, stride=2, padding=1, output_padding=odd, groups=x.shape[1])


class Blur(Filter):
    """At the same stride, to `size`: what goes before a strided convolution or follows a transposed one.

    Args:
        size: height and width that it gives; what it gets may be up to 3 pixels larger or 1 smaller.
        gain: factor.
    """

    def __init__(self, size: tuple[int, int], gain: float = 1.0):
        super().__init__()
        self.size, self.gain = size, gain

    def forward(self, x: Tensor) -> Tensor:
        wanted = [side + 3 - got for side, got in zip(self.size, x.shape[2:], strict=True)]
        (top, bottom), (left, right) = ((more // 2, more - more // 2) for more in wanted)
        kernel = self.gain * self.kernel.expand(x.shape[1], -1, -1, -1)
        return F.conv2d(F.pad(x, (left, right, top, bottom)), kernel, groups=x.shape[1])
