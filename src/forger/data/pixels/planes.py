"""Pictures of channels or depths for which Pillow has no mode, as arrays; and files opened as one or the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import IO, Self

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from forger.data.pixels import dicom
from forger.errors import Unfit
from forger.files import check_regular

#: How a TIFF begins: byte order, then 42 or, of a BigTIFF, 43.
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: Types of pixels that arrays may have; all but the first two are read as float32.
ARRAY_TYPES = ("uint8", "uint16", "int16", "float16", "float32", "float64")
#: Most channels of a picture.
MOST_CHANNELS = 16

#: Held while the header of a .npy is parsed: Python 3.11 fails where two threads parse literals at a time.
PARSING = Lock()

#: The tag of a TIFF that says how many channels it has.
_SAMPLES = 277


@dataclass(frozen=True)
class Planes:
    """A picture as an array (height, width, channels), with as much of Pillow's interface as it takes to use either."""

    pixels: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, as Pillow has them."""
        return self.width, self.height

    @property
    def height(self) -> int:
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def channels(self) -> int:
        return self.pixels.shape[2]

    def planes(self) -> list[Image.Image]:
        """Each channel as a grey picture."""
        return [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(self.pixels, 2, 0)]

    @classmethod
    def merged(cls, planes: Sequence[Image.Image]) -> Self:
        """The inverse of `planes`."""
        return cls(np.stack([np.asarray(plane) for plane in planes], axis=2))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is no file to be closed."""


def open_picture(source: Path | IO[bytes]) -> Image.Image | Planes:
    """A picture file, or a .npy that holds one; what is wrong with it is raised here or later, as Pillow likes.

    A TIFF of channels for which Pillow has no mode is read by tifffile.

    Raises:
        Unfit: that is not installed, a TIFF or an array is no picture, or it is no regular file.
    """
    if isinstance(source, Path):
        check_regular(source)
        if source.suffix.lower() == ".npy":
            with PARSING:
                array = np.load(source, mmap_mode="r", allow_pickle=False)
            return picture_of(array)
    if dicom.is_dicom(source):
        pixels = dicom.pixels(source)
        return Image.fromarray(pixels) if pixels.dtype == np.uint8 else Planes(pixels.reshape(*pixels.shape[:2], -1))
    try:
        return Image.open(source)
    except UnidentifiedImageError:
        if isinstance(source, Path):
            with source.open("rb") as file:
                if file.read(4) in _TIFF:
                    return tiff_planes(file)
        else:
            source.seek(0)
            if source.read(4) in _TIFF:
                return tiff_planes(source)
        raise


def picture_of(array: np.ndarray, axes: str | None = None) -> Image.Image | Planes:
    """An array H×W, H×W×C or C×H×W as a picture.

    Without `axes`, "CHW" or "HWC", the shorter of the first and the last axis is the channels.

    Raises:
        Unfit: it is of another shape or type.
    """
    if array.dtype.name not in ARRAY_TYPES:
        raise Unfit(f"an array of {array.dtype}; pixels are {', '.join(ARRAY_TYPES)}")
    pixels = array[..., None] if array.ndim == 2 else array
    if array.ndim == 3 and (axes == "CHW" if axes else pixels.shape[2] > pixels.shape[0]):
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim != 3 or pixels.shape[2] > MOST_CHANNELS or not pixels.size:
        raise Unfit(
            f"an array of shape {array.shape}; one picture is H×W, H×W×C or C×H×W with 1 to {MOST_CHANNELS} channels"
        )
    if pixels.dtype != np.uint8 or pixels.shape[2] not in (1, 3, 4):
        return Planes(pixels)
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))


def channels_of(picture: Image.Image | Planes) -> int:
    """How many hold what is in a picture: 1 of a grey one, 3 of any other of Pillow's, or all that a TIFF has."""
    if isinstance(picture, Planes):
        return picture.channels
    stored = [str(tile[3]) for tile in getattr(picture, "tile", [])]  # "LA;16B" where the mode says RGBA
    grey = picture.mode in ("1", "L", "LA", "La", "F") or picture.mode.startswith("I")
    return unseen_channels(picture) or (1 if grey or any(raw.startswith("LA") for raw in stored) else 3)


def unseen_channels(picture: Image.Image) -> int:
    """How many channels a TIFF has, if Pillow would leave some out: further samples, or grey pages after the first."""
    if not isinstance(picture, TiffImageFile):
        return 0
    if (picture.mode in ("L", "F") or picture.mode.startswith("I")) and picture.n_frames > 1:
        return picture.n_frames
    left_out = any("X" in str(tile[3]) for tile in picture.tile)  # "RGBX": what X is, Pillow does not ask
    return int(picture.tag_v2[_SAMPLES]) if left_out else 0


def tiff_planes(file: IO[bytes]) -> Planes:
    """All channels of a TIFF.

    Raises:
        Unfit: tifffile is not installed, or the TIFF is no picture.
    """
    try:
        import tifffile  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        raise Unfit("a TIFF of such channels needs the package tifffile: pip install 'forger[tiff]'") from None

    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        series = tiff.series[0]
        pixels, axes = series.asarray(), series.axes
    if pixels.ndim != 3 or "Y" not in axes or "X" not in axes:
        raise Unfit(f"a TIFF of shape {pixels.shape} ({axes}): a picture has height, width and channels")
    channels = next(place for place, axis in enumerate(axes) if axis not in "YX")
    return Planes(np.moveaxis(pixels, channels, 2))
