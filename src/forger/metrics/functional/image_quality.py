"""How near images are to their right answers, and how much of high frequencies they hold."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def psnr(images: Tensor, truth: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of uint8 images against the truth, over all pixels of all images."""
    same_images(images, truth)
    return decibels(float((images.double() - truth.double()).square().mean()))


def decibels(error: float, peak: float = 255.0) -> float:
    """Peak signal-to-noise ratio, 10 log10(peak² / error), of a mean squared error; infinite for 0."""
    return 10 * math.log10(peak**2 / error) if error > 0 else math.inf


def ssim(images: Tensor, truth: Tensor) -> Tensor:
    """Wang et al. 2004, equation 13: structural similarity on the scale 0 to 255, one value for each image.

    Gaussian window of 11×11 with σ = 1.5, K = (0.01, 0.03), averaged over channels and wherever the window fits, as the
    paper's authors do. (n, c, h, w) of any type → float64 (n,).

    Raises:
        ValueError: images that are smaller than the window.
    """
    if min(images.shape[-2:]) < 11:
        raise ValueError(f"SSIM looks through a window of 11x11, the images are {tuple(images.shape[-2:])}")
    x, y = (pictures.double().reshape(-1, 1, *pictures.shape[-2:]) for pictures in (images, truth))
    window = torch.exp(-torch.arange(-5, 6).to(x).square() / (2 * 1.5**2))
    window = window / window.sum()

    def local(z: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(z, window[None, None, None]), window[None, None, :, None])

    mean_x, mean_y = local(x), local(y)
    variance_x, variance_y = local(x * x) - mean_x**2, local(y * y) - mean_y**2
    covariance = local(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    numerator = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    denominator = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return (numerator / denominator).reshape(len(images), -1).mean(1)


def luma(images: Tensor) -> Tensor:
    """ITU-R BT.601 luma in [16, 235] of images up to 255 (n, 3, h, w), or grey ones as they are: float64 (n, h, w)."""
    pixels = images.double()
    if images.shape[1] not in (3, 4):
        return pixels.mean(1)  # of channels that are no colours
    red, green, blue = pixels[:, 0], pixels[:, 1], pixels[:, 2]
    return 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255


def energy_beyond(x: Tensor, frequency: float) -> Tensor:
    """Spectral energy (n,) of images (n, h, w) from `frequency` up, in cycles per pixel of any direction.

    Under a Hann window; otherwise the jump from one border to the opposite one would count as high frequencies.
    """
    height, width = x.shape[1:]
    window = torch.hann_window(height, dtype=x.dtype)[:, None] * torch.hann_window(width, dtype=x.dtype)
    power = torch.fft.fft2((x - x.mean((1, 2), keepdim=True)) * window).abs().square()
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)[None, :])
    return (power * (radius >= frequency)).sum((1, 2)) / (height * width)


def same_images(images: Tensor, truth: Tensor) -> None:
    """Raise ValueError for images that are no uint8, or of two shapes."""
    if images.dtype != torch.uint8 or truth.dtype != torch.uint8:
        raise ValueError(f"images are compared as uint8 in [0, 255], got {images.dtype} and {truth.dtype}")
    if images.shape != truth.shape:
        raise ValueError(f"images of shape {tuple(images.shape)} do not pair with {tuple(truth.shape)}")
