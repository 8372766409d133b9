"""Evaluation of super-resolution on held-out pictures, beside bicubic enlargement."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from forger.data.dataset import Data
from forger.data.pixels.ranges import BYTES, ValueRange
from forger.data.pixels.resizing import bicubic, shrink
from forger.games.abilities import Enlarges
from forger.metrics.evaluations.autoencoding import chosen
from forger.metrics.evaluations.base import OfRealImages
from forger.metrics.features.base import as_pixels
from forger.metrics.features.perceptual import Distance
from forger.metrics.functional.image_quality import decibels, energy_beyond, luma, ssim
from forger.metrics.functional.standard_errors import Estimate, estimates

#: Pixels of a side that SSIM's window needs.
_WINDOW = 11


class Enlargement(OfRealImages[Enlarges]):
    """PSNR, SSIM, share of high frequencies and a perceptual distance of pictures that were shrunk and enlarged again.

    The first three are of the luma, all with `scale` pixels cut off at the border (Ledig et al. 2017, section 3.1).
    Each has a score for the generator as it is (`psnr`), as it was at the end of the first stage
    (`psnr_first`) and for bicubic enlargement (`psnr_bicubic`):

    - `psnr` in dB, `ssim`: nearness to the large picture (`luma`, `ssim`); pictures that SSIM's window does not fit
      into have no `ssim`;
    - `high_frequencies`: energy beyond what the small picture can hold, as a share of the large picture's. It
      measures how much texture there is, not whether it is the right one;
    - the `distance`, where one is given, under its name (`lpips_alex`, `distance_photo`): of the colours, lower is
      better. If the game was trained with the same network, the score is too good.

    The test split is measured on the data set's whole held-out pictures, `data.extra`, where it has any: scores
    of `main` have plain names, those of the others end in the picture's name (`psnr_bicubic_flower`) and are not
    averaged in. Other splits are measured on their patches or pictures, of which `n` are drawn where there are more.

    Args:
        main: name of the picture in `data.extra` that is the test.
        distance: a perceptual distance from the large picture.
    """

    def __init__(self, main: str = "china", distance: Distance | None = None) -> None:
        self.main = main
        self.distance = distance

    def evaluate(self, game: Enlarges, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        scores = {}
        for name, images in self._pictures(data, split, n, seed).items():
            for key, value in compared(game, images, self.distance, data.values).items():
                scores[key + name] = value
        return scores

    def estimate(self, game: Enlarges, data: Data, split: str, *, n: int, seed: int) -> dict[str, Estimate]:
        if split == "test" and self.main in data.extra:  # the spread of a single picture is unknown
            return estimates(self.evaluate(game, data, split, n=n, seed=seed))
        return super().estimate(game, data, split, n=n, seed=seed)

    def higher_is_better(self, name: str) -> bool:
        return self.distance is None or not name.startswith(self.distance.name)

    def check(self, data: Data) -> None:
        if data.kind != "images":
            raise ValueError(f"{data.name} are points, and only pictures are enlarged")
        if self.distance is not None:
            self.distance.check(data.values.of_255(data.test.arrays["image"][:1]))

    def passport(self, game: Enlarges, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        count = sum(len(images) for images in self._pictures(data, split, n, seed).values())
        network = {} if self.distance is None else self.distance.about
        return super().passport(game, data, split, n=count, seed=seed) | {"scale": game.scale} | network

    def _pictures(self, data: Data, split: str, n: int, seed: int) -> dict[str, Tensor]:
        """Pictures by the ending of their scores' names."""
        if split == "test" and self.main in data.extra:
            others = [name for name in data.extra if name != self.main]
            return {
                "" if name == self.main else f"_{name}": data.extra[name].arrays["image"]
                for name in [self.main, *others]
            }
        return {"": chosen(data, split, n, seed)}


def compared(
    game: Enlarges, images: Tensor, distance: Distance | None = None, values: ValueRange = BYTES
) -> dict[str, float]:
    """The scores of images (n, c, h, w) after shrinking and enlarging by three methods."""
    scale = game.scale
    height, width = (extent - extent % scale for extent in images.shape[2:])
    large = values.to_float(images[..., :height, :width])
    small = shrink(large, scale, values)
    methods: dict[str, Callable[[Tensor], Tensor]] = {
        "": game.enlarge,
        "_first": lambda x: game.enlarge(x, "first"),
        "_bicubic": lambda x: bicubic(x, scale),
    }
    colours = values.of_255(values.to_pixels(large))[..., scale:-scale, scale:-scale]
    truth = luma(colours)
    scores = {}
    for name, method in methods.items():
        pixels = values.of_255(as_pixels(method(small), values)).cpu()[..., scale:-scale, scale:-scale]
        made = luma(pixels)
        error = float((made - truth).square().mean())
        scores[f"psnr{name}"] = decibels(error)
        if min(truth.shape[1:]) >= _WINDOW:
            scores[f"ssim{name}"] = float(ssim(made[:, None], truth[:, None]).mean())
        energies = [float(energy_beyond(x, 0.5 / scale).sum()) for x in (made, truth)]
        scores[f"high_frequencies{name}"] = energies[0] / energies[1]
        if distance is not None:
            scores[f"{distance.name}{name}"] = float(distance(pixels, colours).mean())
    return scores
