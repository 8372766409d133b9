"""Pictures of more than 8 bits a channel, at their full depth: 16-bit PNG and TIFF, float TIFF, DICOM, arrays."""

import io
import re

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from forger.data.pixels.planes import Planes, tiff_planes, unseen_channels
from forger.data.pixels.ranges import Depth
from forger.errors import Unfit

#: Whole numbers up to here are floats of 32 bits exactly.
_EXACT = 2**24


def depth_of(picture: Image.Image | Planes) -> Depth:
    """The least depth that holds all that is stored of a picture, which need not have been decoded.

    Signed and 32-bit whole numbers, halves and doubles count as float32.
    """
    if isinstance(picture, Planes):
        name = picture.pixels.dtype.name
        return name if name in ("uint8", "uint16") else "float32"
    if _sixteen(picture):
        return "uint16"
    return "float32" if picture.mode.startswith(("I", "F")) else "uint8"


def _sixteen(picture: Image.Image) -> bool:
    """Whether a picture is stored as unsigned numbers of 16 bits, whatever Pillow's mode says."""
    stored = [str(tile[3]) for tile in getattr(picture, "tile", [])]  # "RGB;16B" where the mode says RGB
    # Signed numbers end with an S; "BGR;16" of a BMP is a pixel of 16 bits, 5 or 6 a channel.
    return picture.mode.startswith("I;16") or any(re.search(r";16[BLN](?!S)", raw) for raw in stored)


def whole(picture: Image.Image | Planes) -> np.ndarray:
    """All that is stored of a picture: (height, width, channels), uint8, uint16 or float32 as `depth_of` says.

    EXIF orientation is applied.

    Raises:
        Unfit: whole numbers that float32 does not hold, NaN, or colours of 16 bits that no reader here gives.
    """
    pixels = picture.pixels if isinstance(picture, Planes) else _decoded(picture)
    depth = depth_of(picture)
    if depth == "float32":
        if pixels.dtype.kind in "iu" and pixels.size and np.abs(pixels.astype(np.int64)).max() > _EXACT:
            raise Unfit(f"whole numbers beyond {_EXACT:,}, which float32 does not hold")
        if not np.isfinite(pixels).all():
            raise Unfit("its pixels hold NaN or infinity")
    pixels = np.array(pixels, dtype=depth, order="C")
    return pixels.reshape(*pixels.shape[:2], -1)


def _decoded(picture: Image.Image) -> np.ndarray:
    if unseen_channels(picture):
        return tiff_planes(getattr(picture, "fp")).pixels  # noqa: B009 (which Image does not declare)
    if not _sixteen(picture) or picture.mode not in ("RGB", "RGBA"):
        return np.array(ImageOps.exif_transpose(picture))
    file, raw = getattr(picture, "fp", None), str(getattr(picture, "tile", [])[0][3])
    if file is None or picture.format not in ("PNG", "TIFF") or raw.startswith("LA"):
        raise Unfit(f"16 bits a channel in {picture.format} ({raw}): save grey, RGB or RGBA as PNG or TIFF, or .npy")
    if picture.format == "TIFF":
        return tiff_planes(file).pixels
    # Pillow keeps one byte of each number: the high one, or the low one where it takes the numbers for little-endian.
    file.seek(0)
    content = file.read()
    high, low = (_bytes(content, f"{picture.mode};16{order}") for order in "BL")
    return high.astype(np.uint16) << 8 | low


def _bytes(content: bytes, raw: str) -> np.ndarray:
    """The bytes that Pillow keeps of a PNG of 16 bits where its numbers are said to be stored like this."""
    with Image.open(io.BytesIO(content)) as picture:
        (tile,) = getattr(picture, "tile")  # noqa: B009 (which Image does not declare)
        picture.tile = [(*tile[:3], raw)]  # pyright: ignore[reportAttributeAccessIssue]
        return np.array(ImageOps.exif_transpose(picture))


def deepened(picture: Image.Image | Planes, channels: int, depth: Depth) -> tuple[Planes, str | None]:
    """A picture with its pixels as float32, ready to be resized, and a note where something is lost.

    Grey is repeated for RGB, transparency composited on white where no channel is left for it. Pictures of fewer bits
    are what their numbers say.

    Raises:
        Unfit: other channels than are wanted, or a picture that is not as deep as uint16, or deeper.
    """
    pixels, found = whole(picture), depth_of(picture)
    if depth == "uint16" and found != "uint16":
        raise Unfit(f"pixels of {found} among others of uint16: convert it, or set data.depth=float32 and data.range")
    white = 255 if found == "uint8" else 65535
    pixels = pixels.astype(np.float32)
    own, note = pixels.shape[2], None
    if found != "float32" and own in (2, 4) and channels == own - 1:
        alpha = pixels[..., -1:] / white
        pixels = pixels[..., :-1] * alpha + white * (1 - alpha)
        note = "transparency composited on white"
    elif own == 1 and channels == 3:
        pixels = pixels.repeat(3, axis=2)
    elif own != channels:
        raise Unfit(f"{own} channels, but data.channels={channels}")
    return Planes(pixels), note


def as_depth(pixels: Tensor, depth: Depth) -> Tensor:
    """Floats as pixels of that depth: whole numbers rounded and clipped, since bicubic filters overshoot."""
    return pixels.round().clamp(0, 65535).to(torch.uint16) if depth == "uint16" else pixels
