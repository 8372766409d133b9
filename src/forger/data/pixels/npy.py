"""A picture as the bytes of an .npy: any depth and any number of channels; nothing is unpickled."""

import io
import math
from typing import IO

import numpy as np
from PIL import Image
from torch import Tensor

from forger.data.pixels.planes import PARSING, Planes, picture_of
from forger.errors import Unfit


def header(file: IO[bytes], length: int) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether the first axis varies fastest, and type of the array in an .npy of so many bytes.

    Raises:
        ValueError: it is none, or not as long as its header says.
    """
    formats = np.lib.format
    first = formats.read_magic(file) == (1, 0)
    with PARSING:
        shape, fortran, dtype = (formats.read_array_header_1_0 if first else formats.read_array_header_2_0)(file)
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize != length - file.tell():
        raise ValueError("not as long as its header says")
    return shape, fortran, dtype


def opened(content: bytes, axes: str | None = None) -> Image.Image | Planes:
    """The picture in the bytes of an .npy; `axes` as of `picture_of`.

    Raises:
        ValueError: it is no .npy; Unfit: it is no picture.
    """
    file = io.BytesIO(content)
    shape, fortran, dtype = header(file, len(content))
    if dtype.hasobject:
        raise Unfit("an array of Python objects, which are never unpickled")
    return picture_of(np.frombuffer(file.read(), dtype).reshape(shape, order="F" if fortran else "C"), axes)


def written(pixels: Tensor) -> bytes:
    """A picture (c, h, w) as an .npy of these axes."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(pixels.numpy()))
    return buffer.getvalue()
