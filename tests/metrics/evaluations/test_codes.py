"""Whether codes are classes, with games that know the digits by a permutation of their names."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from forger.data.images import digits
from forger.data.pixels.ranges import to_float
from forger.metrics.evaluations.codes import CodeAccuracy

DATA = digits()


class Renamed:
    """Code c is digit (c + 3) % 10, read rightly from all images but the first ``wrong`` of a split."""

    codes = classes = 10
    averaged = False
    conditions = ()

    def __init__(self, wrong=0):
        self.wrong = wrong

    def classify(self, samples):
        labels = DATA.test.arrays["label"]
        read = (labels - 3) % 10
        read[: self.wrong] = (read[: self.wrong] + 1) % 10
        return F.one_hot(read, 10)

    def sample(self, n, labels, generator):
        arrays = DATA.train.arrays
        rows = [(arrays["label"] == (code + 3) % 10).nonzero()[0, 0] for code in labels.tolist()]
        return to_float(arrays["image"][torch.stack(rows)])


def scores(game):
    return CodeAccuracy(n=40).evaluate(game, DATA, "test", n=7, seed=0)


def test_codes_are_classes_by_any_names():
    assert scores(Renamed()) == {"code_accuracy": 1, "code_agreement_digits": 1}
    assert scores(Renamed(wrong=100))["code_accuracy"] == pytest.approx(1 - 100 / len(DATA.test))


def test_fewer_codes_than_classes_find_as_many_classes():
    class Halves(Renamed):
        codes = 2

        def classify(self, samples):
            return F.one_hot((DATA.test.arrays["label"] >= 5).long(), 2)

    counts = DATA.test.arrays["label"].bincount()
    expected = (counts[:5].max() + counts[5:].max()) / counts.sum()
    assert scores(Halves())["code_accuracy"] == pytest.approx(float(expected))


def test_what_has_no_codes_or_no_classes_is_refused():
    class Plain(Renamed):
        codes = 0

    others = dict.fromkeys(("rank", "world", "shown", "device")) | {"live_weights": print}
    with pytest.raises(ValueError, match="no classes that codes could turn out to be"):
        CodeAccuracy().check(replace(DATA, classes=0))
    with pytest.raises(ValueError, match="needs a game that samples codes"):
        CodeAccuracy().fits(object())
    with pytest.raises(ValueError, match=r"its generator is told no codes; \+model/objectives=infogan adds them"):
        CodeAccuracy().fits(type("Game", (Plain,), others)())
