"""Objectives in the adversarial game: against a plain loop, in their turns, with heads, codes and state."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from forger.data.images import digits
from forger.data.loader import Batches
from forger.errors import ConfigError
from forger.games.adversarial import AdversarialGame
from forger.games.base import Player
from forger.losses import adversarial as losses
from forger.losses.objective import Objective
from forger.losses.objectives import AuxiliaryClassifier, ContrastiveClassifier, MutualInformation
from forger.metrics.evaluations.base import labels_to_ask
from forger.networks import mlp
from games.training import train
from reference import objectives as reference

ADAM = partial(torch.optim.Adam, lr=1e-3, betas=(0.5, 0.99))


def batches(n=32):
    yield from Batches(digits().train, batch_size=n, seed=0, position=lambda: 0)


def game(objectives, told=10, players=None, **options):
    torch.manual_seed(1)
    G, D = mlp.Generator(8, [1, 8, 8], 32, classes=told), mlp.Discriminator([1, 8, 8], 32)
    players = players or {"discriminator": Player(ADAM), "generator": Player(ADAM)}
    return AdversarialGame(G, D, losses.non_saturating, players, 8, objectives=objectives, **options)


@pytest.mark.parametrize(
    ("objective", "options"),
    [(AuxiliaryClassifier(0.7), {"classes": 10}), (MutualInformation(0.7), {"codes": 10})],
    ids=["acgan", "infogan"],
)
def test_rounds_equal_a_plain_loop(objective, options):
    played = game({"mine": objective}, **options)
    head = objective.head if isinstance(objective.head, nn.Linear) else objective.head[0]
    G, D, head = copy.deepcopy((played.generator, played.discriminator, head))
    D.output._forward_pre_hooks.clear()
    train(played, batches(), 5)
    few = (batch for batch, _ in zip(batches(), range(5), strict=False))
    reference.train(G, D, head, ADAM, few, latent=8, weight=0.7, codes=options.get("codes", 0))
    pairs = [(played.generator, G), (played.discriminator, D), (objective.head, head)]
    for mine, theirs in pairs:
        for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


class Recorded(Objective):
    """Adds nothing; keeps what it was given, and counts in a buffer."""

    players = ("discriminator", "generator")

    def __init__(self, every=1):
        super().__init__(1.0, every)
        self.turns = []
        self.register_buffer("count", torch.zeros(()))

    def term(self, turn):
        self.turns.append(turn)
        self.count += 1
        return 0 * turn.fake.sum()


def test_an_objective_is_called_in_its_share_of_a_players_moves():
    recorded, players = Recorded(every=2), {"discriminator": Player(ADAM), "generator": Player(ADAM, every=3)}
    played = game({"mine": recorded}, players=players, classes=10)
    train(played, batches(), 13)
    found = [(turn.player, turn.shown // 32) for turn in recorded.turns]
    assert [at for player, at in found if player == "discriminator"] == [0, 2, 4, 6, 8, 10, 12]
    assert [at for player, at in found if player == "generator"] == [0, 6, 12]
    assert played.state_dict()["objectives.mine.count"] == 10
    assert recorded in played.remembering("generator")


@pytest.mark.parametrize("fresh", [False, True])
def test_a_turn_knows_latents_labels_and_where_fakes_come_from(fresh):
    recorded = Recorded()
    played = game({"mine": recorded}, classes=10, fresh_batch=fresh)
    train(played, batches(64 if fresh else 32), 1)
    detected, forged = recorded.turns
    assert (detected.fake.requires_grad, forged.fake.requires_grad) == (False, True)
    assert torch.equal(detected.z, forged.z) != fresh
    for turn in recorded.turns:
        assert turn.z.shape == (32, 8)
        assert torch.equal(turn.labels, turn.fake_labels)
        assert turn.real_features is turn.fake_features is None  # which nothing asked for


def test_the_discriminator_moves_heads_and_the_generator_leaves_them_alone():
    classifier, players = AuxiliaryClassifier(), {"discriminator": Player(ADAM), "generator": Player(ADAM)}
    played = game({"mine": classifier}, players=players, classes=10)
    assert played.players["discriminator"].networks == ["discriminator", "objectives.mine"]
    assert players["discriminator"].networks == []  # which other games may be given, too
    before = copy.deepcopy(classifier.head.weight)
    played.round = lambda: ["generator"]
    train(played, batches(), 1)
    assert torch.equal(classifier.head.weight, before)
    del played.round
    train(played, batches(), 1)
    assert not torch.equal(classifier.head.weight, before)
    named = {"discriminator": Player(ADAM), "generator": Player(ADAM, networks=["generator", "objectives.mine"])}
    assert game({"mine": AuxiliaryClassifier()}, players=named, classes=10).players["discriminator"].networks == []


def test_codes_are_uniform_and_told_to_the_generator_alone():
    recorded = Recorded()
    played = game({"read": MutualInformation(), "mine": recorded}, told=5, codes=5)
    train(played, batches(), 40)
    codes = torch.cat([turn.fake_labels for turn in recorded.turns if turn.player == "generator"])
    assert codes.bincount(minlength=5).float().div(len(codes)).sub(0.2).abs().max() < 0.04
    assert played.classes == 5
    asked = labels_to_ask(played, torch.tensor([9, 9, 9, 1]), 7, 0)
    assert asked.tolist() == [0, 1, 2, 3, 4, 0, 1]  # not in the shares of the digits
    samples = played.sample(10)
    z = played.latents(10, torch.Generator().manual_seed(0))
    torch.testing.assert_close(samples, played.decode(z, torch.arange(10) % 5))
    assert torch.equal(played.discriminate(samples, torch.arange(10)), played.discriminate(samples))
    assert played.classify(samples).shape == (10, 5)
    assert played.parts()["generator"].takes == ("z", "labels")


def test_what_the_heads_read_is_what_the_game_says_of_pictures():
    classifier = ContrastiveClassifier(embedding=4)
    played = game({"mine": classifier}, classes=10)
    x = torch.rand(3, 1, 8, 8)
    embedded, proxies = (nn.functional.normalize(v, dim=1) for v in
                         (classifier.head(played.discriminator.blocks(x.flatten(1))), classifier.proxies))  # fmt: skip
    torch.testing.assert_close(played.classify(x), embedded @ proxies.T / 0.5)
    with pytest.raises(ValueError, match="no objective of this game tells classes or codes apart"):
        game({}).classify(x)


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValueError, match="codes: the generator is told either the data's classes or codes of its own"):
        game({}, classes=10, codes=10)
    with pytest.raises(ConfigError, match=r"model\.objectives\.fake: the discriminator has a term of this name"):
        train(game({"fake": Recorded()}, classes=10), batches(), 1)
