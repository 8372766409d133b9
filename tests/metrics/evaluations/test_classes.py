"""Class coverage of games whose images are real digits, chosen by hand."""

import math
from contextlib import contextmanager

import pytest
import torch

from forger.data.images import digits, stacked_digits
from forger.data.pixels.ranges import to_float
from forger.data.points import ring8
from forger.metrics.evaluations.classes import ClassCoverage


class Game:
    """Draws uint8 images from a set in turn; the live weights know only the first few."""

    classes, conditions = 0, ()

    def __init__(self, images, few=None):
        self.images, self.few = images, few
        self.averaged, self.shown = few is not None, len(images)

    @contextmanager
    def live_weights(self):
        whole, self.shown = self.shown, self.few
        yield
        self.shown = whole

    def sample(self, n, labels=None, generator=None):
        return to_float(self.images[torch.arange(n) % self.shown])


@pytest.fixture(scope="module")
def stacked():
    return stacked_digits(n=20_000)


@pytest.mark.long
def test_a_thousand_modes_of_real_stacked_digits(stacked):
    found = ClassCoverage().evaluate(Game(stacked.test.arrays["image"]), stacked, "test", n=26_000, seed=0)
    assert found["modes"] >= 990  # the test digits that the classifier misreads are always the same
    # 26,000 draws and 20,000 training labels: 999 / 52,000 and 999 / 40,000 of it are chance.
    assert 0.02 < found["kl_modes"] < 0.12
    assert set(found) == {"modes", "kl_modes"}


def test_the_live_weights_stand_beside_the_average(stacked):
    train = stacked.train.arrays["image"]
    found = ClassCoverage().evaluate(Game(train[:2000], few=1), stacked, "test", n=4000, seed=0)
    assert found["modes"] > 800
    share = (stacked.train.arrays["label"] == stacked.train.arrays["label"][0]).double().mean()
    assert (found["modes_raw"], found["kl_modes_raw"]) == (1, pytest.approx(-math.log(share)))


def test_of_grey_digits_it_counts_the_ten():
    data = digits()
    images, labels = data.train.arrays["image"], data.train.arrays["label"]
    evaluation = ClassCoverage()
    assert evaluation.evaluate(Game(images), data, "test", n=1100, seed=0)["modes"] == 10
    four = evaluation.evaluate(Game(images[labels < 4]), data, "test", n=440, seed=0)
    assert four["modes"] == 4
    assert four["kl_modes"] == pytest.approx(math.log(10 / 4), abs=0.01)


def test_directions_and_passport(stacked):
    evaluation = ClassCoverage()
    assert evaluation.higher_is_better("modes")
    assert not evaluation.higher_is_better("kl_modes")
    assert not evaluation.higher_is_better("kl_modes_raw")
    passport = evaluation.passport(None, stacked, "test", n=26_000, seed=3)
    assert passport["extractor"] == "digits"
    assert (passport["split"], passport["n_fake"], passport["seed"]) == ("stacked_digits/test", 26_000, 3)


def test_what_the_classifier_can_not_tell_apart_is_refused_before_training(stacked):
    ClassCoverage().check(stacked)
    ClassCoverage().check(digits())
    with pytest.raises(ValueError, match="images"):
        ClassCoverage().check(ring8(n=10))
