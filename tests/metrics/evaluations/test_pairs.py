"""Translations learned from pairs beside ridge regression, which numpy solves here."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from forger.data.pairs import digits_averaged
from forger.metrics.evaluations.linear import ridge_regression
from forger.metrics.evaluations.pairs import LearnedFromPairs
from forger.metrics.evaluations.translation import Cycle, HiddenTruth

ALL = {"n": 10, "seed": 0}


def rows(images):
    return images.flatten(1).double().numpy() / 255


def test_ridge_regression_is_the_normal_equations():
    data = digits_averaged(paired=True)
    x, y, test = (rows(images) for images in (
        data.train.arrays["image"], data.train.arrays["truth"], data.test.arrays["image"],
    ))  # fmt: skip
    centred, targets = x - x.mean(0), y - y.mean(0)
    # Leave-one-out errors in closed form: residuals over one less the leverages, of which 1 / n is the mean's.
    errors = {}
    for penalty in np.logspace(-3, 3, 13):
        inverse = np.linalg.inv(centred.T @ centred + penalty * np.eye(64))
        leverage = np.einsum("ij,jk,ik->i", centred, inverse, centred) + 1 / len(x)
        residuals = targets - centred @ inverse @ centred.T @ targets
        errors[penalty] = ((residuals / (1 - leverage)[:, None]) ** 2).mean()
    penalty = min(errors, key=lambda each: errors[each])
    weights = np.linalg.solve(centred.T @ centred + penalty * np.eye(64), centred.T @ targets)
    expected = np.clip(np.round(255 * ((test - x.mean(0)) @ weights + y.mean(0))), 0, 255)
    made = ridge_regression(data)(data.test.arrays["image"]).flatten(1).numpy()
    assert np.abs(made - expected).max() <= 1  # where rounding is a tie


def test_the_input_itself_has_no_high_frequencies_and_the_truth_has_all():
    data = digits_averaged(paired=True)
    known = {image.numpy().tobytes(): truth for image, truth in zip(
        data.test.arrays["image"], data.test.arrays["truth"], strict=True
    )}  # fmt: skip

    def right(x):
        pixels = ((x + 1) * 127.5).round().to(torch.uint8)
        return torch.stack([known[image.numpy().tobytes()] for image in pixels]).float() / 127.5 - 1

    one_way = {"directions": ("ab",)}
    perfect = SimpleNamespace(translate=lambda x, way: right(x), **one_way)
    idle = SimpleNamespace(translate=lambda x, way: x, **one_way)
    evaluation = LearnedFromPairs()
    scores = {name: evaluation.evaluate(game, data, "test", **ALL) for name, game in (("all", perfect), ("none", idle))}
    assert scores["all"]["high_frequencies"] == pytest.approx(1)
    assert scores["all"]["gain_over_ridge"] == np.inf
    assert scores["none"]["high_frequencies"] < 0.8
    assert scores["none"]["gain_over_ridge"] < 0 < scores["none"]["psnr_ridge"] < 30
    assert HiddenTruth().evaluate(idle, data, "test", **ALL).keys() == {"psnr"}
    with pytest.raises(ValueError, match="shows no pairs in training"):
        evaluation.check(digits_averaged())
    with pytest.raises(ValueError, match="it needs a game that translates back"):
        Cycle().fits(OneWay())


class OneWay:
    rank, world, shown, device, averaged, directions = 0, 1, 0, "cpu", False, ("ab",)

    def live_weights(self): ...

    def translate(self, images, direction="ab"): ...
