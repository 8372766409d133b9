"""The value ranges of images: pixels as they are stored at every boundary, float in [-1, 1] inside games."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

#: The type that pixels are kept in.
Depth = Literal["uint8", "uint16", "float32"]
DEPTHS: tuple[Depth, ...] = ("uint8", "uint16", "float32")


def dtype_of(depth: Depth) -> torch.dtype:
    """torch's type of pixels of a depth."""
    return getattr(torch, depth)


@dataclass(frozen=True)
class ValueRange:
    """What the pixels of a data set may be: of type `dtype`, from `low` to `high`, in the unit of the data.

    Games see that range as [-1, 1], extractors as floats from 0 to 255; values beyond it are clipped.
    """

    low: float = 0.0
    high: float = 255.0
    dtype: torch.dtype = torch.uint8

    @classmethod
    def of(cls, depth: str, range: Sequence[float] | None = None) -> "ValueRange":
        """The range of pixels of a depth: uint8, uint16 or float32; without ``range`` all that an integer can be.

        Raises:
            ValueError: no range of floats, or one that does not rise.
        """
        dtype: torch.dtype = getattr(torch, depth)
        if range is None:
            if dtype.is_floating_point:
                raise ValueError(f"data.range=null: pixels of {depth} need the lowest and the highest value")
            return cls(0.0, float(torch.iinfo(dtype).max), dtype)
        if len(range) != 2 or not range[0] < range[1]:
            raise ValueError(f"data.range={list(range)}: the lowest and the highest value of a pixel, in this order")
        return cls(float(range[0]), float(range[1]), dtype)

    def __str__(self) -> str:
        low, high = (int(value) if value.is_integer() else value for value in (self.low, self.high))
        return f"{self.depth} from {low} to {high}"

    @property
    def depth(self) -> Depth:
        """The name of the type."""
        return next(depth for depth in DEPTHS if dtype_of(depth) == self.dtype)

    def to_float(self, pixels: Tensor) -> Tensor:
        """Pixels (n, c, h, w) to float32 in [-1, 1], channels last."""
        images = pixels.to(torch.float32, memory_format=torch.channels_last, copy=True)
        if self.low:
            images.sub_(self.low)
        images.div_((self.high - self.low) / 2).sub_(1.0)
        return images if self == BYTES else images.clamp_(-1, 1)

    def to_pixels(self, images: Tensor) -> Tensor:
        """Float in [-1, 1] to pixels, integers rounded; values outside are clipped."""
        pixels = images.float().mul((self.high - self.low) / 2).add_((self.high + self.low) / 2)
        if not self.dtype.is_floating_point:
            pixels.round_()
        return pixels.clamp_(self.low, self.high).to(self.dtype)

    def unit(self, pixels: Tensor) -> Tensor:
        """Pixels of any shape to float64 in [0, 1]."""
        shares = (pixels.double() - self.low) / (self.high - self.low)
        return shares if self == BYTES else shares.clamp_(0, 1)

    def of_255(self, pixels: Tensor) -> Tensor:
        """Pixels of any shape to float32 from 0 to 255, not rounded; uint8 from 0 to 255 as they are."""
        if self == BYTES:
            return pixels
        return pixels.float().sub(self.low).mul_(255 / (self.high - self.low)).clamp_(0, 255)

    def drawn(self, pixels: Tensor) -> Tensor:
        """Pixels of any shape to uint8 from 0 to 255, for pictures that people look at."""
        return pixels if self == BYTES else self.of_255(pixels).round_().to(torch.uint8)


#: What pixels are unless a data set says otherwise.
BYTES = ValueRange()


def to_float(pixels: Tensor) -> Tensor:
    """uint8 (n, c, h, w) in [0, 255] to float32 in [-1, 1], channels last."""
    return BYTES.to_float(pixels)


def to_uint8(images: Tensor) -> Tensor:
    """Float in [-1, 1] to uint8 in [0, 255], rounded; values outside are clipped."""
    return BYTES.to_pixels(images)
