"""On real digits every score must see what it claims to see, and tell more wrong from less wrong."""

import pytest
import torch
from torch.nn.functional import avg_pool2d

from forger.data.images import digits
from forger.metrics.features.extractors import DigitsExtractor
from forger.metrics.features.reference import Reference
from forger.metrics.scores.collection import Scores

NAMES = ["fd", "is", "kd", "precision", "coverage", "memorisation", "vendi", "accuracy"]


@pytest.fixture(scope="module")
def values():
    data, extractor = digits(), DigitsExtractor()
    train, labels = data.train.arrays["image"], data.train.arrays["label"]
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    train, labels = train[order], labels[order]
    known, known_labels = train[:550], labels[:550]  # what a generator "was trained on"
    new, new_labels = train[550:1047], labels[550:1047]
    reference = Reference.build(extractor, data.test.arrays["image"], split="digits/test")
    trained = Reference.build(extractor, known, split="digits/train")
    scores = Scores(extractor, reference, NAMES, train=trained)

    def of(images, asked):
        scores.reset()
        scores.update(images[:497], asked[:497])
        return {name.removesuffix("_digits"): value for name, value in scores.compute().items()}

    few = (labels < 9).nonzero().flatten()
    half = (labels < 5).nonzero().flatten()
    noise = torch.randint(0, 256, new.shape, generator=torch.Generator().manual_seed(1)).byte()
    grain = torch.randn(new.shape, generator=torch.Generator().manual_seed(2)) * 25
    return {
        "new": of(new, new_labels),
        "grain": of((new + grain).round().clamp(0, 255).byte(), new_labels),
        "nine": of(train[few], labels[few]),
        "half": of(train[half], labels[half]),
        "blur": of(avg_pool2d(new.float(), 3, 1, 1).round().byte(), new_labels),
        "noise": of(noise, new_labels),
        "repeated": of(new[:50].repeat(10, 1, 1, 1), new_labels[:50].repeat(10)),
        "copies": of(known, known_labels),
    }


@pytest.mark.parametrize("name", ["fd", "kd"])
def test_distances_rank_the_damage(values, name):
    little, much = ("grain", "nine"), ("half", "blur", "noise")
    assert all(values[kind][name] > values["new"][name] for kind in little)
    assert min(values[kind][name] for kind in much) > 2 * max(values[kind][name] for kind in little)
    assert values["repeated"][name] > 3 * abs(values["new"][name])


def test_one_class_left_out_stands_well_above_the_floor(values):
    assert values["nine"]["fd"] > 5 * values["new"]["fd"]


def test_coverage_and_recall_fall_with_modes_and_repeats(values):
    for kind in ("half", "repeated"):
        assert values[kind]["coverage"] < 0.65 * values["new"]["coverage"]
        assert values[kind]["recall"] < values["new"]["recall"]
        assert values[kind]["precision"] > 0.9 * values["new"]["precision"]
    assert values["half"]["vendi"] < values["nine"]["vendi"] < values["new"]["vendi"]


def test_inception_score_and_accuracy(values):
    assert values["half"]["is"] < 5.2 < 9 < values["new"]["is"] <= 10
    assert values["new"]["accuracy"] > 0.98
    assert values["noise"]["accuracy"] < 0.3


def test_copies_of_training_images_are_caught(values):
    assert values["new"]["memorisation"] == pytest.approx(0.5, abs=0.1)
    assert values["new"]["neighbour_ratio"] == pytest.approx(1, abs=0.1)
    assert values["copies"]["memorisation"] > 0.9
    assert values["copies"]["neighbour_ratio"] < 1e-3
