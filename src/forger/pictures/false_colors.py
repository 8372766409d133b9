"""What people see of pictures of any number of channels."""

from colorsys import hsv_to_rgb

import torch
from torch import Tensor


def visible(images: Tensor) -> Tensor:
    """uint8 images (n, c, h, w) as grey or RGB, uint8 (n, 1 or 3, h, w).

    Grey and RGB stay as they are, of four channels the first three are RGB. Of any other number each channel has a
    colour of its own, its hue from red (the first) on around the circle, of two channels red and cyan; the picture is
    their mixture, in which equal channels are grey.
    """
    channels = images.shape[1]
    if channels in (1, 3):
        return images
    if channels == 4:
        return images[:, :3]
    colors = torch.tensor([hsv_to_rgb(k / channels, 1, 1) for k in range(channels)], device=images.device)
    mixed = torch.einsum("nchw,cr->nrhw", images.float(), colors / colors.sum(0))
    return mixed.round().clamp(0, 255).to(torch.uint8)
