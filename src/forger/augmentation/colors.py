"""Changes of images' colours: linear in the images, one random number per image, (n,), in each.

Images are (n, c, h, w) in [-1, 1] and may leave that range, as in the papers.
"""

import math

import torch
from torch import Tensor


def brightness(images: Tensor, shift: Tensor) -> Tensor:
    """x + shift."""
    return images + _each(shift)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Distance of each pixel from its grey (the channels' mean), times the factor; grey images stay."""
    if images.shape[1] == 1:
        return images
    return images + _each(factor - 1) * (images - images.mean(1, keepdim=True))


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Distance of each pixel from its image's mean, times the factor."""
    return images + _each(factor - 1) * (images - images.mean((1, 2, 3), keepdim=True))


def gain(images: Tensor, factor: Tensor) -> Tensor:
    """Distance of each pixel from mid-grey (0), times the factor."""
    return _each(factor) * images


def luma_flip(images: Tensor, chosen: Tensor) -> Tensor:
    """Of the chosen images (1; 0 for the others), light becomes dark: the channels' mean changes its sign."""
    grey = images.mean(1, keepdim=True)
    return images - 2 * _each(chosen) * grey


def hue(images: Tensor, angle: Tensor) -> Tensor:
    """RGB turned by an angle (radians) around the grey axis; images without colour stay."""
    if images.shape[1] != 3:
        return images
    # Rodrigues around (1, 1, 1)/√3: cos·1 + sin·[axis]× + (1 − cos)·axis axisᵀ
    one = torch.eye(3, dtype=images.dtype, device=images.device)
    cross = (one.roll(1, 0) - one.roll(-1, 0)) / math.sqrt(3)
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return ((cosine * one + sine * cross + (1 - cosine) / 3) @ images.flatten(2)).reshape(images.shape)


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]
