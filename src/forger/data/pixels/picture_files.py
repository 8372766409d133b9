"""Files of pictures at full depth."""

import io
import struct
import zlib

import numpy as np
from PIL import Image
from torch import Tensor

#: PNG's colour types by channels: grey, RGB, RGBA.
_COLOR_TYPES = {1: 0, 3: 2, 4: 6}


def picture_file(pixels: Tensor) -> tuple[str, bytes]:
    """The suffix and content of a file that holds all of a picture (c, h, w).

    uint8 and uint16 of 1, 3 or 4 channels are a PNG, float32 of one channel a TIFF; the rest is .npy, H×W×C.
    """
    array = np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())
    channels = array.shape[2]
    if array.dtype == np.uint16 and channels in _COLOR_TYPES:
        return ".png", _png16(array)
    buffer = io.BytesIO()
    if array.dtype == np.uint8 and channels in (1, 3, 4):
        Image.fromarray(array[..., 0] if channels == 1 else array).save(buffer, "PNG")
        return ".png", buffer.getvalue()
    if array.dtype == np.float32 and channels == 1:
        Image.fromarray(array[..., 0]).save(buffer, "TIFF")
        return ".tiff", buffer.getvalue()
    np.save(buffer, array)
    return ".npy", buffer.getvalue()


def _png16(array: np.ndarray) -> bytes:
    """A PNG of uint16 (h, w, c), which Pillow writes of grey pictures alone (ISO/IEC 15948, chapters 5 and 11)."""
    height, width, channels = array.shape
    rows = array.astype(">u2").reshape(height, -1).view(np.uint8)
    unfiltered = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOR_TYPES[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(unfiltered.tobytes())), (b"IEND", b""))
    parts = [b"%b%b%b%b" % (_uint32(len(data)), kind, data, _uint32(zlib.crc32(kind + data))) for kind, data in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _uint32(value: int) -> bytes:
    return struct.pack(">I", value)
