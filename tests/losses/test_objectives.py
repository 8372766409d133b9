"""Objectives of a config against values worked out by hand and formulas written out one number at a time."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from forger.games.schedules import linear
from forger.losses.objective import Features, Objective, Setting, Turn, prepare, width
from forger.losses.objectives import AuxiliaryClassifier, ContrastiveClassifier, MutualInformation, Orthogonality
from forger.networks import dcgan, mlp, r3gan, resnet
from forger.randomness import Noise

SETTING = Setting(("discriminator", "generator"), nn.Identity(), mlp.Discriminator([1, 8, 8], 3), 2, 0, 4)


def turn(player, *, real=None, fake=None, labels=None, told=None, z=None, generator=None, shown=0):
    """What an objective is given, with features for the reals and the fakes."""
    empty, noise = torch.zeros(0), Noise(torch.Generator().manual_seed(0))
    networks = (generator or nn.Identity(), nn.Identity())
    return Turn(player, empty, empty, labels, told, empty if z is None else z, real, fake, *networks, noise, shown)


def with_identity(objective, setting=SETTING):
    """Its head passes features on."""
    objective.prepare(setting)
    objective.head = nn.Identity()
    return objective


def test_the_auxiliary_classifier_by_hand():
    """Logits (0, ln 3): probabilities 1/4 and 3/4."""
    classifier, logits = with_identity(AuxiliaryClassifier(2.0)), torch.tensor([[0.0, math.log(3)]])
    zero, one = torch.tensor([0]), torch.tensor([1])
    of_fakes = turn("generator", fake=logits, told=one)
    assert classifier(of_fakes).item() == pytest.approx(2 * math.log(4 / 3))
    of_both = turn("discriminator", real=logits, labels=zero, fake=logits, told=one)
    assert classifier(of_both).item() == pytest.approx(2 * (math.log(4) + math.log(4 / 3)))


def contrasted(embedded, proxies, labels, temperature, margin):
    """Kang et al. 2021, eq. 7, one number at a time."""
    cosine = lambda a, b: sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)  # noqa: E731
    total = 0.0
    for i, a in enumerate(embedded):
        drawn = math.exp(min(cosine(a, proxies[labels[i]]) - margin, 0) / temperature)
        pushed = sum(
            math.exp(max(cosine(a, b) - (1 - margin), 0) / temperature)
            for j, b in enumerate(embedded)
            if labels[j] != labels[i]
        )
        total -= math.log(drawn / (drawn + pushed)) / len(embedded)
    return total


@pytest.mark.parametrize(("temperature", "margin"), [(0.5, 0.98), (0.2, 0.6)])
def test_data_to_data_cross_entropy_equals_its_equation(temperature, margin):
    draw = torch.Generator().manual_seed(1)
    embedded, proxies = torch.randn(7, 3, generator=draw), torch.randn(2, 3, generator=draw)
    labels = torch.tensor([0, 1, 1, 0, 0, 1, 0])
    objective = with_identity(ContrastiveClassifier(1.0, temperature=temperature, margin=margin, embedding=3))
    objective.proxies.data = proxies
    expected = contrasted(embedded.tolist(), proxies.tolist(), labels.tolist(), temperature, margin)
    of_reals = turn("discriminator", real=embedded, labels=labels)
    assert objective(of_reals).item() == pytest.approx(expected, rel=1e-5)
    assert objective(turn("generator", fake=embedded, told=labels)).item() == pytest.approx(expected, rel=1e-5)
    # A rank's two samples among those of all.
    share = replace(of_reals, real_features=embedded[:2], labels=labels[:2])
    everyones = replace(share, gathered=lambda x: labels if x.ndim == 1 else nn.functional.normalize(embedded, dim=1))
    others = [replace(everyones, real_features=embedded[i : i + 1], labels=labels[i : i + 1]) for i in range(7)]
    assert sum(objective(other).item() for other in others) / 7 == pytest.approx(expected, rel=1e-5)


def test_one_class_alone_has_nothing_to_push():
    objective = with_identity(ContrastiveClassifier(1.0, embedding=3))
    alone = turn("discriminator", real=torch.randn(4, 3), labels=torch.zeros(4, dtype=torch.long))
    assert objective(alone).item() == pytest.approx(0)


def test_mutual_information_by_hand():
    """Codes that are read with probability 3/4 of 2: ln 2 + ln 3/4; a coordinate off by 1 under unit variance: 1/2."""
    codes = replace(SETTING, classes=0, codes=2)
    categorical, logits = with_identity(MutualInformation(1.0), codes), torch.tensor([[0.0, math.log(3)]])
    one = torch.tensor([1])
    for player in SETTING.players:
        assert categorical(turn(player, fake=logits, told=one)).item() == pytest.approx(-math.log(2) - math.log(3 / 4))
    both = with_identity(MutualInformation(1.0, coordinates=1), codes)
    found, z = torch.cat([logits, torch.tensor([[2.0]])], 1), torch.tensor([[1.0, 9, 9, 9]])
    expected = -math.log(2) - math.log(3 / 4) + 1 / 2 - 1 / 2
    assert both(turn("generator", fake=found, told=one, z=z)).item() == pytest.approx(expected)


def test_coordinates_of_which_nothing_is_known_tell_nothing():
    """E over N(0, 1) of the surprise under N(0, 1), less its entropy, is 0; with z itself as the mean it is −1/2."""
    objective = with_identity(MutualInformation(1.0, coordinates=1), replace(SETTING, classes=0))
    z = torch.randn(100_000, 4, generator=torch.Generator().manual_seed(0))
    assert objective(turn("generator", fake=torch.zeros(len(z), 1), z=z)).item() == pytest.approx(0, abs=0.01)
    assert objective(turn("generator", fake=z[:, :1], z=z)).item() == pytest.approx(-0.5)


def test_orthogonality_by_hand():
    """Rows (1, 2), (3, 4): 2 · 11²; and a kernel with orthogonal filters; embeddings and biases are left out."""
    network = nn.Sequential(nn.Linear(2, 2), nn.Conv2d(1, 2, (1, 2), bias=False), nn.Embedding(3, 2))
    network[0].weight.data = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    network[1].weight.data = torch.tensor([[1.0, 1.0], [1.0, -1.0]]).reshape(2, 1, 1, 2)
    assert Orthogonality(0.5)(turn("generator", generator=network)).item() == pytest.approx(0.5 * 242)


class Shown(Objective):
    players = ("generator",)

    def term(self, turn):
        return torch.tensor(7.0)


def test_the_weight_follows_its_schedule_and_how_seldom_it_is_called():
    objective = Shown(partial(linear, budget=100), every=3)
    assert objective(turn("generator", shown=25)).item() == pytest.approx(0.75 * 3 * 7)
    with pytest.raises(ValueError, match="weight"):
        Shown(partial(linear, budget=100, final=-1.0))


@pytest.mark.parametrize(
    ("objective", "changed", "said"),
    [
        (AuxiliaryClassifier(), {"classes": 0}, r"^objectives.mine: needs labels of one class each: set model.classes"),
        (ContrastiveClassifier(), {"classes": 0}, r"^objectives.mine: needs labels of one class each"),
        (MutualInformation(), {}, r"^objectives.mine: needs codes: set model.codes and model.generator.classes"),
        (MutualInformation(coordinates=5), {}, r"^objectives.mine: coordinates=5: z has 4$"),
        (Orthogonality(), {"players": ["discriminator"]}, r"^objectives.mine: needs a player called generator$"),
        (AuxiliaryClassifier(), {"discriminator": nn.Identity()}, r"Identity has no last layer called output$"),
    ],
)
def test_what_is_missing_is_said_in_one_line(objective, changed, said):
    with pytest.raises(ValueError, match=said):
        prepare({"mine": objective}, replace(SETTING, **changed))


@pytest.mark.parametrize(
    "discriminator",
    [
        mlp.Discriminator([1, 8, 8], 5, minibatch_std=True),
        dcgan.Discriminator(8, 1, 4, smallest=2),
        resnet.Discriminator(8, 1, 4),
        r3gan.Discriminator(8, 1, 4),
    ],
    ids=lambda network: type(network).__module__.rpartition(".")[2],
)
def test_every_discriminator_has_features(discriminator):
    seen, x = Features(discriminator), torch.randn(2, 1, 8, 8)
    logits, features = discriminator(x), seen.taken()
    assert features.shape == (2, width(discriminator))
    output = discriminator.output
    shape = (2, output.in_channels, *output.kernel_size) if isinstance(output, nn.Conv2d) else (2, -1)
    torch.testing.assert_close(output(features.reshape(shape)).reshape(2), logits)
