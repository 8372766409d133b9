"""Whether fakes have the attributes and values that were asked for, by generators that copy real digits."""

from dataclasses import replace

import pytest
import torch

from forger.data.conditions import Attribute, Value
from forger.data.dataset import Split
from forger.data.images import digits
from forger.data.pixels.ranges import to_float
from forger.metrics.evaluations import conditions as module
from forger.metrics.evaluations.conditions import ConditionsMet


def told(split):
    """Digits with two conditions: whether they are even, and the mean of their pixels."""
    label, image = split.arrays["label"], split.arrays["image"]
    return Split({"image": image, "label": torch.stack([(label % 2 == 0).float(), image.float().mean((1, 2, 3))], 1)})


CONDITIONS = (Attribute("is even", ("no", "yes")), Value("ink", 80.0, 10.0, 40.0, 120.0))
DATA = digits()
DATA = replace(DATA, train=told(DATA.train), validation=told(DATA.validation), test=told(DATA.test),
               classes=0, conditions=CONDITIONS)  # fmt: skip


class Copies:
    """The real digit of the test split with the numbers asked for, or with those of another row."""

    classes = 0
    conditions = CONDITIONS
    averaged = False
    rank, world, shown, device, live_weights = 0, 1, 0, "cpu", print

    def __init__(self, obedient=True):
        self.obedient = obedient

    def sample(self, n, labels, generator):
        rows = torch.cdist(labels, DATA.test.arrays["label"]).argmin(1)
        rows = rows if self.obedient else rows[torch.randperm(n, generator=generator)]
        return to_float(DATA.test.arrays["image"][rows])


def scores(game):
    return ConditionsMet(n=497).evaluate(game, DATA, "test", n=7, seed=0)


def test_real_digits_have_what_was_asked_for():
    found = scores(Copies())
    assert [*found] == ["agreement_is_even", "agreement_is_even_real", "r2_ink", "r2_ink_real"]
    assert found["agreement_is_even_real"] == pytest.approx(0.986, abs=0.005)
    assert found["agreement_is_even"] == pytest.approx(0.986, abs=0.01)
    assert found["r2_ink_real"] == pytest.approx(0.99, abs=0.005)
    assert found["r2_ink"] == pytest.approx(0.99, abs=0.01)


def test_digits_in_any_order_have_not():
    found = scores(Copies(obedient=False))
    assert found["agreement_is_even"] == pytest.approx(0.5, abs=0.06)
    assert found["r2_ink"] == pytest.approx(-1, abs=0.2)  # independent, of the same variance: 1 - 2


def test_judges_are_trained_once_and_no_column_needs_to_vary(monkeypatch):
    trained = []
    judges = module._judges
    monkeypatch.setattr(module, "_judges", lambda data: trained.append(1) or judges(data))
    arrays = DATA.train.arrays
    even = Split({name: array[arrays["label"][:, 0] == 1] for name, array in arrays.items()})
    data, evaluation = replace(DATA, train=even), ConditionsMet(n=50)
    found = [evaluation.evaluate(Copies(), data, split, n=7, seed=0) for split in ("validation", "test", "test")]
    assert len(trained) == 1
    assert found[1] == found[2]
    assert found[2]["agreement_is_even_real"] == pytest.approx(0.5, abs=0.05)


def test_data_or_a_game_without_conditions_are_refused():
    with pytest.raises(ValueError, match="digits has no conditions to ask for"):
        ConditionsMet().check(digits())
    with pytest.raises(ValueError, match="needs a game that is told conditions"):
        ConditionsMet().fits(type("Unconditional", (Copies,), {"conditions": ()})())
