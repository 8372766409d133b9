"""Whether the asked classes are made, with generators that copy real digits."""

from dataclasses import replace

import pytest
import torch

from forger.data.images import digits
from forger.data.pixels.ranges import to_float
from forger.metrics.evaluations import conditional as module
from forger.metrics.evaluations.conditional import ConditionalAccuracy

DATA = digits()


class Copies:
    """Real digits of the training split of the class asked for, or of the next one."""

    classes = 10
    averaged = False

    def __init__(self, shift=0):
        self.shift = shift

    def sample(self, n, labels, generator):
        arrays = DATA.train.arrays
        rows = []
        for label in labels.tolist():
            members = (arrays["label"] == (label + self.shift) % 10).nonzero().flatten()
            rows.append(members[torch.randint(len(members), (), generator=generator)])
        return to_float(arrays["image"][torch.stack(rows)])


def scores(game, n=400, **options):
    return ConditionalAccuracy(n=n, **options).evaluate(game, DATA, "test", n=7, seed=0)


def test_real_digits_are_what_was_asked_for():
    found = scores(Copies())
    assert found["agreement_digits"] >= 0.99
    assert found["train_on_fake"] >= 0.93  # of 400 digits instead of 1,100
    assert found["train_on_real"] == pytest.approx(0.988, abs=0.005)


def test_wrong_digits_are_not():
    found = scores(Copies(shift=1))
    assert found["agreement_digits"] <= 0.01
    assert found["train_on_fake"] <= 0.02


def test_all_classes_are_asked_for_whatever_the_split_has():
    asked = []

    class Listening(Copies):
        def sample(self, n, labels, generator):
            asked.append(labels)
            return super().sample(n, labels, generator)

    evaluation = ConditionalAccuracy(n=50)
    evaluation.evaluate(Listening(), DATA, "validation", n=7, seed=0)
    assert asked[0].bincount().tolist() == [5] * 10
    assert evaluation.passport(Copies(), DATA, "validation", n=7, seed=0)["n_fake"] == 50


def test_what_can_not_be_judged_is_refused():
    class Unconditional(Copies):
        classes = 0

    class Few(Copies):
        classes = 2

    split = replace(DATA, classes=0)
    with pytest.raises(ValueError, match="digits has no classes to ask for"):
        ConditionalAccuracy().check(split)
    with pytest.raises(ValueError, match="digits extractor does not tell 2 classes apart"):
        ConditionalAccuracy().check(replace(DATA, classes=2))
    ConditionalAccuracy().check(DATA)
    assert scores(Unconditional()) == {}
    with pytest.raises(ValueError, match="does not tell 2 classes apart"):
        scores(Few())


def test_what_real_images_teach_is_found_once_for_each_split(monkeypatch):
    data, fits, judged = digits(), [], []
    fit, judge = module.classifier, module.accuracy
    monkeypatch.setattr(module, "classifier", lambda images, *more: fits.append(len(images)) or fit(images, *more))
    monkeypatch.setattr(
        module, "accuracy", lambda fitted, real, *more: judged.append(len(real)) or judge(fitted, real, *more)
    )
    evaluation = ConditionalAccuracy(n=50)
    found = [evaluation.evaluate(Copies(), data, split, n=7, seed=0) for split in ("validation", "test") * 2]
    assert [score["train_on_real"] for score in found[:2]] == [score["train_on_real"] for score in found[2:]]
    assert sorted(fits) == [50] * 4 + [1100]
    assert sorted(judged) == [200] * 3 + [497] * 3
