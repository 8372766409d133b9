"""The adversarial autoencoder and VAE/GAN against plain loops of their papers' algorithms."""

import copy
import itertools
from functools import partial

import pytest
import torch

from forger.data.images import digits
from forger.data.loader import Batches
from forger.data.pixels.ranges import to_float
from forger.games.abilities import InfersPosteriors, SamplesLatents
from forger.games.adversarial_autoencoder import AdversarialAutoencoderGame
from forger.games.base import Player
from forger.games.variational_adversarial import VariationalAdversarialGame
from forger.losses import adversarial as losses
from forger.networks import mlp
from forger.networks.autoencoders import MLP
from forger.randomness import generator
from games.training import train

SGD = partial(torch.optim.SGD, lr=0.05)


def batches():
    return Batches(digits().train, batch_size=16, seed=0, position=int)


def networks(variational):
    torch.manual_seed(0)
    autoencoder = MLP([1, 8, 8], 4, [16], variational=variational)
    return autoencoder, mlp.Discriminator([1, 8, 8] if variational else [4], 16)


def same(one, other):
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", [losses.non_saturating, losses.relativistic])
def test_an_adversarial_autoencoder_equals_a_plain_loop(loss):
    nets = networks(variational=False)
    A, D = copy.deepcopy(nets)
    players = {
        "autoencoder": Player(SGD), "discriminator": Player(SGD), "encoder": Player(SGD, ["autoencoder.encoder"])
    }  # fmt: skip
    game = train(AdversarialAutoencoderGame(*nets, players, loss), batches(), 3)
    steps = SGD(A.parameters()), SGD(D.parameters()), SGD(A.encoder.parameters())
    for step, batch in enumerate(itertools.islice(batches(), 3)):
        x, z = to_float(batch["image"]), torch.randn(16, 4, generator=generator(0, "prior", step))
        minimise(steps[0], (A.decode(A.encode(x)) - x).square().mean())
        minimise(steps[1], sum(loss("discriminator", D(z), D(A.encode(x).detach())).values()))
        minimise(steps[2], loss("generator", D(z), D(A.encode(x)))["adversarial"])
    same(nets[0], A)
    same(nets[1], D)
    assert isinstance(game, SamplesLatents)
    assert not isinstance(game, InfersPosteriors)


def minimise(optimizer, value):
    optimizer.zero_grad()
    value.backward()
    optimizer.step()


def test_each_network_of_a_vae_gan_follows_its_own_loss():
    """Algorithm 1: θ_enc by L_prior + L_llike, θ_dec by γ L_llike − L_GAN, θ_dis by L_GAN, each with its own graph."""
    nets = networks(variational=True)
    A, D = copy.deepcopy(nets)
    options = {"r_loss_factor": 20.0, "gamma": 0.3, "beta": 0.1}
    players = {"discriminator": Player(SGD), "autoencoder": Player(SGD)}
    game = train(VariationalAdversarialGame(*nets, players, losses.non_saturating, **options), batches(), 1)
    x = to_float(next(iter(batches()))["image"])
    drawn = torch.randn(16, 4, generator=generator(0, "prior", 0))
    noise = torch.randn(16, 4, generator=generator(0, "posterior", 0))

    def features(images):
        return D.blocks(images.flatten(1))

    def forward():
        mean, v = A.encode(x)
        return mean, v, A.decode(mean + (v / 2).exp() * noise), A.decode(drawn)

    _, _, near, new = (each.detach() for each in forward())
    softplus = torch.nn.functional.softplus
    minimise(SGD(D.parameters()), softplus(-D(x)).mean() + softplus(D(torch.cat([near, new]))).mean())
    mean, v, near, new = forward()
    likeness = 20 * (features(near) - features(x)).square().mean(1).mean()
    kl = 0.1 * 0.5 * (mean**2 + v.exp() - v - 1).sum(1).mean()
    deceive = softplus(-D(torch.cat([near, new]))).mean()
    encoder, decoder = list(A.encoder.parameters()), list(A.decoder.parameters())
    of_encoder = torch.autograd.grad(kl + likeness, encoder, retain_graph=True)
    of_decoder = torch.autograd.grad(0.3 * likeness + deceive, decoder)
    for parameter, gradient in zip(encoder + decoder, of_encoder + of_decoder, strict=True):
        parameter.data -= 0.05 * gradient
    same(nets[1], D)
    same(nets[0], A)
    assert isinstance(game, InfersPosteriors)
    assert isinstance(game, SamplesLatents)
