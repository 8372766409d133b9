"""Autoencoders that generate by a mixture of Gaussians over their codes."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import forger
from forger import cli
from forger.data.images import digits
from forger.data.pixels.ranges import to_float
from forger.errors import ConfigError
from forger.games.adversarial import AdversarialGame
from forger.games.autoencoder import AutoencoderGame
from forger.games.base import Player
from forger.games.sampling.mixture import MixtureGame, with_mixture
from forger.networks.autoencoders import MLP
from running import trained

PLAYERS = {"autoencoder": Player(partial(torch.optim.Adam, lr=1e-3))}


class Codes(nn.Module):
    """Nothing but codes, so that what is drawn can be seen."""

    variational, latent, encoder = False, 2, ()

    def decode(self, z):
        return z


def test_samples_are_those_of_the_mixture():
    weights = torch.tensor([0.2, 0.5, 0.3]).double()
    means = torch.tensor([[0.0, 0.0], [3.0, 1.0], [-2.0, 2.0]]).double()
    covariances = torch.tensor(
        [[[1.0, 0.5], [0.5, 0.7]], [[0.2, 0.0], [0.0, 0.1]], [[0.5, -0.4], [-0.4, 0.5]]]
    ).double()
    game = MixtureGame(AutoencoderGame(Codes(), PLAYERS), weights, means, covariances)
    drawn = game.sample(100_000, generator=torch.Generator().manual_seed(0)).double()
    mean = weights @ means
    apart = means - mean
    covariance = (weights[:, None, None] * (covariances + apart[:, :, None] * apart[:, None])).sum(0)
    torch.testing.assert_close(drawn.mean(0), mean, atol=0.02, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), covariance, atol=0.05, rtol=0)
    of_second = ((drawn - means[1]).abs() < 0.8).all(1)
    assert float(of_second.double().mean()) == pytest.approx(0.5, abs=0.06)
    inside = drawn[of_second]
    assert float(inside[:, 1].std()) == pytest.approx(0.316, abs=0.02)


def autoencoder(**options):
    torch.manual_seed(0)
    return AutoencoderGame(MLP([1, 8, 8], 3, [16]), PLAYERS, **options)


def test_a_mixture_is_fitted_on_training_images_and_changes_nothing():
    game = autoencoder().train()
    before = {name: value.clone() for name, value in game.state_dict().items()}
    mixed, again = (with_mixture(game, digits(), 4) for _ in range(2))
    assert torch.equal(mixed.sample(9), again.sample(9))
    assert mixed.latent == 4
    assert game.autoencoder.training
    assert before.keys() == game.state_dict().keys()
    codes = game.encode(to_float(digits().train.arrays["image"])).double()
    shares = torch.diff(mixed.generator.below, prepend=torch.zeros(1), append=torch.ones(1)).double()
    torch.testing.assert_close(shares @ mixed.generator.means.double(), codes.mean(0), atol=1e-3, rtol=1e-3)


def test_what_no_mixture_fits_is_refused():
    gan = AdversarialGame(nn.Linear(2, 2), nn.Linear(2, 1), dict, {}, 2)
    with pytest.raises(ConfigError, match=r"a mixture is of an autoencoder's codes, and this is a AdversarialGame"):
        with_mixture(gan, digits(), 4)
    with pytest.raises(ConfigError, match=r"a mixture of 5000 needs as many training images, and there are 1100"):
        with_mixture(autoencoder(), digits(), 5000)
    with pytest.raises(ConfigError, match="leave out the live ones"):
        with_mixture(autoencoder(ema=0.9), digits(), 2).live_weights()


def test_a_plain_autoencoders_run_is_sampled_scored_and_exported(tmp_path, monkeypatch, capsys):
    run = trained(tmp_path / "runs", "experiment=digits_ae", "+metrics/evaluations=mixture")
    score = run.read().scores["final"]["fd_digits_mixture"]
    assert score["passport"]["mixture"] == 10
    monkeypatch.chdir(tmp_path)
    path = str(run.path)
    assert cli.main(["sample", path, "--mixture", "10", "--n", "12", "--seed", "3", "--out", "made.npz"]) == 0
    made = np.load("made.npz")["samples"]
    assert made.shape == (12, 8, 8, 1)
    ours = forger.load(path, mixture=10).sample(12, seed=3)
    assert (ours.transpose(0, 2, 3, 1) == made).all()
    capsys.readouterr()
    few = ["--n", "128", "--json"]
    assert cli.main(["evaluate", path, "--mixture", "10", "--extractor", "digits", "--scores", "fd", *few]) == 0
    found = json.loads(capsys.readouterr().out)["scores"]["fd_digits"]
    assert found["value"] == pytest.approx(score["value"], rel=1e-4)
    assert cli.main(["export", path, "--mixture", "10", "-o", "made.pt2"]) == 0
    capsys.readouterr()
    assert cli.main(["evaluate", "made.pt2", "--extractor", "digits", "--scores", "fd", *few]) == 0
    assert json.loads(capsys.readouterr().out)["scores"]["fd_digits"]["value"] == pytest.approx(
        score["value"], rel=1e-4
    )
    assert cli.main(["evaluate", path, "--mixture", "2000"]) == 2
    assert Path("made.pt2").exists()
