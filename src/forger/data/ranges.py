"""The two value ranges of images: uint8 in [0, 255] at every boundary, float in [-1, 1] inside games."""

import torch
from torch import Tensor


def to_float(pixels: Tensor) -> Tensor:
    """uint8 (n, c, h, w) in [0, 255] to float32 in [-1, 1], channels last."""
    return pixels.to(torch.float32, memory_format=torch.channels_last).div_(127.5).sub_(1.0)


def to_uint8(images: Tensor) -> Tensor:
    """Float in [-1, 1] to uint8 in [0, 255], rounded; values outside are clipped."""
    return images.float().mul(127.5).add_(127.5).round_().clamp_(0, 255).to(torch.uint8)
