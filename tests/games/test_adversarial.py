"""AdversarialGame against a plain PyTorch loop, and what it promises of its own."""

import copy
import itertools
from functools import partial

import pytest
import torch

from forger.data.images import digits
from forger.data.loader import Batches
from forger.errors import Diverged
from forger.games.adversarial import AdversarialGame
from forger.games.base import Player
from forger.losses import adversarial as losses
from forger.losses.penalties import R1
from forger.networks import dcgan, mlp
from games.training import train
from reference import adversarial as reference

ADAM = partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999))


def networks(kind, classes=0):
    torch.manual_seed(1)
    if kind == "dcgan":
        return dcgan.Generator(8, 8, 1, 8, classes), dcgan.Discriminator(8, 1, 8, classes)
    return mlp.Generator(8, [1, 8, 8], 32, classes=classes), mlp.Discriminator([1, 8, 8], 32, classes=classes)


def game(G, D, loss=losses.non_saturating, optimizer=ADAM, generator=None, **options):
    players = {"discriminator": Player(optimizer), "generator": Player(optimizer, **(generator or {}))}
    return AdversarialGame(G, D, loss, players, latent=8, **options)


def batches(seed=0, batch_size=32, labels=True, **options):
    for batch in Batches(digits().train, batch_size=batch_size, seed=seed, position=lambda: 0, **options):
        yield batch if labels else {"image": batch["image"]}


@pytest.mark.parametrize("kind", ["mlp", "dcgan"])
@pytest.mark.parametrize("loss", [losses.minimax, losses.non_saturating, losses.relativistic])
@pytest.mark.parametrize("classes", [0, 10])
@pytest.mark.parametrize("penalties", [{}, {"r1": R1(0.5, every=1)}], ids=["plain", "r1"])
def test_rounds_equal_a_plain_loop_bit_by_bit(kind, loss, classes, penalties):
    G, D = networks(kind, classes)
    G2, D2, average = copy.deepcopy(G), copy.deepcopy(D), copy.deepcopy(G)
    ours = train(game(G, D, loss, penalties=penalties, ema=0.998, classes=classes), batches(), 4)
    few = itertools.islice(batches(), 4)
    reference.train(G2, D2, loss, ADAM, few, latent=8, penalties=penalties, average=average)
    pairs = [(G, G2), (D, D2), (ours.average.network, average)]
    for mine, theirs in pairs:
        for name, value in mine.state_dict().items():
            assert (value - theirs.state_dict()[name]).abs().max() == 0, name


def test_counts_rounds_and_images_whatever_the_schedule():
    played = train(game(*networks("mlp"), generator={"every": 3}), batches(), 7)
    assert (played.iteration, played.shown) == (7, 7 * 32)


def test_generator_moves_only_in_its_rounds():
    G, D = networks("mlp")
    before = copy.deepcopy(G.state_dict())
    played = game(G, D, generator={"every": 2})
    played.iteration = 1
    train(played, batches(), 1)
    assert all(torch.equal(before[name], value) for name, value in G.state_dict().items())


def test_discriminator_of_a_generators_move_is_left_alone():
    G, D = networks("mlp")
    alone = game(G, D)
    alone.round = lambda: ["generator"]
    before = copy.deepcopy(D.state_dict())
    train(alone, batches(), 2)
    assert all(torch.equal(before[name], value) for name, value in D.state_dict().items())
    assert all(parameter.grad is None for parameter in D.parameters())


def test_terms_and_probabilities_are_observed_by_name():
    played = train(game(*networks("mlp"), penalties={"r1": R1(1.0)}), batches(), 1)
    assert set(played.observed) == {
        "train/discriminator/real", "train/discriminator/fake", "train/discriminator/r1",
        "train/generator/adversarial", "watch/d_real", "watch/d_fake",
        "watch/discriminator_gradient", "watch/generator_gradient", "watch/logit_gap", "watch/d_accuracy",
        "watch/discriminator_update", "watch/generator_update",
    }  # fmt: skip
    assert 0 < played.observed["watch/d_real"] < 1


def test_clipping_bounds_the_step_of_plain_descent():
    G, D = networks("mlp")
    before = torch.cat([p.detach().clone().flatten() for p in G.parameters()])
    sgd = partial(torch.optim.SGD, lr=1.0)
    train(game(G, D, optimizer=sgd, generator={"clip": 0.01}), batches(), 1)
    moved = torch.cat([p.detach().flatten() for p in G.parameters()]) - before
    assert 0 < moved.norm() <= 0.01 * (1 + 1e-4)


def test_the_gradient_is_observed_before_clipping():
    """With plain descent at rate 1 the step is the gradient."""
    G, D = networks("mlp")
    clipped = (copy.deepcopy(G), copy.deepcopy(D))
    before = torch.cat([p.detach().clone().flatten() for p in G.parameters()])
    sgd = partial(torch.optim.SGD, lr=1.0)
    played = train(game(G, D, optimizer=sgd), batches(), 1)
    moved = torch.cat([p.detach().flatten() for p in G.parameters()]) - before
    assert played.observed["watch/generator_gradient"] == pytest.approx(float(moved.norm()), rel=1e-4)
    again = train(game(*clipped, optimizer=sgd, generator={"clip": 1e-6}), batches(), 1)
    assert again.observed["watch/generator_gradient"] == played.observed["watch/generator_gradient"]


def test_nan_ends_training_with_its_term_player_and_iteration():
    def broken(player, real, fake):
        terms = losses.non_saturating(player, real, fake)
        return terms if player == "discriminator" else {"adversarial": terms["adversarial"] * float("nan")}

    with pytest.raises(Diverged, match=r"generator's term 'adversarial' is nan at iteration 0"):
        train(game(*networks("mlp"), broken), batches(), 3)


def test_samples_follow_their_generator_and_labels():
    played = game(*networks("mlp", 10), classes=10, ema=0.9)
    draw = lambda seed, labels=None: played.sample(20, labels, torch.Generator().manual_seed(seed))  # noqa: E731
    assert draw(0).shape == (20, 1, 8, 8)
    assert draw(0).abs().max() <= 1
    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))
    assert torch.equal(draw(0), draw(0, torch.arange(20) % 10))
    assert not torch.equal(draw(0), draw(0, torch.zeros(20, dtype=torch.long)))
