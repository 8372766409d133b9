"""Variational games of several codes and of labels, and Wasserstein autoencoders."""

from functools import partial

import pytest
import torch
from torch.distributions import Normal

from forger.data.images import digits
from forger.data.pixels.ranges import to_float
from forger.errors import ConfigError
from forger.games.abilities import InfersPosteriors, SamplesLatents
from forger.games.base import Player
from forger.games.training.accumulation import check_parts
from forger.games.variational import VariationalGame
from forger.games.wasserstein import WassersteinGame
from forger.losses.discrepancy import mmd
from forger.losses.variational import importance_weighted, total_correlation
from forger.networks.autoencoders import MLP, Convolutional

PLAYERS = {"autoencoder": Player(partial(torch.optim.Adam, lr=1e-3))}
TRAIN, TEST = digits().train.arrays, digits().test.arrays


def network(kind=MLP, variational=True, **options):
    torch.manual_seed(1)
    if kind is Convolutional:
        return Convolutional(8, 1, 4, width=4, variational=variational, **options)
    return MLP([1, 8, 8], 4, [16, 12], variational=variational, **options)


def batch(game, n=16):
    return game.prepared({"image": TRAIN["image"][:n], "label": TRAIN["label"][:n]})


def test_the_importance_weighted_bound_is_that_of_codes_drawn_one_by_one():
    game = VariationalGame(network(), PLAYERS, 300.0, bound=importance_weighted, draws=3)
    given = batch(game)
    (term,) = game.objective("autoencoder", given).values()
    mean, v = game.autoencoder.encode(given["image"])
    posterior = Normal(mean, (v / 2).exp())
    noise = torch.randn(16, 3, 4, generator=game.stream("posterior"))
    weights = []
    for draw in range(3):
        z = mean + posterior.scale * noise[:, draw]
        error = ((game.autoencoder.decode(z) - given["image"]) / 2).square().mean((1, 2, 3))
        weights.append(-300 * error + (Normal(0, 1).log_prob(z) - posterior.log_prob(z)).sum(1))
    torch.testing.assert_close(term, -torch.stack(weights).exp().mean(0).log().mean(), rtol=1e-4, atol=1e-4)


def test_total_correlation_has_terms_of_its_own():
    game = VariationalGame(network(), PLAYERS, bound=total_correlation, beta=6.0)
    terms = game.objective("autoencoder", batch(game))
    assert [*terms] == ["reconstruction", "mutual_information", "total_correlation", "dimension_kl"]
    torch.stack([*terms.values()]).sum().backward()
    assert all(parameter.grad is not None for parameter in game.autoencoder.parameters())


@pytest.mark.parametrize("kind", [MLP, Convolutional])
def test_a_conditional_games_networks_are_told_the_label(kind):
    game = VariationalGame(network(kind, classes=10), PLAYERS, classes=10)
    images, labels = to_float(TEST["image"][:6]), TEST["label"][:6]
    others = (labels + 1) % 10
    assert not torch.equal(game.encode(images, labels), game.encode(images, others))
    z = game.encode(images, labels)
    assert not torch.equal(game.decode(z, labels), game.decode(z, others))
    made = game.sample(20, generator=torch.Generator().manual_seed(0))
    z = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(made, game.decode(z, torch.arange(20) % 10))
    assert {name: part.takes for name, part in game.parts().items()} == {
        "encoder": ("images", "labels"),
        "decoder": ("z", "labels"),
    }
    terms = game.objective("autoencoder", batch(game))
    game.autoencoder.embedding.weight.data.zero_()
    untold = game.objective("autoencoder", batch(game))
    assert all(terms[name] != untold[name] for name in terms)


def test_a_label_that_is_not_told_is_the_one_that_explains_the_image_best():
    game = VariationalGame(network(classes=3), PLAYERS, 50.0, classes=3)
    images = to_float(TEST["image"][:9])
    bounds = []
    for label in range(3):
        labels = torch.full((9,), label)
        mean, v = game.posterior(images, labels)
        error = ((game.decode(mean, labels) - images) / 2).square().mean((1, 2, 3))
        bounds.append(-50 * error - 0.5 * (mean**2 + v.exp() - v - 1).sum(1))
    likely = torch.stack(bounds).argmax(0)
    assert len(set(likely.tolist())) > 1
    assert torch.equal(game.likely_labels(images), likely)
    assert torch.equal(game.encode(images), game.encode(images, likely))
    assert torch.equal(game.reconstruct(images), game.decode(game.encode(images, likely), likely))


def test_a_wasserstein_autoencoder_compares_all_codes_with_the_prior():
    game = WassersteinGame(network(variational=False), PLAYERS, weight=3.0)
    given = batch(game)
    codes = game.autoencoder.encode(given["image"])
    prior = torch.randn(16, 4, generator=game.stream("prior"))
    wanted = {
        "reconstruction": (game.autoencoder.decode(codes) - given["image"]).square().mean(),
        "mmd": 3 * mmd(codes, prior),
    }
    torch.testing.assert_close(game.objective("autoencoder", given), wanted)
    assert isinstance(game, SamplesLatents)
    assert not isinstance(game, InfersPosteriors)
    z = torch.randn(5, 4, generator=torch.Generator().manual_seed(3))
    assert torch.equal(game.sample(5, generator=torch.Generator().manual_seed(3)), game.decode(z))


def test_what_takes_a_whole_batch_refuses_its_parts():
    games = {
        "VariationalGame": VariationalGame(network(), PLAYERS, bound=partial(total_correlation, alpha=0.5)),
        "WassersteinGame": WassersteinGame(network(variational=False), PLAYERS),
    }
    for name, game in games.items():
        with pytest.raises(ConfigError, match=f"a {name} takes a whole batch together"):
            check_parts(game, 2)
    check_parts(VariationalGame(network(), PLAYERS, bound=importance_weighted, draws=2), 2)
