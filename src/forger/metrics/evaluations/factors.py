"""Latent factors: how well a change of an image can be read linearly from its code."""

from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from annotated_types import Ge
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from forger.data.dataset import Data
from forger.games.abilities import Reconstructs
from forger.metrics.evaluations.autoencoding import chosen
from forger.metrics.evaluations.base import OfRealImages
from forger.metrics.evaluations.linear import principal_components
from forger.randomness import generator


def rotated(images: Tensor, degrees: Tensor) -> Tensor:
    """Images (n, c, h, w) in [-1, 1] turned counterclockwise by (n,) degrees on a black ground."""
    angle = degrees.deg2rad()
    return _warped(images, torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1))


def scaled(images: Tensor, factors: Tensor) -> Tensor:
    """Images (n, c, h, w) in [-1, 1] made larger or smaller about their centre by (n,) factors."""
    zero = torch.zeros_like(factors)
    return _warped(images, torch.stack([1 / factors, zero, zero, 1 / factors], 1))


def thickened(images: Tensor, pixels: Tensor) -> Tensor:
    """Bright strokes of images (n, c, h, w) made thicker, or thinner, by (n,) of -1 to 1 pixels on each side.

    A fraction of a pixel interpolates between the image and its grey dilation (or erosion) by a whole pixel.
    """
    amount = pixels.reshape(-1, 1, 1, 1).to(images)
    padded = F.pad(images, (1, 1, 1, 1), value=-1.0)
    dilated, eroded = F.max_pool2d(padded, 3, 1), -F.max_pool2d(-padded, 3, 1)
    return images + amount.clamp(min=0) * (dilated - images) + (-amount).clamp(min=0) * (eroded - images)


#: Name → (what is done to an image, smallest and largest amount).
FACTORS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], float, float]] = {
    "rotation": (rotated, -30.0, 30.0),
    "thickness": (thickened, -0.6, 0.6),
    "size": (scaled, 0.65, 1.0),
}


def applied(factor: str, images: Tensor, stream: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images in [-1, 1], each with its own random amount of a factor, and the amounts (n,)."""
    change, low, high = FACTORS[factor]
    amounts = low + (high - low) * torch.rand(len(images), generator=stream)
    return change(images, amounts), amounts


class LatentFactors(OfRealImages[Reconstructs]):
    """R² of reading a factor, applied to each image in a random amount, from its code by a linear regression.

    `r2_rotation` (±30°), `r2_thickness` (±0.6 pixels on each side of a stroke) and `r2_size` (0.65 to 1), and
    the same from PCA with as many components: `r2_rotation_pca` … The regression (ridge, its strength by
    cross-validation) is fitted to the training images and judged on the split. 1 is perfect, 0 no better than
    the mean. For bright strokes on black.

    Args:
        train: training images used, at most.
    """

    def __init__(self, train: Annotated[int, Ge(10)] = 2000) -> None:
        self.train = train

    def evaluate(self, game: Reconstructs, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        train = data.values.to_float(chosen(data, "train", self.train, seed))
        test = data.values.to_float(chosen(data, split, n, seed))
        images = data.train.arrays["image"]
        pca = principal_components(data, min(game.latent, len(images), images[0].numel()))
        scores = {}
        for factor in FACTORS:
            fitted, known = applied(factor, train, generator(seed, "factors", factor, "train"))
            judged, truth = applied(factor, test, generator(seed, "factors", factor, split))
            for name, encode in (("", game.encode), ("_pca", pca.encode)):
                scores[f"r2_{factor}{name}"] = read_out(encode(fitted), known, encode(judged), truth)
        return scores

    def higher_is_better(self, name: str) -> bool:
        return True


def read_out(codes: Tensor, values: Tensor, new_codes: Tensor, truth: Tensor) -> float:
    """R² on new codes (m, k) of a ridge regression fitted to codes (n, k) and their values (n,)."""
    regression = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 7)))
    regression.fit(codes.cpu().double().numpy(), values.numpy())
    return float(regression.score(new_codes.cpu().double().numpy(), truth.numpy()))


def _warped(images: Tensor, matrices: Tensor) -> Tensor:
    """Bilinear resampling by (n, 4) matrices about the centre, square pixels, black outside."""
    affine = torch.cat([matrices.reshape(-1, 2, 2), torch.zeros(len(images), 2, 1)], 2).to(images)
    # The grid of a picture that is not square has other units along its two axes.
    ratio = images.shape[-1] / images.shape[-2]
    affine[:, 0, 1] /= ratio
    affine[:, 1, 0] *= ratio
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    # Zeros outside must be black, so the resampled range is [0, 2].
    return F.grid_sample(images + 1, grid, "bilinear", "zeros", align_corners=False) - 1
