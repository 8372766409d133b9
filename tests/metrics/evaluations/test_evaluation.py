"""Evaluations with their errors: what stands in a record beside the value."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from forger.data.dataset import Data, Split
from forger.data.images import digits
from forger.data.pixels.ranges import to_float
from forger.games.adversarial import AdversarialGame
from forger.games.autoencoder import AutoencoderGame
from forger.games.base import Player
from forger.losses.adversarial import least_squares
from forger.metrics.evaluations.autoencoding import Reconstruction
from forger.metrics.evaluations.base import DRAWS, Evaluation, halved, labels_to_ask, proportional
from forger.metrics.evaluations.classes import ClassCoverage
from forger.metrics.evaluations.known_density import DensityMatch
from forger.metrics.evaluations.sample_quality import SampleQuality, draw_fakes
from forger.metrics.features.reference import Reference
from forger.networks.autoencoders import MLP

DATA = digits()


class Game:
    """Draws training images, a little darker, the class that is asked for where it is conditional."""

    device, rank, world, averaged = torch.device("cpu"), 0, 1, False

    def __init__(self, classes=0):
        self.classes, self.conditions = classes, ()
        self.asked = []

    def sample(self, n, labels=None, generator=None, *, only=None):
        rows = torch.randint(1100, (n,), generator=generator)
        only = torch.arange(n) if only is None else only
        self.asked.append(len(only))
        return to_float(DATA.train.arrays["image"][rows[only]]) * 0.9


def quality(*names):
    return SampleQuality("digits", list(names))


@pytest.mark.parametrize("classes", [0, 10])
def test_values_of_a_record_are_those_of_the_loop_and_have_errors(classes):
    names = ["fd", "is", "kd", "precision", "coverage", "vendi"]
    evaluation = quality(*names, *(["accuracy"] if classes else []))
    how = {"n": 200, "seed": 3}
    values = evaluation.evaluate(Game(classes), DATA, "test", **how)
    found = evaluation.estimate(Game(classes), DATA, "test", **how)
    assert {name: score.value for name, score in found.items()} == pytest.approx(
        {name: value for name, value in values.items() if name != "kd_error_digits"}, rel=1e-5, abs=1e-9
    )
    assert all(score.error is not None and 0 <= score.error < 100 for score in found.values())
    assert found["kd_digits"].error == pytest.approx(values["kd_error_digits"], rel=1e-6)


def test_the_error_is_the_spread_over_generator_seeds():
    evaluation = quality("fd", "precision")
    draws = [evaluation.evaluate(Game(), DATA, "test", n=150, seed=seed) for seed in range(40)]
    found = [evaluation.estimate(Game(), DATA, "test", n=150, seed=seed) for seed in range(6)]
    for name, low, high in (("fd_digits", 0.8, 2.2), ("precision_digits", 0.6, 1.5)):
        spread = np.std([draw[name] for draw in draws], ddof=1)
        assert low < np.mean([score[name].error for score in found]) / spread < high


def test_fakes_are_drawn_a_chunk_at_a_time(monkeypatch):
    monkeypatch.setattr("forger.metrics.evaluations.sample_quality.CHUNK", 64)
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

    found = Chance().estimate(None, DATA, "test", n=10, seed=5)
    assert seeds == list(range(5, 5 + DRAWS))
    assert found["score"] == (5, pytest.approx(np.std(seeds, ddof=1)))
    assert found["sure"] == (1, 0)


def test_evaluations_of_real_images_get_the_spread_over_their_halves():
    game = SimpleNamespace(reconstruct=lambda images: images * 0.5, latent=4)
    evaluation = Reconstruction(pca=False)
    found = evaluation.estimate(game, DATA, "test", n=10_000, seed=0)
    errors = (to_float(DATA.test.arrays["image"]).double() / 4).square().mean((1, 2, 3))
    assert found["mse"].value == pytest.approx(float(errors.mean()))
    assert found["mse"].error == pytest.approx(float(errors.std()) / 497**0.5, rel=0.6)  # of eight halves


def test_a_game_that_does_not_offer_what_is_scored_is_refused():
    Reconstruction().fits(AutoencoderGame(MLP([1, 8, 8], 2, [4]), {"autoencoder": Player(torch.optim.SGD)}))
    quality("fd").fits(AdversarialGame(nn.Identity(), nn.Identity(), least_squares, {}, latent=2))
    with pytest.raises(ValueError, match="needs a game that samples, and SimpleNamespace does not"):
        quality("fd").fits(SimpleNamespace(reconstruct=print, latent=4))
    with pytest.raises(ValueError, match="needs a game that samples, and Game does not"):
        DensityMatch().fits(Game())


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


class Conditional(Game):
    """Draws real training digits of the class that is asked for."""

    def __init__(self, rank=0, world=1):
        super().__init__(classes=10)
        self.rank, self.world, self.labels = rank, world, []

    def sample(self, n, labels=None, generator=None, *, only=None):
        self.labels.append(labels)
        only = torch.arange(n) if only is None else only
        places = torch.rand(n, generator=generator)
        arrays = DATA.train.arrays
        members = [(arrays["label"] == label).nonzero().flatten() for label in range(10)]
        rows = [members[k][int(places[i] * len(members[k]))] for i, k in zip(only, labels[only].tolist(), strict=True)]
        return to_float(arrays["image"][torch.stack(rows)])


def in_order(order):
    """The digits, their test split in another order."""
    return replace(DATA, test=Split({name: array[order] for name, array in DATA.test.arrays.items()}))


BY_CLASS = in_order(DATA.test.arrays["label"].argsort(stable=True))  # as a folder of classes is


def test_labels_follow_the_proportions_by_the_seed_and_not_the_order():
    labels = torch.tensor([0] * 50 + [1] * 30 + [3] * 20)
    for n in (100, 300):
        assert proportional(labels, n, 0).bincount().tolist() == [n // 2, 3 * n // 10, 0, n // 5]
    some = proportional(labels, 30, 0)
    assert all(abs(a - b) <= 1 for a, b in zip(some.bincount().tolist(), (15, 9, 0, 6), strict=True))
    assert torch.equal(some, proportional(labels[torch.randperm(100)], 30, 0))
    assert not torch.equal(some, proportional(labels, 30, 1))
    first_half = proportional(labels, 1000, 0)[:500].bincount()
    assert 220 < first_half[0] < 280  # in random order, so that ranks and halves of them are alike
    rare = torch.stack([proportional(labels, 2, seed) for seed in range(400)])
    assert rare.flatten().bincount().double().div(800).tolist() == pytest.approx([0.5, 0.3, 0, 0.2], abs=0.05)


def test_scores_of_a_conditional_game_do_not_depend_on_the_order_of_the_data():
    evaluate = quality("fd", "is", "accuracy").evaluate
    how = {"n": 120, "seed": 0}
    found = evaluate(Conditional(), DATA, "test", **how)
    assert quality("fd", "is", "accuracy").evaluate(Conditional(), BY_CLASS, "test", **how) == pytest.approx(found)
    assert found["is_digits"] > 8  # all ten classes were asked for
    assert found["accuracy_digits"] > 0.98


def test_ranks_ask_for_their_share_of_the_same_labels():
    asked = []
    for rank in (0, 1):
        game = Conditional(rank, world=2)
        labels = labels_to_ask(game, BY_CLASS.test.arrays["label"], 60, 0)
        assert sum(len(fakes) for fakes, _ in draw_fakes(game, 60, labels, 0)) == 30
        asked += game.labels
    assert torch.equal(*asked)


def test_modes_are_counted_among_classes_asked_for_as_often_as_they_are_trained_on():
    rows = (DATA.train.arrays["label"] < 2) | (torch.arange(1100) % 10 == 0)  # mostly zeros and ones
    data = replace(DATA, train=Split({name: array[rows] for name, array in DATA.train.arrays.items()}))
    assert ClassCoverage().evaluate(Conditional(), data, "test", n=400, seed=0)["kl_modes"] < 0.02


def test_features_of_the_training_images_are_read_once(monkeypatch):
    read, build = [], Reference.build

    def counted(extractor, images, *, split, **options):
        read.append(split)
        return build(extractor, images, split=split, **options)

    monkeypatch.setattr(Reference, "build", counted)
    evaluation = quality("fd", "memorisation")
    for split in ("validation", "test", "validation"):
        evaluation.evaluate(Game(), DATA, split, n=20, seed=0)
    assert sorted(read) == ["digits/test", "digits/train", "digits/validation"]
