"""Evaluations with their errors: what stands in a record beside the value."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from forger.data.images import Data, Split, digits
from forger.data.ranges import to_float
from forger.metrics.autoencoding import Reconstruction
from forger.metrics.evaluation import DRAWS, Evaluation, SampleQuality, halved

DATA = digits()


class Game:
    """Draws training images, a little darker, the class that is asked for where it is conditional."""

    device, rank, world, average = torch.device("cpu"), 0, 1, None

    def __init__(self, classes=0):
        self.classes = classes
        self.asked = []

    def sample(self, n, labels=None, generator=None, *, only=None):
        rows = torch.randint(1100, (n,), generator=generator)
        only = torch.arange(n) if only is None else only
        self.asked.append(len(only))
        return to_float(DATA.train.arrays["image"][rows[only]]) * 0.9


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("FORGER_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def quality(*names):
    return SampleQuality("digits", list(names))


@pytest.mark.parametrize("classes", [0, 10])
def test_values_of_a_record_are_those_of_the_loop_and_have_errors(classes):
    names = ["fd", "is", "kd", "precision", "coverage", "vendi"]
    evaluation = quality(*names, *(["accuracy"] if classes else []))
    how = {"n": 200, "seed": 3}
    values = evaluation.evaluate(Game(classes), DATA, "test", **how)
    found = evaluation.measured(Game(classes), DATA, "test", **how)
    assert {name: score.value for name, score in found.items()} == pytest.approx(
        {name: value for name, value in values.items() if name != "kd_error_digits"}, rel=1e-5, abs=1e-9
    )
    assert all(score.error is not None and 0 <= score.error < 100 for score in found.values())
    assert found["kd_digits"].error == pytest.approx(values["kd_error_digits"], rel=1e-6)


def test_the_error_is_the_spread_over_generator_seeds():
    evaluation = quality("fd", "precision")
    draws = [evaluation.evaluate(Game(), DATA, "test", n=150, seed=seed) for seed in range(40)]
    found = [evaluation.measured(Game(), DATA, "test", n=150, seed=seed) for seed in range(6)]
    for name, low, high in (("fd_digits", 0.8, 2.2), ("precision_digits", 0.6, 1.5)):
        spread = np.std([draw[name] for draw in draws], ddof=1)
        assert low < np.mean([score[name].error for score in found]) / spread < high


def test_fakes_are_drawn_a_chunk_at_a_time(monkeypatch):
    monkeypatch.setattr("forger.metrics.evaluation.CHUNK", 64)
    whole, parts = Game(), Game()
    value = quality("fd", "precision").evaluate(parts, DATA, "test", n=200, seed=0)
    assert parts.asked == [64, 64, 64, 8]
    monkeypatch.undo()
    assert value == pytest.approx(quality("fd", "precision").evaluate(whole, DATA, "test", n=200, seed=0), rel=1e-6)


def test_other_evaluations_get_the_spread_over_generator_seeds():
    seeds = []

    class Chance(Evaluation):
        def evaluate(self, game, data, split, *, n, seed):
            seeds.append(seed)
            return {"score": float(seed), "sure": 1.0}

        def higher_is_better(self, name):
            return True

    found = Chance().measured(None, DATA, "test", n=10, seed=5)
    assert seeds == list(range(5, 5 + DRAWS))
    assert found["score"] == (5, pytest.approx(np.std(seeds, ddof=1)))
    assert found["sure"] == (1, 0)


def test_evaluations_of_real_images_get_the_spread_over_their_halves():
    game = SimpleNamespace(reconstruct=lambda images: images * 0.5, latent=4)
    evaluation = Reconstruction(pca=False)
    found = evaluation.measured(game, DATA, "test", n=10_000, seed=0)
    errors = (to_float(DATA.test.arrays["image"]).double() / 4).square().mean((1, 2, 3))
    assert found["mse"].value == pytest.approx(float(errors.mean()))
    assert found["mse"].error == pytest.approx(float(errors.std()) / 497**0.5, rel=0.6)  # of eight halves


def test_half_of_a_split_and_of_its_second_table_by_itself():
    images = torch.arange(10, dtype=torch.uint8).reshape(10, 1, 1, 1)
    split = Split({"image": images, "label": torch.arange(10)}, {"target": images[:6]})
    data = Data("toy", split, split, split, extra={"more": split})
    half = halved(data, "test", seed=0)
    assert half.train is split
    assert torch.equal(half.test.arrays["image"].flatten(), half.test.arrays["label"])
    assert (len(half.test), len(half.test.independent["target"])) == (5, 3)
    assert not torch.equal(half.test.arrays["label"], halved(data, "test", seed=1).test.arrays["label"])
    assert len(halved(data, "more", seed=0).extra["more"]) == 5


def test_a_module_of_ones_own_with_its_preprocessing():
    options = {"channels": 1, "range": [-1, 1], "size": 6}
    evaluation = SampleQuality("metrics.doubles.Recorder", ["fd"], preprocessing=options)
    evaluation.check(DATA)
    passport = evaluation.passport(Game(), DATA, "validation", n=50, seed=0)
    assert passport["preprocessing"] == "uint8 / 255, 1 channels, bilinear to 6 with antialias, range (-1, 1)"
    assert list(evaluation.evaluate(Game(), DATA, "validation", n=50, seed=0)) == ["fd_recorder"]
