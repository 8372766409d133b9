"""Evaluation of translations that were learned from pairs, beside a linear method that learned from the same."""

from typing import Annotated, Any

import torch
from annotated_types import Gt, Lt
from torch import Tensor

from forger.data.dataset import Data
from forger.games.abilities import Translates
from forger.metrics.evaluations.linear import ridge_regression
from forger.metrics.evaluations.translation import OfTranslations, translated
from forger.metrics.functional.image_quality import energy_beyond, luma, psnr


class LearnedFromPairs(OfTranslations):
    """Nearness to the right translation and high frequencies, beside ridge regression of the same training pairs.

    - `psnr_ridge` in dB, and `gain_over_ridge`: by how much the game's is higher;
    - `high_frequencies`, `high_frequencies_ridge`: energy of the luma beyond a frequency, as a share of that of the
      right translations. It measures how much detail there is, not whether it is the right one.

    Args:
        frequency: in cycles per pixel, of any direction.

    Raises:
        ValueError: data that show no pairs in training.
    """

    def __init__(self, frequency: Annotated[float, Gt(0), Lt(0.7)] = 0.25) -> None:
        self.frequency = frequency

    def evaluate(self, game: Translates, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        image, truth = (data.splits[split].arrays[name] for name in ("image", "truth"))
        ridge = ridge_regression(data)(image)
        made = translated(game, image, "ab")
        real = self._energy(truth)
        return {
            "psnr_ridge": psnr(ridge, truth),
            "gain_over_ridge": psnr(made, truth) - psnr(ridge, truth),
            "high_frequencies": self._energy(made) / real,
            "high_frequencies_ridge": self._energy(ridge) / real,
        }

    def check(self, data: Data) -> None:
        super().check(data)
        if "truth" not in data.train.arrays:
            raise ValueError(f"{data.name} shows no pairs in training: a model that is trained on pairs is shown them")

    def passport(self, game: Translates, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        return super().passport(game, data, split, n=n, seed=seed) | {"frequency": self.frequency}

    def _energy(self, images: Tensor) -> float:
        return float(torch.cat([energy_beyond(luma(part), self.frequency) for part in images.split(512)]).sum())
