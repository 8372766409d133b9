"""What every picture of a data set becomes: channels, height and width, and how one of another shape gets them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
import torch
from annotated_types import Ge, Le, MaxLen, MinLen
from PIL import Image

from forger.data.pixels.planes import Planes
from forger.data.pixels.ranges import Depth, dtype_of
from forger.errors import Unfit
from forger.sizes import sides

Side = Annotated[int, Ge(4)]
Size = Side | Annotated[list[Side], MinLen(2), MaxLen(2)]
Channels = Annotated[int, Ge(1), Le(16)]
#: Of a picture of another shape: its middle, all of it within a border, all of it stretched, or an error.
Fit = Literal["crop", "pad", "stretch", "none"]


class Pixels(NamedTuple):
    """Channels and depth of a picture that keeps the height and width that it has."""

    channels: int
    depth: Depth = "uint8"


@dataclass(frozen=True)
class Layout:
    """Channels, height and width of every picture, and how one of another shape is made to fit.

    `fit`: "crop" cuts out the largest centred part of the wanted proportions; "pad" keeps all of the picture, centred,
    on the median colour of its border; "stretch" gives up its proportions; "none" refuses a picture of another size.
    What is left is resized with an antialiased bicubic filter.
    """

    channels: int
    height: int
    width: int
    fit: Fit = "crop"
    depth: Depth = "uint8"

    @classmethod
    def of(cls, channels: int, size: int | Sequence[int], fit: Fit = "crop", depth: Depth = "uint8") -> Self:
        """The layout that a config asks for."""
        return cls(channels, *sides(size), fit, depth)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.channels, self.height, self.width

    @property
    def dtype(self) -> torch.dtype:
        """Of its pixels."""
        return dtype_of(self.depth)

    @property
    def bytes(self) -> int:
        """How many a picture takes."""
        return self.channels * self.height * self.width * self.dtype.itemsize

    @property
    def key(self) -> tuple[Any, ...]:
        """What it is known by where decoded pictures are kept."""
        deep = () if self.depth == "uint8" else (self.depth,)
        if self.height == self.width and self.fit == "crop":
            return self.channels, self.height, *deep
        return self.channels, self.height, self.width, self.fit, *deep

    def __str__(self) -> str:
        return f"{self.width}" if self.width == self.height else f"{self.width}x{self.height}"

    def enlarges(self, picture: Image.Image | Planes) -> bool:
        """Whether a picture is smaller than it has to be."""
        return picture.width < self.width or picture.height < self.height

    def fitted(self, picture: Image.Image | Planes) -> Image.Image | Planes:
        """A picture of this height and width.

        Raises:
            Unfit: it has another size, and `fit` is "none".
        """
        if picture.size == (self.width, self.height):
            return picture
        if self.fit == "none":
            raise Unfit(
                f"{picture.width}x{picture.height}, but data.size asks for {self.width}x{self.height} (width x height) "
                "and data.fit=none resizes nothing"
            )
        if isinstance(picture, Planes):
            return Planes.merged([self._resized(plane) for plane in picture.planes()])
        return self._resized(picture)

    def _resized(self, picture: Image.Image) -> Image.Image:
        if self.fit == "crop":
            # Cut first: with resize's own `box` the filter would reach beyond the part.
            picture = picture.crop(centred(*picture.size, self.width, self.height))
        elif self.fit == "pad":
            return self._padded(picture)
        return picture.resize((self.width, self.height), Image.Resampling.BICUBIC)

    def _padded(self, picture: Image.Image) -> Image.Image:
        scale = min(self.width / picture.width, self.height / picture.height)
        width, height = (max(1, round(scale * side)) for side in picture.size)
        whole = Image.new(picture.mode, (self.width, self.height), _border(picture))
        inner = picture.resize((width, height), Image.Resampling.BICUBIC)
        whole.paste(inner, ((self.width - width) // 2, (self.height - height) // 2))
        return whole


def centred(width: int, height: int, wide: int, high: int) -> tuple[int, int, int, int]:
    """The largest centred part of the proportions `wide` to `high`: left, top, right, bottom."""
    across, down = (width, max(1, width * high // wide)) if width * high <= height * wide else (
        max(1, height * wide // high), height,
    )  # fmt: skip
    left, top = (width - across) // 2, (height - down) // 2
    return left, top, left + across, top + down


def _border(picture: Image.Image) -> tuple[int, ...] | int:
    """The median colour of the outermost pixels."""
    pixels = np.asarray(picture)
    pixels = pixels.reshape(picture.height, picture.width, -1)
    edges = [pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]]
    color = np.percentile(np.concatenate(edges), 50, axis=0, method="lower").tolist()
    return tuple(color) if len(color) > 1 else color[0]
