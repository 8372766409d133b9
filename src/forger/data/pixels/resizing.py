"""Bicubic resizing of whole batches: makes the small pictures for super-resolution, and enlarges for comparison."""

import torch.nn.functional as F
from torch import Tensor

from forger.data.pixels.ranges import BYTES, ValueRange


def shrink(images: Tensor, scale: int, values: ValueRange = BYTES) -> Tensor:
    """Images (n, c, h, w) in [-1, 1] made `scale` times smaller, antialiased, at the levels of a file.

    Clipped and rounded, since that is all that a picture file would keep. Both sides must be multiples of
    `scale`: pixel centres would shift otherwise.
    """
    assert images.shape[-1] % scale == 0, tuple(images.shape)
    assert images.shape[-2] % scale == 0, tuple(images.shape)
    small = F.interpolate(images, scale_factor=1 / scale, mode="bicubic", align_corners=False, antialias=True)
    return values.to_float(values.to_pixels(small))


def bicubic(images: Tensor, scale: int) -> Tensor:
    """Images (n, c, h, w) in [-1, 1] made `scale` times larger, clipped (a = -0.75, half-pixel centres)."""
    return F.interpolate(images, scale_factor=scale, mode="bicubic", align_corners=False).clamp(-1, 1)
