"""Evaluation of super-resolution on held-out pictures, beside bicubic enlargement."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from forger.data.dataset import Data
from forger.data.ranges import to_float, to_uint8
from forger.data.resizing import bicubic, shrink
from forger.games.abilities import Enlarges
from forger.metrics.evaluation import Measured, OfRealImages, measured
from forger.metrics.features import as_uint8
from forger.metrics.functional import decibels
from forger.metrics.perceptual import Distance


class Enlargement(OfRealImages[Enlarges]):
    """PSNR, SSIM, share of high frequencies and a perceptual distance of pictures that were shrunk and enlarged again.

    The first three are of the luma, all with `scale` pixels cut off at the border (Ledig et al. 2017, section 3.1).
    Each has a score for the generator as it is (`psnr`), as it was at the end of the first stage
    (`psnr_first`) and for bicubic enlargement (`psnr_bicubic`):

    - `psnr` in dB, `ssim`: nearness to the large picture (`luma`, `similarity`);
    - `high_frequencies`: energy beyond what the small picture can hold, as a share of the large picture's. It
      measures how much texture there is, not whether it is the right one;
    - the `distance`, where one is given, under its name (`lpips_alex`, `distance_photo`): of the colours, lower is
      better. If the game was trained with the same network, the score is too good.

    The test split is measured on the data set's whole held-out pictures, `data.extra`, where it has any: scores
    of `main` have plain names, those of the others end in the picture's name (`psnr_bicubic_flower`) and are not
    averaged in. Other splits are measured on their patches.

    Args:
        main: name of the picture in `data.extra` that is the test.
        distance: a perceptual distance from the large picture.
    """

    def __init__(self, main: str = "china", distance: Distance | None = None) -> None:
        self.main = main
        self.distance = distance

    def evaluate(self, game: Enlarges, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        scores = {}
        for name, images in self._pictures(data, split).items():
            for key, value in compared(game, images, self.distance).items():
                scores[key + name] = value
        return scores

    def measured(self, game: Enlarges, data: Data, split: str, *, n: int, seed: int) -> dict[str, Measured]:
        if split == "test" and self.main in data.extra:  # the spread of a single picture is unknown
            return measured(self.evaluate(game, data, split, n=n, seed=seed))
        return super().measured(game, data, split, n=n, seed=seed)

    def higher_is_better(self, name: str) -> bool:
        return self.distance is None or not name.startswith(self.distance.name)

    def check(self, data: Data) -> None:
        if data.kind != "images":
            raise ValueError(f"{data.name} are points, and only pictures are enlarged")
        if self.distance is not None:
            self.distance.check(data.test.arrays["image"][:1])

    def passport(self, game: Enlarges, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        count = sum(len(images) for images in self._pictures(data, split).values())
        network = {} if self.distance is None else self.distance.about
        return super().passport(game, data, split, n=count, seed=seed) | {"scale": game.scale} | network

    def _pictures(self, data: Data, split: str) -> dict[str, Tensor]:
        """uint8 pictures by the ending of their scores' names."""
        if split == "test" and self.main in data.extra:
            others = [name for name in data.extra if name != self.main]
            return {
                "" if name == self.main else f"_{name}": data.extra[name].arrays["image"]
                for name in [self.main, *others]
            }
        return {"": data.splits[split].arrays["image"]}


def compared(game: Enlarges, images: Tensor, distance: Distance | None = None) -> dict[str, float]:
    """The scores of uint8 images (n, c, h, w) after shrinking and enlarging by three methods."""
    scale = game.scale
    height, width = (extent - extent % scale for extent in images.shape[2:])
    large = to_float(images[..., :height, :width])
    small = shrink(large, scale)
    methods: dict[str, Callable[[Tensor], Tensor]] = {
        "": game.enlarge,
        "_first": lambda x: game.enlarge(x, "first"),
        "_bicubic": lambda x: bicubic(x, scale),
    }
    colours = to_uint8(large)[..., scale:-scale, scale:-scale]
    truth = luma(colours)
    scores = {}
    for name, method in methods.items():
        pixels = as_uint8(method(small)).cpu()[..., scale:-scale, scale:-scale]
        made = luma(pixels)
        error = float((made - truth).square().mean())
        scores[f"psnr{name}"] = decibels(error)
        scores[f"ssim{name}"] = float(similarity(made, truth).mean())
        energies = [float(energy_beyond(x, 0.5 / scale).sum()) for x in (made, truth)]
        scores[f"high_frequencies{name}"] = energies[0] / energies[1]
        if distance is not None:
            scores[f"{distance.name}{name}"] = float(distance(pixels, colours).mean())
    return scores


def luma(images: Tensor) -> Tensor:
    """ITU-R BT.601 luma in [16, 235] of uint8 images (n, 3, h, w), or grey ones as they are: float64 (n, h, w)."""
    pixels = images.double()
    if images.shape[1] == 1:
        return pixels[:, 0]
    red, green, blue = pixels[:, 0], pixels[:, 1], pixels[:, 2]
    return 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255


def similarity(x: Tensor, y: Tensor) -> Tensor:
    """SSIM (Wang et al. 2004, eq. 13) of images (n, h, w) on the scale 0 to 255, one value each.

    Gaussian window of 11 pixels with σ = 1.5, K = (0.01, 0.03), averaged where the window fits.
    """
    places = torch.arange(-5, 6, dtype=x.dtype)
    window = torch.exp(-places.square() / (2 * 1.5**2))
    window = window / window.sum()

    def local(z: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(z[:, None], window[None, None, None]), window[None, None, :, None])

    mean_x, mean_y = local(x), local(y)
    variance_x, variance_y = local(x * x) - mean_x**2, local(y * y) - mean_y**2
    covariance = local(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    numerator = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    denominator = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return (numerator / denominator).mean((1, 2, 3))


def energy_beyond(x: Tensor, frequency: float) -> Tensor:
    """Spectral energy (n,) of images (n, h, w) from `frequency` up, in cycles per pixel of any direction.

    Under a Hann window; otherwise the jump from one border to the opposite one would count as high frequencies.
    """
    height, width = x.shape[1:]
    window = torch.hann_window(height, dtype=x.dtype)[:, None] * torch.hann_window(width, dtype=x.dtype)
    power = torch.fft.fft2((x - x.mean((1, 2), keepdim=True)) * window).abs().square()
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)[None, :])
    return (power * (radius >= frequency)).sum((1, 2)) / (height * width)
