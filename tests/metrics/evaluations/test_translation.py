"""Evaluations of translations by games whose translations are known."""

import math
from types import SimpleNamespace

import pytest
import torch

from forger.data.dataset import Data, Split
from forger.data.images import digits
from forger.data.pairs import digits_inverted, digits_rotated
from forger.metrics.evaluations.translation import ClassPreserved, Cycle, HiddenTruth, best_renaming
from forger.metrics.features.extractors import DigitsExtractor
from forger.metrics.features.perceptual import FeatureDistance

ALL = {"n": 10, "seed": 0}


def game(there, back=None):
    both = {"directions": ("ab", "ba")}
    return SimpleNamespace(translate=lambda x, way="ab": (there if way == "ab" else back or there)(x), **both)


def inverting(x):
    return -x


def exchanging(data):
    """Inverts, and exchanges images of the classes 0 and 1, by the labels that it should not know."""
    images = torch.cat([data.test.arrays["image"], data.test.independent["target"]]).flatten(1)
    labels = torch.cat([data.test.arrays["label"], data.test.independent["target_label"]])
    a = data.test.arrays["image"].float() / 127.5 - 1
    label = data.test.arrays["label"]
    examples = [a[label == 1][:1], a[label == 0][:1]]

    def translate(x):
        found = ((x.flatten(1) + 1) * 127.5).round().to(torch.uint8)
        classes = torch.stack([labels[(images == each).all(1)][0] for each in found])
        sign = -1 if x.mean() < 0 else 1  # examples are dark, like A
        y = -x.clone()
        for k in (0, 1):
            y[classes == k] = sign * examples[k]
        return y

    return game(translate)


def test_the_truth_itself_has_infinite_psnr_and_keeps_its_classes():
    data = digits_inverted()
    assert HiddenTruth().evaluate(game(inverting), data, "test", **ALL) == {"psnr": math.inf, "psnr_back": math.inf}
    scores = ClassPreserved("inversion").evaluate(game(inverting), data, "test", **ALL)
    assert scores["class_preserved"] == scores["class_preserved_back"] == scores["class_after_cycle"] > 0.97
    assert scores["classes_fixed"] == 10
    turned = game(lambda x: x.rot90(1, (2, 3)), lambda x: x.rot90(-1, (2, 3)))
    of_turned = ClassPreserved("quarter_turn").evaluate(turned, digits_rotated(), "test", **ALL)
    assert of_turned["class_preserved"] == scores["class_preserved"]
    assert HiddenTruth().evaluate(turned, digits_rotated(), "test", **ALL)["psnr_back"] == math.inf


def test_perceptual_distance_and_ssim_stand_beside_psnr():
    truth = HiddenTruth(FeatureDistance(DigitsExtractor()))
    scores = truth.evaluate(game(lambda x: x), digits_inverted(), "test", **ALL)
    assert set(scores) == {"psnr", "psnr_back", "distance_digits", "distance_digits_back"}  # 8×8 is too small for SSIM
    assert 0 < scores["distance_digits"] == pytest.approx(scores["distance_digits_back"])
    assert truth.higher_is_better("psnr_back")
    assert not truth.higher_is_better("distance_digits_back")
    passport = truth.passport(game(inverting), digits_inverted(), "test", **ALL)
    assert (passport["network"], len(passport["network_sha256"])) == ("digits", 64)
    images = torch.randint(0, 256, (4, 3, 16, 16), generator=torch.Generator().manual_seed(0)).byte()
    split = Split({"image": images, "truth": 255 - images}, {"target": images})
    large = HiddenTruth().evaluate(game(inverting), Data("pairs", split, split, split), "test", **ALL)
    assert large["ssim"] == large["ssim_back"] == pytest.approx(1)


def test_errors_are_the_spread_over_halves():
    found = HiddenTruth().estimate(game(lambda x: x), digits_inverted(), "test", **ALL)
    assert found["psnr"].value == HiddenTruth().evaluate(game(lambda x: x), digits_inverted(), "test", **ALL)["psnr"]
    assert 0 < (found["psnr"].error or 0) < 0.2


def test_a_closed_cycle_says_nothing_about_the_truth():
    """Doing nothing closes every cycle."""
    data = digits_inverted()
    nothing = game(lambda x: x)
    assert Cycle().evaluate(nothing, data, "test", **ALL) == {"psnr_cycle_a": math.inf, "psnr_cycle_b": math.inf}
    assert HiddenTruth().evaluate(nothing, data, "test", **ALL)["psnr"] < 5


def test_exchanged_classes_are_told_from_lost_ones():
    data = digits_inverted()
    scores = ClassPreserved("inversion").evaluate(exchanging(data), data, "test", **ALL)
    share = (data.test.arrays["label"] > 1).double().mean().item()
    assert scores["class_preserved"] == pytest.approx(share, abs=0.02)
    assert scores["class_renamed"] > 0.97
    assert scores["classes_fixed"] == 8


def test_best_renaming_by_hand():
    label = torch.tensor([0, 0, 0, 1, 1, 2])
    seen = torch.tensor([1, 1, 0, 0, 0, 2])
    assert best_renaming(label, seen, 3) == (pytest.approx(5 / 6), 1)
    assert best_renaming(label, label, 3) == (1, 3)


def test_the_passport_says_what_was_looked_at():
    data = digits_inverted()
    passport = ClassPreserved("inversion").passport(game(inverting), data, "test", **ALL)
    assert (passport["n_fake"], passport["extractor"], passport["undo"]) == (497, "digits", "inversion")
    assert len(passport["weights_sha256"]) == 64


def test_data_without_truth_or_classes_are_refused_in_one_line():
    images = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    split = Split({"image": images}, {"target": images})
    data = Data("folders", split, split, split)
    with pytest.raises(ValueError, match="folders does not know the right translations"):
        HiddenTruth().check(data)
    with pytest.raises(ValueError, match="folders has no classes to be preserved"):
        ClassPreserved().check(data)
    Cycle().check(data)
    for evaluation in (Cycle(), HiddenTruth(), ClassPreserved()):
        with pytest.raises(ValueError, match="digits has no second domain"):
            evaluation.check(digits())
        evaluation.check(digits_inverted())
    assert Cycle().evaluate(game(inverting), data, "test", **ALL)["psnr_cycle_a"] == math.inf
